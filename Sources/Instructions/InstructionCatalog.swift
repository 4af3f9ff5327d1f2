/// Every instruction that the runtime knows. Files name instructions by opcode; tests and
/// documentation walk the table.
public enum InstructionCatalog {
  /// One line per instruction, by opcode.
  package static let all: [any Instruction.Type] = [
    ArgReduce.self,
    Binary.self,
    Cast.self,
    Convolution.self,
    ConvolutionND.self,
    Copy.self,
    CopyRows.self,
    CumulativeSum.self,
    DepthwiseConvolution.self,
    Dequantize.self,
    DequantizeFromUInt8.self,
    Fill.self,
    FillRange.self,
    FindNonZero.self,
    FoldColumns.self,
    GatherAlongAxis.self,
    GatherSlices.self,
    GatherTuples.self,
    Hardmax.self,
    Interpolate.self,
    KeepTriangle.self,
    LocalResponseNormalization.self,
    LookUp.self,
    MatrixMultiply.self,
    Normalize.self,
    OneHotEncode.self,
    PadAxes.self,
    Pool.self,
    Predicate.self,
    Quantize.self,
    QuantizeDynamically.self,
    QuantizedAveragePool.self,
    QuantizedBinary.self,
    QuantizedConvolution.self,
    QuantizedDepthwiseConvolution.self,
    QuantizedMatrixMultiply.self,
    QuantizeToUInt8.self,
    QuantizedTransposedConvolution.self,
    Recurrence.self,
    Reduce.self,
    ReverseRuns.self,
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
  ]

  private static let byOpcode: [String: any Instruction.Type] = Dictionary(
    all.map { ($0.opcode, $0) }, uniquingKeysWith: { first, _ in first })

  /// Returns the instruction with this opcode, or nil.
  package static func type(opcode: String) -> (any Instruction.Type)? { byOpcode[opcode] }
}
