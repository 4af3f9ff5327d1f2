import Graphs
import Tensors

/// Multiplies by an 8-bit matrix, quantising the other factor by its own range:
/// y = dequantise(quantise(a) · (b − b_zero)) + bias.
///
/// a: float32 […, K]; b: int8 or uint8 [K, N]; b_scale: float32 of one element or [N]; b_zero:
/// likewise of b's type, optional; bias: [N], optional; y: float32. com.microsoft version 1.
package struct DynamicQuantizeMatMul: ComposedOperator {
  package static let name = "DynamicQuantizeMatMul"
  package static let domain = "com.microsoft"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let a = try composer.add("DynamicQuantizeLinear", [composer.input(0)], outputs: 3)
    let sum = try composer.add(
      "MatMulInteger", [a[0], composer.input(1), a[2], composer.optional(3)])
    return [
      try composer.scaledSum(sum, a[1], composer.input(2), bias: composer.optional(4))
    ]
  }
}

/// Multiplies 8-bit matrices to floats: y = (a − a_zero) · (b − b_zero) · a_scale · b_scale + bias.
///
/// a: […, M, K], b: [K, N], int8 or uint8 each; a_scale: one element; b_scale, b_zero: one element
/// or [N]; bias: [N], optional; y: float32. com.microsoft version 1.
package struct MatMulIntegerToFloat: ComposedOperator {
  package static let name = "MatMulIntegerToFloat"
  package static let domain = "com.microsoft"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let sum = try composer.add(
      "MatMulInteger",
      [composer.input(0), composer.input(1), composer.optional(4), composer.optional(5)])
    return [
      try composer.scaledSum(
        sum, composer.input(2), composer.input(3), bias: composer.optional(6))
    ]
  }
}

extension Composer {
  /// sum · (a · b) + bias, float32; b of one element or one per column.
  fileprivate mutating func scaledSum(
    _ sum: Graph.ValueID, _ a: Graph.ValueID, _ b: Graph.ValueID, bias: Graph.ValueID?
  ) throws(GraphError) -> Graph.ValueID {
    let factor = try add("Mul", [cast(flatScale(a), .float32), cast(flatScale(b), .float32)])
    let y = try add("Mul", [cast(sum, .float32), factor])
    guard let bias else { return y }
    return try add("Add", [y, cast(bias, .float32)])
  }
}

/// Multiplies quantised matrices and adds an integer bias: y = requantise(alpha · (op(a) · op(b))
/// + c).
///
/// a: [M, K] (or transposed), b: [K, N] (or transposed), int8 or uint8, a_scale, a_zero: one
/// element, b_scale, b_zero: one element or [N]; c: int32, broadcastable to [M, N], of the scale
/// alpha · a_scale · b_scale; y: quantised with y_scale and y_zero, or float32 without them.
/// com.microsoft version 1.
package struct QGemm: ComposedOperator {
  package static let name = "QGemm"
  package static let domain = "com.microsoft"
  private var alpha: Float
  private var transposesA: Bool
  private var transposesB: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    alpha = try node.float("alpha", default: 1)
    transposesA = try node.bool("transA", default: false)
    transposesB = try node.bool("transB", default: false)
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    var (a, b) = (try composer.input(0), try composer.input(3))
    if transposesA { a = try composer.transposed(a, [1, 0]) }
    if transposesB { b = try composer.transposed(b, [1, 0]) }
    var sum = try composer.add(
      "MatMulInteger", [a, b, composer.optional(2), composer.optional(5)])
    if let c = composer.optional(6) { sum = try composer.add("Add", [sum, c]) }
    let scales = try composer.add(
      "Mul", [composer.flatScale(composer.input(1)), composer.flatScale(composer.input(4))])
    let factor = try composer.scaled(scales, by: alpha)
    let real = try composer.cast(sum, .float32)
    guard let scale = composer.optional(7) else {
      return [try composer.add("Mul", [real, factor])]
    }
    // As in `QLinearMatMul`, the sum is multiplied by one factor, then rounded.
    let step = try composer.add("Div", [factor, composer.flatScale(scale)])
    let y = try composer.add("Mul", [real, step])
    var zero = composer.optional(8)
    if let given = zero { zero = try composer.flatScale(given) }
    if zero == nil { zero = try composer.scalar(0, composer.type(a)) }
    return [try composer.add("QuantizeLinear", [y, composer.scalar(1, .float32), zero])]
  }
}
