import Graphs
import Instructions
import Tensors

/// Takes single elements by index along an axis: y[…, k, …] = data[…, indices[…, k, …], …].
///
/// data: any; indices: int32 or int64 of data's rank; output: indices' shape. ONNX versions 11 to
/// 13. An index out of range is an error at run time.
package struct GatherElements: MovesElements {
  package static let name = "GatherElements"
  package static let sinceVersion = 11
  package var axis: Int

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: 0)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "data")
    let indices = try inputs.indices(1)
    let axis = try normalized(axis: axis, rank: x.shape.rank)
    try indices.shape.check(along: axis, of: x.shape)
    return [ValueInfo(type: x.type, shape: indices.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let rank = try lowering.required(0).shape.rank
    let x = try lowering.operand(0)
    let indices = try lowering.operand(1)
    let y = try lowering.result(0, type: lowering[x].type)
    lowering.emit(
      GatherAlongAxis(x, at: indices, axis: try normalized(axis: axis, rank: rank), to: y))
  }
}

extension Shape {
  /// Throws unless a tensor of this shape can index elements along an axis of `other`.
  func check(along axis: Int, of other: Shape) throws(GraphError) {
    let fits =
      rank == other.rank
      && other.dimensions.indices.allSatisfy { $0 == axis || self[$0] <= other[$0] }
    guard fits && (elementCount == 0 || other[axis] > 0) else {
      throw GraphError("indices of shape \(self) do not fit to \(other) along axis \(axis)")
    }
  }
}
