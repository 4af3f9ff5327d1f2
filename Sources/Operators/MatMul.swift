import Graphs
import Instructions
import Tensors

/// Multiplies matrices: y[…, i, j] = Σ a[…, i, k] · b[…, k, j], leading axes broadcast as numpy's.
///
/// a: […, M, K], b: […, K, N]; a vector operand is a matrix of one row (a) or column (b) whose axis
/// is dropped from y; float or integer. ONNX versions 1 to 13.
///
/// The compiler's passes fold into it: a factor, a bias of N elements (input 2), a residual of y's
/// shape (input 3) and an activation.
package struct MatMul: LoweredOperator {
  package static let name = "MatMul"

  /// y = activation(scale · a·b + bias + residual)
  package var scale: Float = 1
  package var transposesA = false
  package var transposesB = false
  package var activation = Activation.none

  package init() {}
  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    guard inputs.count >= 2, let a = inputs[0], let b = inputs[1] else {
      throw GraphError("inputs a and b are required")
    }
    guard a.type == b.type else { throw GraphError("a is \(a.type), but b is \(b.type)") }
    guard a.type.isFloat || a.type.isInteger else {
      throw GraphError("\(a.type) is not supported; only floats and integers are")
    }
    let problem = try MatrixProblem(a.shape, b.shape, transposesA, transposesB)
    return [ValueInfo(type: a.type, shape: problem.output)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let product = MatrixProduct(
      scale: scale, transposesA: transposesA, transposesB: transposesB, activation: activation)
    try product.lower(
      into: lowering, bias: try lowering.biasOperand(2),
      residual: lowering.info(3) == nil ? nil : 3)
  }
}
