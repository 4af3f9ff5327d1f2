import Graphs
import Tensors

/// Adds a mask, then takes the softmax: y = softmax(x + bias), over all axes from `axis` on as one.
///
/// x, y: any shape, float; bias: of x's shape from some axis on (`is_inner_broadcast` 0) or with 1
/// on the broadcast axes. Attributes: `axis` (1), `is_inner_broadcast`. com.microsoft version 1.
package struct BiasSoftmax: ComposedOperator {
  package static let name = "BiasSoftmax"
  package static let domain = "com.microsoft"

  private var axis: Int

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: 1)
    node.ignore("is_inner_broadcast")
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let x = try composer.input(0)
    let dimensions = try composer.shape(x).dimensions
    let first = try normalized(axis: axis, rank: dimensions.count)
    let sum = try composer.add("Add", [x, composer.input(1)])
    guard try composer.shape(sum).dimensions == dimensions else {
      throw GraphError("the bias does not broadcast to x \(Shape(dimensions))")
    }
    let flat = try composer.reshaped(
      sum, [dimensions[..<first].reduce(1, *), dimensions[first...].reduce(1, *)])
    let y = try composer.add("Softmax", [flat], ["axis": .int(1)])
    return [try composer.reshaped(y, dimensions)]
  }
}

/// Adds a bias, then gates one half of the channels by the other: y = a · gelu(b) of x + bias =
/// [a, b].
///
/// x: [N, S, 2 · W], bias: [2 · W], y: [N, S, W], float. com.microsoft version 1.
package struct BiasSplitGelu: ComposedOperator {
  package static let name = "BiasSplitGelu"
  package static let domain = "com.microsoft"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let sum = try composer.add("Add", [composer.input(0), composer.input(1)])
    let shape = try composer.shape(sum)
    guard let width = shape.dimensions.last, width % 2 == 0 else {
      throw GraphError("\(shape) cannot be split into halves")
    }
    let axis = shape.rank - 1
    let gate = try composer.add("Gelu", [composer.sliced(sum, axis: axis, width / 2..<width)])
    return [
      try composer.add("Mul", [composer.sliced(sum, axis: axis, 0..<width / 2), gate])
    ]
  }
}

/// Adds a bias and a residual: y = x + bias + skip.
///
/// x, skip, y: [N, S, W], bias: [W], float. com.microsoft version 1.
package struct BiasAdd: ComposedOperator {
  package static let name = "BiasAdd"
  package static let domain = "com.microsoft"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let sum = try composer.add("Add", [composer.input(0), composer.input(1)])
    return [try composer.add("Add", [sum, composer.input(2)])]
  }
}
