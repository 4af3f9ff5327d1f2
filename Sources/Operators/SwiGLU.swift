import Graphs
import Tensors

/// Gates one tensor by another: y = a · sigmoid(alpha · a) · b.
///
/// a, b, y: one shape, one float type. Attribute `alpha` (1). ONNX version 28.
package struct SwiGLU: ComposedOperator {
  package static let name = "SwiGLU"
  package static let sinceVersion = 28

  var alpha: Float

  package init(importing node: NodeReader) throws(ImportError) {
    alpha = try node.float("alpha", default: 1)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let a = try inputs.required(0, "A")
    let b = try inputs.required(1, "B")
    guard a.type.isFloat, a.type == b.type, a.shape == b.shape else {
      throw GraphError(
        "A is \(a.type) \(a.shape) and B \(b.type) \(b.shape); they must be alike and floats")
    }
    return [ValueInfo(type: a.type, shape: a.shape)]
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let gate = try composer.add("Swish", [composer.input(0)], ["alpha": .float(alpha)])
    return [try composer.add("Mul", [gate, composer.input(1)])]
  }
}
