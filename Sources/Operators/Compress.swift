import Graphs
import Instructions
import Tensors

/// Takes the positions of an axis (or of the flattened input) where a condition holds.
///
/// input: any; condition: 1-D bool, constant, because it decides the shape; at most as long as the
/// axis. ONNX versions 9 to 11.
package struct Compress: LoweredOperator {
  package static let name = "Compress"
  package static let sinceVersion = 9
  package var axis: Int?

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "input")
    let axis = try resolvedAxis(x.shape)
    let extent = axis.map { x.shape[$0] } ?? x.shape.elementCount
    let places = try places(inputs, extent: extent)
    guard let axis else { return [ValueInfo(type: x.type, shape: [places.count])] }
    var shape = x.shape
    shape[axis] = places.count
    return [ValueInfo(type: x.type, shape: shape)]
  }

  private func resolvedAxis(_ shape: Shape) throws(GraphError) -> Int? {
    guard let axis else { return nil }
    return try normalized(axis: axis, rank: shape.rank)
  }

  private func places(_ inputs: [ValueInfo?], extent: Int) throws(GraphError) -> [Int] {
    guard let condition = try inputs.constantIntegers(1, "condition") else {
      throw GraphError("input 1 (condition) is missing")
    }
    let places = condition.indices.filter { condition[$0] != 0 }
    guard condition.count <= extent else {
      throw GraphError("the condition has \(condition.count) elements for an extent of \(extent)")
    }
    return places
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let axis = try resolvedAxis(shape)
    var x = try lowering.operand(0)
    if axis == nil { x = lowering.reshaped(x, [shape.elementCount]) }
    let places = try places(
      lowering.inputInfos, extent: axis.map { shape[$0] } ?? shape.elementCount)
    let y = try lowering.result(0, type: lowering[x].type)
    lowering.emit(
      GatherSlices(x, at: lowering.constant(TensorBuffer(places)), axis: axis ?? 0, to: y))
  }
}
