import Graphs
import Instructions
import Tensors

/// Drops axes of extent 1: those in `axes`, or all of them.
///
/// data: any; axes: attribute until version 12, then an optional constant input. ONNX versions 1
/// to 25. No memory is touched.
package struct Squeeze: MovesElements {
  package static let name = "Squeeze"
  package var axes: [Int]?

  package init(importing node: NodeReader) throws(ImportError) {
    axes = try node.ints("axes")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "data")
    let wanted = try inputs.integers(axes, or: 1, "axes")
    var dropped = Set(x.shape.dimensions.indices.filter { x.shape[$0] == 1 })
    if let wanted {
      let named = try normalized(axes: wanted, rank: x.shape.rank)
      for axis in named where x.shape[axis] != 1 {
        throw GraphError("axis \(axis) of \(x.shape) is not 1 and cannot be dropped")
      }
      dropped = Set(named)
    }
    let kept = x.shape.dimensions.indices.filter { !dropped.contains($0) }
    return [ValueInfo(type: x.type, shape: Shape(kept.map { x.shape[$0] }))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.aliasReshaped()
  }
}
