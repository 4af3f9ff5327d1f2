import Graphs
import Instructions
import Tensors

/// Finds the k greatest or least elements along an axis, and their indices.
///
/// x: any shape of rank 1 or more, float or integer; values: x's type, indices: int64, both x's
/// shape with k along the axis. k: attribute (before version 10) or constant input 1. Attributes:
/// `axis` (-1), `largest` (1) and `sorted` (1; version 11; results are always sorted). ONNX
/// versions 1 to 24.
package struct TopKOperator: LoweredOperator {
  package static let name = "TopK"

  package var axis: Int
  package var count: Int?
  package var findsLeast: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    node.ignore("sorted")
    axis = try node.int("axis", default: -1)
    findsLeast = try !node.bool("largest", default: true)
    count = node.version < 10 ? try node.int("k") : nil
    if node.version < 10 && count == nil { throw node.invalid("attribute k is missing") }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat || x.type.isInteger else { throw GraphError("x is \(x.type)") }
    let place = try normalized(axis: axis, rank: x.shape.rank)
    if count == nil { _ = try inputs.required(1, "k") }
    guard let counts = try inputs.integers(count.map { [$0] }, or: 1, "k"), counts.count == 1
    else { throw GraphError("k must be one integer") }
    guard (0...x.shape[place]).contains(counts[0]) else {
      throw GraphError("k is \(counts[0]), but axis \(axis) of x has \(x.shape[place]) elements")
    }
    var shape = x.shape
    shape[place] = counts[0]
    return [ValueInfo(type: x.type, shape: shape), ValueInfo(type: .int64, shape: shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.required(0)
    let place = try normalized(axis: axis, rank: x.shape.rank)
    let infos = try outputs(for: [x, lowering.info(1)])
    let layout = lowering.layout(0)
    let shape = layout.physical(infos[0].shape)
    let operand = try lowering.operand(0, layout)
    let values =
      lowering.wants(output: 0)
      ? try lowering.result(0, layout)
      : lowering.temporary(lowering[operand].type, shape, layout: layout)
    let places =
      lowering.wants(output: 1)
      ? try lowering.result(1, layout) : lowering.temporary(.int64, shape, layout: layout)
    lowering.emit(
      TopK(
        operand, axis: layout.position(ofAxis: place, rank: x.shape.rank), findsLeast: findsLeast,
        values: values, places: places))
  }
}
