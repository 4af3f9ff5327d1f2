import Graphs
import Instructions

/// A long short-term memory layer; `RecurrentLayer` states inputs and outputs.
///
/// Gates in the order i o f c: i, f = f(X W + H R + P C + b); C = f C + i g(X W + H R + b);
/// o = f(X W + H R + P C + b); H = o h(C). Attributes: activations, activation_alpha,
/// activation_beta, clip, direction, hidden_size, input_forget, layout. ONNX versions 1 to 22.
package struct LSTM: LoweredOperator {
  package static let name = "LSTM"
  private var layer: RecurrentLayer

  package init(importing node: NodeReader) throws(ImportError) {
    layer = try RecurrentLayer(node, .longShortTerm)
    layer.couplesInputAndForget = try node.bool("input_forget", default: false)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    try layer.outputs(for: inputs)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try layer.lower(into: lowering)
  }
}
