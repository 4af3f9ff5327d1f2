import Graphs
import Instructions
import Tensors

/// Multiplies matrices: y[…, i, j] = Σ a[…, i, k] · b[…, k, j], leading axes broadcast as numpy's.
///
/// a: […, M, K], b: […, K, N]; a vector operand is a matrix of one row (a) or column (b) whose axis
/// is dropped from y; float or integer. ONNX versions 1 to 13.
///
/// The compiler's passes fold into it: a factor, a bias of N elements (input 2), a residual of y's
/// shape (input 3) and an activation; and the transpositions around the heads of attention: an
/// operand [N, T, h · d] with `heads` h > 1 stands for [N, h, T, d].
package struct MatMul: LoweredOperator {
  package static let name = "MatMul"

  /// y = activation(scale · a·b + bias + residual)
  package var scale: Float = 1
  package var transposesA = false
  package var transposesB = false
  package var activation = Activation.none
  package var headsA = 1
  package var headsB = 1
  package var headsY = 1

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
    let problem = try MatrixProblem(
      a.shape.split(heads: headsA), b.shape.split(heads: headsB), transposesA, transposesB)
    return [ValueInfo(type: a.type, shape: try problem.output.joined(heads: headsY))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var product = MatrixProduct(
      scale: scale, transposesA: transposesA, transposesB: transposesB, activation: activation)
    (product.headsA, product.headsB, product.headsY) = (headsA, headsB, headsY)
    try product.lower(
      into: lowering, bias: try lowering.biasOperand(2),
      residual: lowering.info(3) == nil ? nil : 3)
  }
}

extension Shape {
  /// [N, h, T, d] of [N, T, h · d].
  fileprivate func split(heads: Int) throws(GraphError) -> Shape {
    guard heads != 1 else { return self }
    guard rank == 3, heads > 0, self[2] % heads == 0 else {
      throw GraphError("\(self) has no \(heads) heads")
    }
    return [self[0], heads, self[1], self[2] / heads]
  }

  /// [N, T, h · d] of [N, h, T, d].
  fileprivate func joined(heads: Int) throws(GraphError) -> Shape {
    guard heads != 1 else { return self }
    guard rank == 4, self[1] == heads else { throw GraphError("\(self) has no \(heads) heads") }
    return [self[0], self[2], heads * self[3]]
  }
}
