import Graphs
import Instructions
import Tensors

/// Multiplies 8-bit matrices exactly: y = (a − a_zero) · (b − b_zero).
///
/// a: […, M, K], b: […, K, N], int8 or uint8 each; a_zero: one element or one per row, b_zero: one
/// element or one per column, of a's and b's type, absent: 0; y: int32. ONNX version 10.
package struct MatMulInteger: LoweredOperator {
  package static let name = "MatMulInteger"
  package static let sinceVersion = 10
  private let product = IntegerMatrixProduct(a: 0, aZero: 2, b: 1, bZero: 3)

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    [ValueInfo(type: .int32, shape: try product.output(inputs))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try product.lower(into: lowering, y: lowering.result(0))
  }
}
