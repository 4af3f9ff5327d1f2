import Graphs
import Instructions
import Tensors

/// Copies data and writes slices into it by tuples of indices.
///
/// data: any numeric type or bool; indices: int64 (or int32) [k…, n]; updates: [k…, slice…];
/// `reduction`: none, add, mul (from version 16), max, min (18). ONNX versions 11 to 18. An index
/// out of range is an error at run time.
package struct ScatterND: LoweredOperator {
  package static let name = "ScatterND"
  package static let sinceVersion = 11
  package var reduction: ScatterReduction

  package init(importing node: NodeReader) throws(ImportError) {
    reduction = try node.scatterReduction()
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "data")
    let indices = try inputs.indices(1).shape
    let updates = try inputs.required(2, "updates")
    guard let length = indices.dimensions.last, length <= x.shape.rank else {
      throw GraphError("indices of shape \(indices) do not fit to \(x.shape)")
    }
    let expected = indices.dimensions.dropLast() + x.shape.dimensions[length...]
    guard updates.type == x.type, updates.shape.dimensions == Array(expected) else {
      throw GraphError(
        "updates are \(updates.type) \(updates.shape), "
          + "but must be \(x.type) \(Shape(Array(expected)))"
      )
    }
    guard updates.shape.elementCount == 0 || x.shape.elementCount > 0 else {
      throw GraphError("there is nothing in \(x.shape) to write to")
    }
    try reduction.check(x.type)
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let (updates, indices, y) = try lowering.scatterOperands()
    guard lowering[updates].shape.elementCount > 0 else { return }
    lowering.emit(ScatterTuples(updates, at: indices, reduction, into: y))
  }
}
