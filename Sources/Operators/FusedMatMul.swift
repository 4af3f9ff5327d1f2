import Graphs
import Tensors

/// Multiplies matrices with a factor: y = alpha · op(a) · op(b).
///
/// a, b: as in `MatMul`, float; `transA`, `transB` exchange the last two axes, `transBatchA`,
/// `transBatchB` move the first of the others before the last: [1, 2, …, 0, r − 1] of rank r.
/// com.microsoft version 1.
package struct FusedMatMul: ComposedOperator {
  package static let name = "FusedMatMul"
  package static let domain = "com.microsoft"
  private var product: ScaledProduct

  package init(importing node: NodeReader) throws(ImportError) {
    product = try ScaledProduct(node)
    product.rotatesA = try node.bool("transBatchA", default: false)
    product.rotatesB = try node.bool("transBatchB", default: false)
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    [try product.add(to: &composer)]
  }
}

/// The earlier form of `FusedMatMul`, without `transBatchA` and `transBatchB`.
package struct TransposeMatMul: ComposedOperator {
  package static let name = "TransposeMatMul"
  package static let domain = "com.microsoft"
  private var product: ScaledProduct

  package init(importing node: NodeReader) throws(ImportError) {
    product = try ScaledProduct(node)
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    [try product.add(to: &composer)]
  }
}

/// A `FusedMatMul` with a function of the result; com.microsoft version 1.
package struct FusedMatMulActivation: ComposedOperator {
  package static let name = "FusedMatMulActivation"
  package static let domain = "com.microsoft"
  private var product: ScaledProduct
  private var function: FusedFunction

  package init(importing node: NodeReader) throws(ImportError) {
    product = try ScaledProduct(node)
    product.rotatesA = try node.bool("transBatchA", default: false)
    product.rotatesB = try node.bool("transBatchB", default: false)
    function = try FusedFunction(
      node, alpha: node.float("activation_alpha"), beta: node.float("activation_beta"))
    node.ignore("activation_gamma", "activation_axis")
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let product = try product.add(to: &composer)
    return [try function.add(to: &composer, product)]
  }
}

/// What the products with a factor share.
private struct ScaledProduct {
  var alpha: Float
  var transposesA: Bool
  var transposesB: Bool
  var rotatesA = false
  var rotatesB = false

  init(_ node: NodeReader) throws(ImportError) {
    alpha = try node.float("alpha", default: 1)
    transposesA = try node.bool("transA", default: false)
    transposesB = try node.bool("transB", default: false)
  }

  func add(to composer: inout Composer) throws(GraphError) -> Graph.ValueID {
    let a = try factor(&composer, composer.input(0), transposesA, rotatesA)
    let b = try factor(&composer, composer.input(1), transposesB, rotatesB)
    return try composer.scaled(composer.add("MatMul", [a, b]), by: alpha)
  }

  private func factor(
    _ composer: inout Composer, _ x: Graph.ValueID, _ transposes: Bool, _ rotates: Bool
  ) throws(GraphError) -> Graph.ValueID {
    let rank = try composer.shape(x).rank
    guard rank >= 2, transposes || rotates else { return x }
    var axes = Array(0..<rank)
    if rotates {
      guard rank >= 3 else { throw GraphError("a batch of rank \(rank) cannot be transposed") }
      axes = Array(1..<rank - 1) + [0, rank - 1]
    }
    if transposes { axes.swapAt(rank - 2, rank - 1) }
    return try composer.transposed(x, axes)
  }
}

/// The function that a fused operator of ONNX Runtime applies to its result.
struct FusedFunction {
  var name: String?
  var attributes: [String: Attribute] = [:]
  var limits: (low: Float, high: Float)?

  /// Reads the attribute `activation`.
  init(_ node: NodeReader, alpha: Float?, beta: Float?) throws(ImportError) {
    guard let name = try node.string("activation"), !name.isEmpty else { return }
    switch name {
    case "Relu", "Tanh", "Sigmoid", "Softplus", "Softsign", "Gelu", "Erf": break
    case "LeakyRelu", "Elu", "ThresholdedRelu":
      if let alpha { attributes["alpha"] = .float(alpha) }
    case "HardSigmoid":
      if let alpha { attributes["alpha"] = .float(alpha) }
      if let beta { attributes["beta"] = .float(beta) }
    case "HardSwish": break
    case "Clip": limits = (alpha ?? -.infinity, beta ?? .infinity)
    default:
      throw node.unsupported(
        "the activation \"\(name)\"; optimise the model without fusions (ORT_ENABLE_BASIC)")
    }
    self.name = name
  }

  /// Applies the function.
  func add(
    to composer: inout Composer, _ x: Graph.ValueID
  ) throws(GraphError) -> Graph.ValueID {
    guard let name else { return x }
    guard let limits else { return try composer.add(name, [x], attributes) }
    let type = try composer.type(x)
    return try composer.add(
      name, [x, composer.scalar(limits.low, type), composer.scalar(limits.high, type)])
  }
}
