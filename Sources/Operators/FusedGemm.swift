import Graphs
import Tensors

/// A `Gemm` with a function of its result: y = activation(alpha · op(a) · op(b) + beta · c).
///
/// Inputs and attributes as in `Gemm`; `activation` with `activation_alpha` and `activation_beta`.
/// com.microsoft version 1.
package struct FusedGemm: ComposedOperator {
  package static let name = "FusedGemm"
  package static let domain = "com.microsoft"
  private var attributes: [String: Attribute] = [:]
  private var function: FusedFunction

  package init(importing node: NodeReader) throws(ImportError) {
    for name in ["alpha", "beta"] {
      if let value = try node.float(name) { attributes[name] = .float(value) }
    }
    for name in ["transA", "transB"] {
      if let value = try node.int(name) { attributes[name] = .int(value) }
    }
    function = try FusedFunction(
      node, alpha: node.float("activation_alpha"), beta: node.float("activation_beta"))
    node.ignore("activation_gamma")
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let y = try composer.add(
      "Gemm", [composer.input(0), composer.input(1), composer.optional(2)], attributes)
    return [try function.add(to: &composer, y)]
  }
}

/// A product with a bias and the fast GELU: y = FastGelu(x · w + bias). com.microsoft version 1.
package struct GemmFastGelu: ComposedOperator {
  package static let name = "GemmFastGelu"
  package static let domain = "com.microsoft"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let product = try composer.add("MatMul", [composer.input(0), composer.input(1)])
    return [
      try composer.add(
        "FastGelu", [product] + (composer.optional(2).map { [$0] } ?? []),
        domain: "com.microsoft")
    ]
  }
}
