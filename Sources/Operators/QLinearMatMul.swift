import Graphs
import Instructions
import Tensors

/// Multiplies quantised matrices: y = saturate(round((a − a_zero) · (b − b_zero) · (a_scale ·
/// b_scale / y_scale)) + y_zero), with exact integer sums.
///
/// a: […, M, K], b: […, K, N], int8 or uint8 each; a_scale, a_zero: one element or one per row;
/// b_scale, b_zero: one element or one per column; y_scale, y_zero: one element; scales float32,
/// float16 or bfloat16; y: of y_zero's type. 8-bit floats are refused. ONNX versions 10 and 21.
package struct QLinearMatMul: LoweredOperator {
  package static let name = "QLinearMatMul"
  package static let sinceVersion = 10
  private let product = IntegerMatrixProduct(a: 0, aZero: 2, b: 3, bZero: 5)
  private let requantization = Requantization(xScale: 1, wScale: 4, yScale: 6, yZero: 7)

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let type = try requantization.type(inputs)
    let (a, b) = (try inputs.required(0, "a").shape, try inputs.required(3, "b").shape)
    _ = try product.parameterShape(inputs.optional(1)?.shape, of: a, isRow: true)
    _ = try product.parameterShape(inputs.optional(4)?.shape, of: b, isRow: false)
    return [ValueInfo(type: type, shape: try product.output(inputs))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let (a, b) = (try lowering.required(0).shape, try lowering.required(3).shape)
    let y = try lowering.result(0)
    let sum = lowering.temporary(.int32, lowering[y].shape)
    try product.lower(into: lowering, y: sum)
    try requantization.lower(
      into: lowering, sum,
      xShape: product.parameterShape(lowering.info(1)?.shape, of: a, isRow: true),
      wShape: product.parameterShape(lowering.info(4)?.shape, of: b, isRow: false), y: y)
  }
}
