import Graphs
import Instructions
import Tensors

/// Passes its input on: y = x.
///
/// x, y: any shape and element type. ONNX versions 1 to 24. No memory is touched.
package struct Identity: MovesElements {
  package static let name = "Identity"

  package init() {}
  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    guard let x = inputs.first ?? nil else { throw GraphError("input x is missing") }
    return [x]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let layout = lowering.layout(0)
    try lowering.alias(0, to: lowering.operand(0, layout), layout)
  }
}
