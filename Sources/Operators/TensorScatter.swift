import Graphs
import Instructions
import Tensors

/// Writes new entries into a cache, from a position per batch on.
///
/// past_cache: [batch, ..., length, ...]; update: its type and shape but for `axis` (-2), where it
/// is no longer; write_indices: int64 [batch], default 0; present_cache: as past_cache. `mode`:
/// linear (what does not fit is an error at run time) or circular (goes on at the beginning). ONNX
/// version 24.
package struct TensorScatter: LoweredOperator {
  package static let name = "TensorScatter"
  package static let sinceVersion = 24

  package var axis: Int
  package var isCircular: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: -2)
    let mode = try node.string("mode", default: "linear")
    guard mode == "linear" || mode == "circular" else {
      throw node.invalid("mode is \"\(mode)\"; known are linear and circular")
    }
    isCircular = mode == "circular"
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let cache = try inputs.movable(0, "past_cache")
    let update = try inputs.required(1, "update")
    let axis = try normalized(axis: self.axis, rank: cache.shape.rank)
    var wanted = cache.shape
    if update.shape.rank == wanted.rank { wanted[axis] = update.shape[axis] }
    guard axis > 0, update.type == cache.type, update.shape == wanted,
      update.shape[axis] <= cache.shape[axis]
    else {
      throw GraphError(
        "update \(update.type) \(update.shape) does not fit into \(cache.type) \(cache.shape) "
          + "along axis \(axis), which may not be the first")
    }
    if let indices = inputs.optional(2) {
      guard indices.type == .int64, indices.shape == [cache.shape[0]] else {
        throw GraphError("write_indices are \(indices.type) \(indices.shape)")
      }
    }
    return [ValueInfo(type: cache.type, shape: cache.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let cache = try lowering.operand(0)
    let y = try lowering.result(0, type: lowering[cache].type)
    lowering.emit(
      Copy.converting(cache, lowering[cache], to: y, lowering[y], axes: nil))
    var write = WriteAtPositions()
    write.updates = try lowering.operand(1, type: lowering[cache].type)
    if lowering.info(2) != nil {
      write.positions = try lowering.operand(2, type: .int64)
    } else {
      write.positions = lowering.constant(
        TensorBuffer([Int](repeating: 0, count: shape[0])))
    }
    write.axis = try normalized(axis: axis, rank: shape.rank)
    write.isCircular = isCircular
    write.output = y
    lowering.emit(write)
  }
}
