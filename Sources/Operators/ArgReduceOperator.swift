import Graphs
import Instructions
import Tensors

/// What tells `ArgMax` from `ArgMin`.
package protocol ArgReduceDefinition: Sendable {
  static var name: String { get }
  static var findsLeast: Bool { get }
}

/// Finds the index of the greatest or least element along an axis.
///
/// x: any shape, float or integer; y: int64, the axis 1 (`keepdims`, the default) or left out.
/// Attributes: `axis` (0; negative counts from the end), `select_last_index` (0; version 12). ONNX
/// versions 1 to 13.
package struct ArgReduceOperator<Definition: ArgReduceDefinition>: LoweredOperator {
  package static var name: String { Definition.name }

  package var axis: Int
  package var keepsDimensions: Bool
  package var selectsLast: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: 0)
    keepsDimensions = try node.bool("keepdims", default: true)
    selectsLast = try node.bool("select_last_index", default: false)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat || x.type.isInteger else {
      throw GraphError("x is \(x.type), which \(Definition.name) does not take")
    }
    let place = try normalized(axis: axis, rank: x.shape.rank)
    var dimensions = x.shape.dimensions
    guard dimensions[place] > 0 || x.shape.elementCount == 0 && dimensions.count > 1 else {
      throw GraphError("axis \(axis) of x \(x.shape) has no elements to choose from")
    }
    if keepsDimensions { dimensions[place] = 1 } else { dimensions.remove(at: place) }
    return [ValueInfo(type: .int64, shape: Shape(dimensions))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let place = try normalized(axis: axis, rank: lowering.required(0).shape.rank)
    let (x, y, positions) = try lowering.reductionOperands(
      over: [place], keepsDimensions: keepsDimensions)
    lowering.emit(
      ArgReduce(
        x, axis: positions[0], findsLeast: Definition.findsLeast, selectsLast: selectsLast, to: y))
  }
}

extension Elementwise {
  package enum ArgMax: ArgReduceDefinition {
    package static let name = "ArgMax"
    package static let findsLeast = false
  }
  package enum ArgMin: ArgReduceDefinition {
    package static let name = "ArgMin"
    package static let findsLeast = true
  }
}
