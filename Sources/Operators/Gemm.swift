import Graphs
import Instructions
import Tensors

/// Multiplies matrices and adds: y = alpha · op(a) · op(b) + beta · c.
///
/// a: [M, K] (or [K, M] with transA), b: [K, N] (or [N, K] with transB), c: optional, broadcast to
/// [M, N], y: [M, N], float or integer. ONNX versions 1 to 13.
package struct Gemm: LoweredOperator {
  package static let name = "Gemm"

  package var alpha: Float
  package var beta: Float
  package var transposesA: Bool
  package var transposesB: Bool
  package var activation = Activation.none

  package init(importing node: NodeReader) throws(ImportError) {
    alpha = try node.float("alpha", default: 1)
    beta = try node.float("beta", default: 1)
    transposesA = try node.bool("transA", default: false)
    transposesB = try node.bool("transB", default: false)
    node.ignore("broadcast")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    guard inputs.count >= 2, let a = inputs[0], let b = inputs[1] else {
      throw GraphError("inputs a and b are required")
    }
    guard a.shape.rank == 2, b.shape.rank == 2 else {
      throw GraphError("a is \(a.shape) and b is \(b.shape); both must be matrices")
    }
    guard a.type == b.type, a.type.isFloat || a.type.isInteger else {
      throw GraphError("a is \(a.type) and b is \(b.type); both must be the same numeric type")
    }
    let problem = try MatrixProblem(a.shape, b.shape, transposesA, transposesB)
    if inputs.count > 2, let c = inputs[2] {
      guard Shape.broadcast(c.shape, problem.output) == problem.output else {
        throw GraphError("c is \(c.shape) and cannot be broadcast to \(problem.output)")
      }
    }
    return [ValueInfo(type: a.type, shape: problem.output)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var product = MatrixProduct(
      scale: alpha, transposesA: transposesA, transposesB: transposesB, activation: activation)
    let type = try lowering.required(0).type
    if type == .float64 || type.isInteger { return try lowerPortable(into: lowering, type) }
    guard let c = lowering.info(2), beta != 0 else {
      return try product.lower(
        into: lowering, bias: .none, residual: nil)
    }
    let output = try lowering.outputInfo(0)
    let columns = output.shape[1]
    if let values = c.constant?.floats(), c.shape.dimensions.last ?? 1 == values.count {
      let bias = (0..<columns).map { beta * values[values.count == 1 ? 0 : $0] }
      return try product.lower(
        into: lowering, bias: lowering.constant(TensorBuffer([columns], bias)), residual: nil)
    }
    if c.shape == output.shape && beta == 1 {
      return try product.lower(
        into: lowering, bias: .none, residual: 2)
    }
    // The general case: a product, then beta · c broadcast onto it.
    product.activation = .none
    let y = try lowering.result(0)
    let sum = lowering.temporary(lowering[y].type, output.shape)
    try product.lower(into: lowering, bias: .none, residual: nil, y: sum)
    var addend = try lowering.operand(2)
    if beta != 1 {
      let scaled = lowering.temporary(lowering[addend].type, c.shape)
      lowering.emit(Unary(addend, to: scaled, Activation(.affine, alpha: beta)))
      addend = scaled
    }
    var binary = Binary(.add, sum, addend, to: y)
    binary.activation = activation
    lowering.emit(binary)
  }

  /// The product in a type without kernels, times alpha, plus beta · c.
  private func lowerPortable(
    into lowering: Lowering, _ type: ElementType
  ) throws(GraphError) {
    let y = try lowering.result(0)
    let c = beta == 0 ? nil : lowering.info(2)
    func scaled(_ value: Operand, by factor: Float, to target: Operand) throws(GraphError) {
      guard let constant = TensorBuffer([], [factor]).converted(to: type) else {
        throw GraphError("a factor of type \(type) is not supported")
      }
      lowering.emit(Binary(.multiply, value, lowering.constant(constant), to: target))
    }
    let shape = lowering[y].shape
    let product = alpha == 1 && c == nil ? y : lowering.temporary(type, shape)
    try MatrixProduct(transposesA: transposesA, transposesB: transposesB).lower(
      into: lowering, bias: .none, residual: nil, y: product)
    var sum = product
    if alpha != 1 {
      sum = c == nil ? y : lowering.temporary(type, shape)
      try scaled(product, by: alpha, to: sum)
    }
    guard let c else { return }
    var addend = try lowering.operand(2, type: type)
    if beta != 1 {
      let weighted = lowering.temporary(type, c.shape)
      try scaled(addend, by: beta, to: weighted)
      addend = weighted
    }
    lowering.emit(Binary(.add, sum, addend, to: y))
  }
}
