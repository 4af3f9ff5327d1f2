import Graphs
import Instructions
import Tensors

/// Cuts or pads axes with zeros about their centre to given extents.
///
/// input_data: any; shape: 1-D int64, constant, one extent per axis of `axes` (default: all). ONNX
/// version 18. Odd differences: one position less in front.
package struct CenterCropPad: LoweredOperator {
  package static let name = "CenterCropPad"
  package static let sinceVersion = 18
  package var axes: [Int]?

  package init(importing node: NodeReader) throws(ImportError) {
    axes = try node.ints("axes")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "input_data")
    let axes = try normalized(axes: axes ?? Array(0..<x.shape.rank), rank: x.shape.rank)
    guard let extents = try inputs.constantIntegers(1, "shape"), extents.count == axes.count else {
      throw GraphError("input 1 (shape) must hold one extent for each of the axes \(axes)")
    }
    var dimensions = x.shape.dimensions
    for (axis, extent) in zip(axes, extents) { dimensions[axis] = extent }
    return [ValueInfo(type: x.type, shape: try Shape(checking: dimensions))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let from = try lowering.required(0).shape
    let to = try lowering.outputInfo(0).shape
    let layout = lowering.keptLayout(rank: from.rank)
    let x = try lowering.operand(0, layout)
    let y = try lowering.result(0, layout, type: lowering[x].type)
    let before = layout.axes(rank: from.rank).map { axis in
      to[axis] >= from[axis] ? (to[axis] - from[axis]) / 2 : -((from[axis] - to[axis]) / 2)
    }
    lowering.emit(PadAxes(x, value: .none, to: y, before: before, mode: .constant))
  }
}
