import Graphs
import Instructions

/// A gated recurrent layer; `RecurrentLayer` states inputs and outputs.
///
/// Gates in the order z r h: z, r = f(X W + H R + b); n = g(X W + (r H) R + b), or, with
/// `linear_before_reset`, g(X W + r (H R + b) + b); H = (1 - z) n + z H. Attributes: activations,
/// activation_alpha, activation_beta, clip, direction, hidden_size, layout, linear_before_reset.
/// ONNX versions 3 to 22.
package struct GRU: LoweredOperator {
  package static let name = "GRU"
  package static let sinceVersion = 3
  private var layer: RecurrentLayer

  package init(importing node: NodeReader) throws(ImportError) {
    layer = try RecurrentLayer(node, .gated)
    layer.resetsAfterProduct = try node.bool("linear_before_reset", default: false)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    try layer.outputs(for: inputs)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try layer.lower(into: lowering)
  }
}
