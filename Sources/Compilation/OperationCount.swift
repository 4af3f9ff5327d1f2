import Graphs
import Operators
import Tensors

/// Counts the operations of a graph as papers do: 2 per multiply-add of convolutions, matrix
/// products and recurrent cells; everything else is free.
enum OperationCount {
  /// The operations of one run of a specialised graph.
  static func of(_ graph: Graph) -> Int {
    graph.nodes.reduce(0) { $0 + of($1, in: graph) }
  }

  /// The operations of one node.
  static func of(_ node: Graph.Node, in graph: Graph) -> Int {
    func shape(_ index: Int) -> Shape? {
      index < node.inputs.count ? node.inputs[index].flatMap { graph[$0].shape } : nil
    }
    guard let output = node.outputs.first.flatMap({ $0 }).flatMap({ graph[$0].shape }),
      let x = shape(0), let w = shape(1)
    else { return 0 }
    switch type(of: node.op).name {
    case "Conv":
      return 2 * output.elementCount * w.dimensions.dropFirst().reduce(1, *)
    case "ConvTranspose":
      return 2 * x.elementCount * w.dimensions.dropFirst().reduce(1, *)
    case "MatMul":
      let heads = (node.op as? MatMul)?.headsA ?? 1
      return 2 * output.elementCount * ((x.dimensions.last ?? 1) / heads)
    case "Gemm":
      let inner = output.elementCount == 0 ? 0 : x.elementCount / max(output[0], 1)
      return 2 * output.elementCount * inner
    case "LSTM", "GRU", "RNN":
      guard let r = shape(2), x.rank == 3 else { return 0 }
      return 2 * x[0] * x[1] * (w.elementCount + r.elementCount)
    default:
      return 0
    }
  }
}
