import Graphs
import Operators
import Tensors

/// Decides which float values a bf16 program keeps in 16 bits.
///
/// A value is kept in bfloat16 if a convolution or a matrix product reads it, directly or through
/// operators that only pass its elements on or are well served by 8 bits of mantissa. What follows
/// the last of them (the decoding of boxes, the final softmax) and what leaves the program stays
/// in float32, where coordinates of a few hundred pixels need their fractions.
struct StorageAssignment {
  /// The values to keep in bfloat16.
  private(set) var bfloat16: Set<Graph.ValueID> = []

  /// - Parameter floatNodes: values that the first so many nodes make stay float32 whatever reads
  ///   them; see `PrecisionGuard`.
  init(_ graph: Graph, floatNodes: Int = 0) {
    let outputs = Set(graph.outputs)
    var wanted: Set<Graph.ValueID> = []
    for node in graph.nodes.reversed() {
      let name = type(of: node.op).name
      let multiplies = StorageAssignment.multipliers.contains(name)
      let passesOn =
        !StorageAssignment.exact.contains(name)
        && node.outputs.contains { $0.map { wanted.contains($0) } ?? false }
      guard multiplies || passesOn else { continue }
      for (position, input) in node.inputs.enumerated() {
        guard let input, graph[input].constant == nil,
          graph[input].type == .float32 || graph[input].type == .float16,
          position < 2 || !multiplies || position == 3,
          !StorageAssignment.isVector(graph[input].shape)
        else { continue }
        wanted.insert(input)
      }
    }
    bfloat16 = wanted.subtracting(outputs)
    if floatNodes > 0 {
      bfloat16.subtract(graph.inputs)
      for node in graph.nodes.prefix(floatNodes) {
        bfloat16.subtract(node.outputs.compactMap { $0 })
      }
    }
  }

  /// One element per channel: the gates of squeeze-and-excitation blocks. They cost nothing in
  /// float32, and their errors would scale whole pictures.
  private static func isVector(_ shape: Shape?) -> Bool {
    guard let shape, shape.rank >= 3 else { return false }
    return shape.dimensions.dropFirst(2).allSatisfy { $0 == 1 }
  }

  /// Operators with bfloat16 multipliers.
  private static let multipliers: Set<String> = ["Conv", "ConvTranspose", "MatMul", "Gemm"]

  /// Operators whose operands stay float32: they compute in float32 anyway, keep running sums, or
  /// magnify errors.
  private static let exact: Set<String> = [
    "LSTM", "GRU", "RNN", "Exp", "Log", "Pow", "Sqrt", "Reciprocal", "CumSum", "TopK", "ArgMax",
    "ArgMin", "QuantizeLinear", "DequantizeLinear", "GatherND", "ScatterND", "ReduceSumSquare",
    "ReduceL2", "ReduceLogSumExp", "NonMaxSuppression", "Einsum",
  ]

  func storage(of id: Graph.ValueID) -> ElementType { bfloat16.contains(id) ? .bfloat16 : .float32 }
}
