import Graphs
import Instructions

/// A plain recurrent layer, H = f(X W + H R + b); `RecurrentLayer` states inputs and outputs.
///
/// Attributes: activations, activation_alpha, activation_beta, clip, direction, hidden_size,
/// layout. ONNX versions 1 to 22.
package struct RNN: LoweredOperator {
  package static let name = "RNN"
  private var layer: RecurrentLayer

  package init(importing node: NodeReader) throws(ImportError) {
    layer = try RecurrentLayer(node, .plain)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    try layer.outputs(for: inputs)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try layer.lower(into: lowering)
  }
}
