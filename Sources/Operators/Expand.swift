import Graphs
import Instructions
import Tensors

/// Repeats axes of extent 1 so that the tensor gets the broadcast of its shape and `shape`.
///
/// input: any; shape: 1-D int64, constant. ONNX versions 8 to 13.
package struct Expand: MovesElements {
  package static let name = "Expand"
  package static let sinceVersion = 8

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "input")
    guard let wanted = try inputs.constantIntegers(1, "shape") else {
      throw GraphError("input 1 (shape) is missing")
    }
    guard let shape = Shape.broadcast(x.shape, try Shape(checking: wanted)) else {
      throw GraphError("\(x.shape) cannot be expanded to \(wanted)")
    }
    return [ValueInfo(type: x.type, shape: try Shape(checking: shape.dimensions))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.outputInfo(0).shape
    let layout = lowering.keptLayout(rank: shape.rank)
    let x = try lowering.operand(0, layout)
    let source = lowering[x].shape
    if source.elementCount == shape.elementCount {
      try lowering.alias(0, to: x, layout)
      return
    }
    let y = try lowering.result(0, layout, type: lowering[x].type)
    let target = lowering[y].shape
    let missing = target.rank - source.rank
    let strides = source.denseStrides
    let steps = (0..<target.rank).map { axis in
      axis < missing || source[axis - missing] == 1 ? 0 : strides[axis - missing]
    }
    lowering.emit(
      Copy(
        x, to: y, extents: target.dimensions, sourceStrides: steps,
        targetStrides: target.denseStrides))
  }
}
