import Graphs
import Instructions
import Tensors

/// Gives the extents of its input: y = shape(x)[start:end].
///
/// data: any; shape: 1-D int64. `start` and `end` (from version 15) are clamped; negative ones
/// count from the end. ONNX versions 1 to 25.
package struct ShapeOperator: LoweredOperator {
  package static let name = "Shape"
  package var start: Int
  package var end: Int

  package init(importing node: NodeReader) throws(ImportError) {
    start = try node.int("start", default: 0)
    end = try node.int("end", default: .max)
  }

  package var dependsOnShapesOnly: Bool { true }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let extents = taken(of: try inputs.required(0, "data").shape)
    return [
      ValueInfo(type: .int64, shape: [extents.count], constant: TensorBuffer(extents))
    ]
  }

  private func taken(of shape: Shape) -> [Int] {
    let rank = shape.rank
    let place = { (value: Int) in
      min(max(value < 0 ? max(value, -rank) + rank : value, 0), rank)
    }
    let low = place(start)
    return Array(shape.dimensions[low..<max(low, place(end))])
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let extents = taken(of: try lowering.required(0).shape)
    try lowering.alias(0, to: lowering.constant(TensorBuffer(extents)))
  }
}
