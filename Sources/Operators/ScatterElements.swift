import Graphs
import Instructions
import Tensors

/// Copies data and writes single elements into it by index along an axis.
///
/// data: any numeric type or bool; indices: int32 or int64 of data's rank; updates: indices' shape;
/// `reduction`: none, add, mul (from version 16), max, min (18). ONNX versions 11 to 18, and
/// Scatter (version 9), its old name. An index out of range is an error at run time.
package struct ScatterElements: LoweredOperator {
  package static let name = "ScatterElements"
  package static let sinceVersion = 11
  package var axis: Int
  package var reduction: ScatterReduction

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: 0)
    reduction = try node.scatterReduction()
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "data")
    let indices = try inputs.indices(1)
    let updates = try inputs.required(2, "updates")
    let axis = try normalized(axis: axis, rank: x.shape.rank)
    try indices.shape.check(along: axis, of: x.shape)
    guard updates.type == x.type, updates.shape == indices.shape else {
      throw GraphError(
        "updates are \(updates.type) \(updates.shape), but must be \(x.type) \(indices.shape)")
    }
    try reduction.check(x.type)
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let rank = try lowering.required(0).shape.rank
    let (updates, indices, y) = try lowering.scatterOperands()
    lowering.emit(
      ScatterAlongAxis(
        updates, at: indices, axis: try normalized(axis: axis, rank: rank), reduction, into: y))
  }
}

/// The old name of ScatterElements (versions 9 and 10).
package struct Scatter: LoweredOperator {
  package static let name = "Scatter"
  package static let sinceVersion = 9
  private var scatter: ScatterElements

  package init(importing node: NodeReader) throws(ImportError) {
    scatter = try ScatterElements(importing: node)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    try scatter.outputs(for: inputs)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try scatter.lower(into: lowering)
  }
}

extension NodeReader {
  /// The attribute `reduction` of the scatter operators.
  func scatterReduction() throws(ImportError) -> ScatterReduction {
    let name = try string("reduction", default: "none")
    let known: [String: ScatterReduction] = [
      "none": .none, "add": .add, "mul": .multiply, "max": .max, "min": .min,
    ]
    guard let reduction = known[name] else {
      throw unsupported("reduction \"\(name)\" is not known")
    }
    return reduction
  }
}

extension ScatterReduction {
  /// Throws unless elements of this type can be written so.
  func check(_ type: ElementType) throws(GraphError) {
    guard type.isInteger || type.isFloat || self == .none && type == .bool else {
      throw GraphError("\(type) cannot be scattered")
    }
  }
}

extension Lowering {
  /// Copies input 0 to output 0, for inputs 1 (indices) and 2 (updates) to be written into.
  func scatterOperands() throws(GraphError) -> (updates: Operand, indices: Operand, y: Operand) {
    let x = try operand(0)
    let type = self[x].type
    let indices = try operand(1)
    let updates = try operand(2, type: type)
    let y = try result(0, type: type)
    emit(Copy.converting(x, self[x], to: y, self[y], axes: nil))
    return (updates, indices, y)
  }
}
