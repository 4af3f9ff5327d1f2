import Graphs
import Instructions
import Tensors

/// Takes slices by index along an axis: the axis is replaced by the axes of `indices`.
///
/// data: any; indices: int32 or int64, any shape, negative ones count from the end; `axis` default
/// 0. ONNX versions 1 to 13. An index out of range is an error at run time, or when the model is
/// compiled if the indices are constant.
package struct Gather: MovesElements {
  package static let name = "Gather"
  package var axis: Int

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: 0)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "data")
    let indices = try inputs.indices(1)
    let axis = try normalized(axis: axis, rank: x.shape.rank)
    let extent = x.shape[axis]
    if let known = indices.constant?.integers(),
      let wrong = known.first(where: { $0 < -extent || $0 >= extent })
    {
      throw GraphError("index \(wrong) is outside axis \(axis), which has \(extent) positions")
    }
    var dimensions = x.shape.dimensions
    dimensions.replaceSubrange(axis...axis, with: indices.shape.dimensions)
    return [ValueInfo(type: x.type, shape: try Shape(checking: dimensions))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.required(0)
    let indices = try lowering.required(1)
    let rank = x.shape.rank
    let axis = try normalized(axis: axis, rank: rank)
    // With one index list the axes stay what they are, so that the layout can stay.
    let layout = indices.shape.rank == 1 ? lowering.keptLayout(rank: rank) : .declared
    let position = layout.position(ofAxis: axis, rank: rank)
    let source = try lowering.operand(0, layout)
    let y = try lowering.result(0, layout, type: lowering[source].type)
    if let known = indices.constant?.integers(), known.count == 1 {
      let start = known[0] < 0 ? known[0] + x.shape[axis] : known[0]
      let shape = lowering[source].shape
      let outer = shape.dimensions[..<position].reduce(1, *)
      let inner = shape.dimensions[(position + 1)...].reduce(1, *)
      lowering.emit(
        Copy(
          source, to: y, extents: [outer, inner], sourceStrides: [shape[position] * inner, 1],
          targetStrides: [inner, 1], sourceOffset: start * inner))
      return
    }
    let places = try lowering.operand(1)
    lowering.emit(GatherSlices(source, at: places, axis: position, to: y))
  }
}

extension [ValueInfo?] {
  /// What is known of an input that holds indices.
  func indices(_ index: Int, _ name: String = "indices") throws(GraphError) -> ValueInfo {
    let info = try required(index, name)
    guard info.type == .int32 || info.type == .int64 else {
      throw GraphError("input \(index) (\(name)) is \(info.type), but must be int32 or int64")
    }
    return info
  }
}
