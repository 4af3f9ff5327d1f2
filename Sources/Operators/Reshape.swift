import Graphs
import Instructions
import Tensors

/// Gives a tensor another shape with as many elements in the same order.
///
/// data: any; shape: 1-D int64, constant. In `shape`, 0 keeps the extent of the same axis (unless
/// `allowzero` is 1), and one -1 takes what is left. ONNX versions 1 (shape as attribute) to 25.
/// No memory is touched while the layout allows it.
package struct Reshape: MovesElements {
  package static let name = "Reshape"
  package var shape: [Int]?
  package var allowZero = false

  package init(importing node: NodeReader) throws(ImportError) {
    shape = try node.ints("shape")
    allowZero = try node.bool("allowzero", default: false)
    node.ignore("consumed_inputs")
  }

  package init(shape: Shape) { self.shape = shape.dimensions }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "data")
    guard let wanted = try inputs.integers(shape, or: 1, "shape") else {
      throw GraphError("input 1 (shape) is missing")
    }
    return [ValueInfo(type: x.type, shape: try resolve(wanted, x.shape))]
  }

  private func resolve(_ wanted: [Int], _ source: Shape) throws(GraphError) -> Shape {
    var result = wanted
    var open: Int?
    for (axis, extent) in wanted.enumerated() {
      if extent == 0 && !allowZero {
        guard axis < source.rank else {
          throw GraphError("the shape keeps axis \(axis) of an input of shape \(source)")
        }
        result[axis] = source[axis]
      } else if extent == -1 {
        guard open == nil else { throw GraphError("the shape \(wanted) leaves two extents open") }
        open = axis
        result[axis] = 1
      }
    }
    let known = try Shape(checking: result)
    if let open {
      let rest = known.elementCount
      if rest == 0 {
        guard source.elementCount == 0 else {
          throw GraphError("\(source) cannot become \(wanted)")
        }
        result[open] = 0
      } else {
        guard source.elementCount % rest == 0 else {
          throw GraphError("\(source) cannot become \(wanted)")
        }
        result[open] = source.elementCount / rest
      }
    }
    let shape = try Shape(checking: result)
    guard shape.elementCount == source.elementCount else {
      throw GraphError("\(source) cannot become \(wanted)")
    }
    return shape
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.aliasReshaped()
  }
}
