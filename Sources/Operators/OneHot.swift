import Graphs
import Instructions
import Tensors

/// Marks positions: y[…, k, …] = k == indices[…] ? values[1] : values[0], k running over a new
/// axis.
///
/// indices: int32, int64 or float32; depth: one constant integer; values: two elements. `axis`:
/// where the new axis stands (default -1: last). ONNX versions 9 to 11.
package struct OneHot: LoweredOperator {
  package static let name = "OneHot"
  package static let sinceVersion = 9
  package var axis: Int

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: -1)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let indices = try inputs.required(0, "indices")
    guard [.int32, .int64, .float32].contains(indices.type) else {
      throw GraphError("indices are \(indices.type), but must be int32, int64 or float32")
    }
    let values = try inputs.movable(2, "values")
    guard values.shape.elementCount == 2 else {
      throw GraphError("values has shape \(values.shape), but must have two elements")
    }
    guard let depth = try inputs.constantFloats(1, "depth")?.first, depth >= 0, depth < 0x1p31
    else { throw GraphError("depth is impossible or missing") }
    var dimensions = indices.shape.dimensions
    dimensions.insert(Int(depth), at: try normalized(axis: axis, rank: dimensions.count + 1))
    return [ValueInfo(type: values.type, shape: try Shape(checking: dimensions))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let rank = try lowering.outputInfo(0).shape.rank
    let indices = try lowering.operand(0, type: try lowering.required(0).type)
    let values = try lowering.operand(2)
    let y = try lowering.result(0, type: lowering[values].type)
    lowering.emit(
      OneHotEncode(indices, values: values, axis: try normalized(axis: axis, rank: rank), to: y))
  }
}
