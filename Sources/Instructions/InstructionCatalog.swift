/// Every instruction that the runtime knows. Files name instructions by opcode; tests and
/// documentation walk the table.
public enum InstructionCatalog {
  /// One line per instruction, by opcode.
  package static let all: [any Instruction.Type] = [
    Convolution.self,
    ConvolutionND.self,
    DepthwiseConvolution.self,
    MatrixMultiply.self,
    TransposedConvolution.self,
    Copy.self,
    CopyRows.self,
    GatherSlices.self,
    Interpolate.self,
    Unary.self,
    Predicate.self,
    Binary.self,
    Select.self,
    Cast.self,
    Reduce.self,
    ArgReduce.self,
    Softmax.self,
    Hardmax.self,
    Normalize.self,
    ScaleShift.self,
    Pool.self,
    CumulativeSum.self,
    TopK.self,
    LocalResponseNormalization.self,
  ]

  private static let byOpcode: [String: any Instruction.Type] = Dictionary(
    all.map { ($0.opcode, $0) }, uniquingKeysWith: { first, _ in first })

  /// Returns the instruction with this opcode, or nil.
  package static func type(opcode: String) -> (any Instruction.Type)? { byOpcode[opcode] }
}
