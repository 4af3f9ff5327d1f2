import Graphs
import Instructions
import Tensors

/// Takes slices by tuples of indices: y[b…, k…, …] = data[b…, indices[b…, k…, :], …].
///
/// data: any; indices: int64 (or int32) [b…, k…, n]; `batch_dims` leading axes are shared (from
/// version 12). ONNX versions 11 to 13. An index out of range is an error at run time.
package struct GatherND: MovesElements {
  package static let name = "GatherND"
  package static let sinceVersion = 11
  package var batchRank: Int

  package init(importing node: NodeReader) throws(ImportError) {
    batchRank = try node.int("batch_dims", default: 0)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "data")
    let indices = try inputs.indices(1).shape
    guard indices.rank >= 1, batchRank >= 0, batchRank < indices.rank, batchRank <= x.shape.rank,
      indices.dimensions[..<batchRank] == x.shape.dimensions[..<batchRank],
      let length = indices.dimensions.last, length <= x.shape.rank - batchRank
    else {
      throw GraphError(
        "indices of shape \(indices) with \(batchRank) batch axes do not fit to \(x.shape)")
    }
    let dimensions = indices.dimensions.dropLast() + x.shape.dimensions[(batchRank + length)...]
    let shape = try Shape(checking: Array(dimensions))
    guard shape.elementCount == 0 || x.shape.elementCount > 0 else {
      throw GraphError("there is nothing in \(x.shape) to take")
    }
    return [ValueInfo(type: x.type, shape: shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.operand(0)
    let indices = try lowering.operand(1)
    let y = try lowering.result(0, type: lowering[x].type)
    guard lowering[y].shape.elementCount > 0 else { return }
    lowering.emit(GatherTuples(x, at: indices, batchRank: batchRank, to: y))
  }
}
