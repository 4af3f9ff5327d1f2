/// Every instruction that the runtime knows. Files name instructions by opcode; tests and
/// documentation walk the table.
public enum InstructionCatalog {
  /// One line per instruction, by opcode.
  package static let all: [any Instruction.Type] = [
    AlignRegions.self,
    ArgReduce.self,
    Binary.self,
    Cast.self,
    CastSmall.self,
    Convolution.self,
    ConvolutionND.self,
    Copy.self,
    CopyBytes.self,
    CopyRows.self,
    CountGrams.self,
    CumulativeProduct.self,
    CumulativeSum.self,
    DeformedConvolution.self,
    DepthwiseConvolution.self,
    Dequantize.self,
    DequantizeBlocks.self,
    DequantizeFromUInt8.self,
    Determinant.self,
    DirectConvolution.self,
    Expectation.self,
    Fill.self,
    FillRange.self,
    FindNonZero.self,
    FoldColumns.self,
    FourierTransform.self,
    GateChannels.self,
    GatherAlongAxis.self,
    GatherSlices.self,
    GatherTuples.self,
    Hardmax.self,
    Interpolate.self,
    KeepTriangle.self,
    LinearRecurrence.self,
    LocalResponseNormalization.self,
    LookUp.self,
    MatrixMultiply.self,
    Normalize.self,
    OneHotEncode.self,
    PadAxes.self,
    PickLoss.self,
    Pool.self,
    PoolRegions.self,
    Predicate.self,
    Quantize.self,
    QuantizeBlocks.self,
    QuantizeDynamically.self,
    QuantizedAveragePool.self,
    QuantizedBinary.self,
    QuantizedConvolution.self,
    QuantizedDepthwiseConvolution.self,
    QuantizedMatrixMultiply.self,
    QuantizeToUInt8.self,
    QuantizedTransposedConvolution.self,
    RandomNumbers.self,
    Recurrence.self,
    Reduce.self,
    ReverseRuns.self,
    SampleClasses.self,
    SampleGrid.self,
    ScaleShift.self,
    ScatterAlongAxis.self,
    ScatterTuples.self,
    Select.self,
    Softmax.self,
    SumProducts.self,
    TopK.self,
    TransposedConvolution.self,
    Unary.self,
    WriteAtPositions.self,
  ]

  private static let byOpcode: [String: any Instruction.Type] = Dictionary(
    all.map { ($0.opcode, $0) }, uniquingKeysWith: { first, _ in first })

  /// Returns the instruction with this opcode, or nil.
  package static func type(opcode: String) -> (any Instruction.Type)? {
    common(opcode) ?? byOpcode[opcode]
  }

  /// The instructions that most programs use. The table would have to ask every instruction for its
  /// opcode, which brings the code of all of them into memory.
  private static func common(_ opcode: String) -> (any Instruction.Type)? {
    switch opcode {
    case "average_pool_int8": QuantizedAveragePool.self
    case "binary": Binary.self
    case "binary_int8": QuantizedBinary.self
    case "cast": Cast.self
    case "convolution": Convolution.self
    case "convolution_int8": QuantizedConvolution.self
    case "copy": Copy.self
    case "copy_rows": CopyRows.self
    case "depthwise_convolution": DepthwiseConvolution.self
    case "depthwise_convolution_int8": QuantizedDepthwiseConvolution.self
    case "dequantize_uint8": DequantizeFromUInt8.self
    case "expectation": Expectation.self
    case "gate_channels_int8": GateChannels.self
    case "gather_slices": GatherSlices.self
    case "interpolate": Interpolate.self
    case "look_up": LookUp.self
    case "matrix_multiply": MatrixMultiply.self
    case "matrix_multiply_int8": QuantizedMatrixMultiply.self
    case "normalize": Normalize.self
    case "pool": Pool.self
    case "quantize_uint8": QuantizeToUInt8.self
    case "reduce": Reduce.self
    case "softmax": Softmax.self
    case "unary": Unary.self
    default: nil
    }
  }
}
