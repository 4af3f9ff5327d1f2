import Graphs
import Instructions
import Tensors

/// Joins tensors along an axis.
///
/// inputs: one or more, equal in type and in all extents but that of `axis`. ONNX versions 1 to 13
/// (`axis` defaults to 1 in version 1; negative from version 11).
package struct Concat: MovesElements {
  package static let name = "Concat"
  package var axis: Int
  package var movesAllInputs: Bool { true }

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: 1)
  }

  package init(axis: Int) { self.axis = axis }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let first = try inputs.movable(0, "inputs")
    let axis = try normalized(axis: axis, rank: first.shape.rank)
    var dimensions = first.shape.dimensions
    for index in inputs.indices.dropFirst() {
      let next = try inputs.required(index, "inputs")
      guard next.type == first.type else {
        throw GraphError("input \(index) is \(next.type), but input 0 is \(first.type)")
      }
      var expected = next.shape.dimensions
      if axis < expected.count { expected[axis] = first.shape[axis] }
      guard expected == first.shape.dimensions else {
        throw GraphError(
          "input \(index) of shape \(next.shape) does not fit to \(first.shape) along axis \(axis)")
      }
      let (sum, overflow) = dimensions[axis].addingReportingOverflow(next.shape[axis])
      guard !overflow else { throw GraphError("the result is too large") }
      dimensions[axis] = sum
    }
    return [ValueInfo(type: first.type, shape: try Shape(checking: dimensions))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let rank = try lowering.outputInfo(0).shape.rank
    let axis = try normalized(axis: axis, rank: rank)
    // What leaves the program next is written as it leaves.
    let layout = lowering.isLast(output: 0) ? .declared : lowering.anyLayout(rank: rank)
    var pieces: [(index: Int, extent: Int)] = []
    for index in lowering.node.inputs.indices {
      let shape = try lowering.required(index).shape
      if shape.elementCount > 0 { pieces.append((index, shape[axis])) }
    }
    if pieces.count <= 1 {
      try lowering.alias(0, to: lowering.operand(pieces.first?.index ?? 0, layout), layout)
      return
    }
    let type = lowering.storage(ofOutput: 0)
    var operands: [Operand] = []
    for piece in pieces {
      operands.append(try lowering.operand(piece.index, layout, type: type))
    }
    let y = try lowering.result(0, layout, type: type)
    let position = layout.position(ofAxis: axis, rank: rank)
    var place = 0
    for (piece, operand) in zip(pieces, operands) {
      lowering.emitCopy(of: piece.extent, along: position, from: operand, to: y, place: place)
      place += piece.extent
    }
  }
}
