import Graphs
import Instructions
import Tensors

/// Gives the number of elements of its input.
///
/// data: any; size: int64 scalar. ONNX versions 1 to 25.
package struct Size: LoweredOperator {
  package static let name = "Size"

  package init(importing node: NodeReader) throws(ImportError) {}

  package var dependsOnShapesOnly: Bool { true }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let count = try inputs.required(0, "data").shape.elementCount
    return [
      ValueInfo(type: .int64, shape: [], constant: TensorBuffer([count]).reshaped([]))
    ]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let count = try lowering.required(0).shape.elementCount
    try lowering.alias(0, to: lowering.constant(TensorBuffer([count]).reshaped([])))
  }
}
