import Kernels
import Tensors

/// A matrix product of 8-bit tensors, possibly batched.
///
///     y[i] = activation(scale · A[i] × B[i] + bias + residual[i])     on real numbers
///
/// A: uint8 [..., M, K] with one scale (or [..., K, M] with `transposeA`), y: [..., M, N] uint8 or
/// float32; residual as y, of either type, or absent. Leading axes and heads as in
/// `matrix_multiply`.
///
/// B is a constant (`packedB`): int8, packed by `WeightPacking.matrix(quantized:)`, one matrix or
/// one per matrix of y, with one scale or one per column and zero point 0. Then offsets: int32 [N],
/// or [count · N] for several matrices, hold bias / (scale(a) · scale(b) · scale) − zero(a) · Σ b,
/// and there is no other bias. Or B is an activation: uint8 with one scale, packed at run time;
/// then bias is float32 [N] or absent, and is rounded to a multiple of a sum's scale.
///
/// The bits of y are the same on every ISA.
public struct QuantizedMatrixMultiply: QuantizedProduct {
  public static let opcode = "matrix_multiply_int8"

  package var a = Operand.none
  package var b = Operand.none
  package var offsets = Operand.none
  package var bias = Operand.none
  package var residual = Operand.none
  package var y = Operand.none
  package var packedB = false
  package var transposeA = false
  package var transposeB = false
  package var headsA = 1
  package var headsB = 1
  package var headsY = 1
  package var scale: Float = 1
  package var activation = Activation.none
  /// y = activation(scale · A × B + bias) + residual instead.
  package var residualAfterActivation = false
  package var curve = Operand.none

  private var plan: QuantizedMatrixPlan?

  /// More matrices than any network has; each takes some memory.
  private static let matrixLimit = 1 << 20

  public init() {}

  public mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("a", &a, strided: true)
    visitor.input("b", &b, strided: true)
    visitor.input("offsets", &offsets)
    visitor.input("bias", &bias)
    visitor.input("residual", &residual, strided: true)
    visitor.output("y", &y, strided: true)
    visitor.field("packed_b", &packedB)
    visitor.field("transpose_a", &transposeA)
    visitor.field("transpose_b", &transposeB)
    visitor.field("heads_a", &headsA)
    visitor.field("heads_b", &headsB)
    visitor.field("heads_y", &headsY)
    visitor.field("scale", &scale)
    visitor.field("activation", &activation)
    visitor.field("residual_after_activation", &residualAfterActivation)
    visitor.input("curve", &curve)
  }

  var store: QuantizedStore? { plan?.store }
  public var operationCount: Int { plan?.operationCount ?? 0 }
  public var method: String { plan?.method ?? "" }

  public mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let left = try MatrixOperand(self, preparation[a], heads: headsA, transposed: transposeA)
    let result = try MatrixOperand(self, preparation[y], heads: headsY, transposed: false)
    for operand in [a, b, y] {
      let spec = preparation[operand]
      try preparation.checkSize(self, spec.shape.dimensions + [spec.rowStride])
    }
    try preparation.checkSize(self, [result.batchCount, result.rows, result.columns, left.columns])
    try preparation.require(
      result.batchCount <= QuantizedMatrixMultiply.matrixLimit, self,
      "y is \(preparation[y].shape), too many matrices")
    let source = try preparation.quantization(self, "A", a, perChannel: false)
    try preparation.require(
      left.rows == result.rows, self, "A has \(left.rows) rows, y has \(result.rows)")
    try preparation.require(
      scale > 0 && scale.isFinite, self, "scale is \(scale), must be positive")
    let factor: Quantization
    var right: MatrixOperand?
    let matrices: Int
    if packedB {
      factor = try preparation.weightScales(self, b, columns: result.columns)
      matrices = try packedMatrixCount(preparation, depth: left.columns, result)
      try preparation.require(
        !bias.isPresent, self, "a constant B has its bias in the offsets")
    } else {
      factor = try preparation.quantization(self, "B", b, perChannel: false)
      let operand = try unpackedFactor(preparation, depth: left.columns, result)
      matrices = operand.batchCount
      right = operand
    }
    try preparation.checkQuantizedStore(
      self, offsets: offsets, offsetCount: packedB ? matrices * result.columns : nil,
      residual: residual, y: y, columns: result.columns, activation: activation,
      perChannel: headsY == 1)
    let factors = QuantizedStore.Factors(x: source, weights: factor, scale: scale)
    let store = try makeStore(factors, columns: result.columns, preparation)
    let plan = QuantizedMatrixPlan(
      left: left, right: right, matrices: matrices, result: result,
      zeroA: source.zeroPoint(0), zeroB: factor.zeroPoint(0), unit: factors.scales(1)[0],
      store: store, preparation: preparation)
    guard let plan else {
      throw InstructionError(
        QuantizedMatrixMultiply.opcode,
        "A \(preparation[a].shape) and B \(preparation[b].shape) do not broadcast to y "
          + "\(preparation[y].shape)")
    }
    preparation.requestScratch(plan.scratchByteCount)
    self.plan = plan
  }

  private func unpackedFactor(
    _ preparation: borrowing Preparation, depth: Int, _ result: MatrixOperand
  ) throws(InstructionError) -> MatrixOperand {
    let right = try MatrixOperand(self, preparation[b], heads: headsB, transposed: transposeB)
    try preparation.require(
      right.rows == depth && right.columns == result.columns, self,
      "B is \(right.rows)x\(right.columns), expected \(depth)x\(result.columns)")
    if bias.isPresent {
      let spec = preparation[bias]
      try preparation.require(
        spec.type == .float32 && spec.isDense && spec.shape == [result.columns], self,
        "bias is \(spec.type) \(spec.shape), must be float32 \(result.columns)")
    }
    return right
  }

  /// Checks the packed B and returns how many matrices it holds.
  private func packedMatrixCount(
    _ preparation: borrowing Preparation, depth: Int, _ result: MatrixOperand
  ) throws(InstructionError) -> Int {
    let panels = WeightPacking.panelCount(columns: result.columns)
    let count = panels > 0 ? (preparation[b].shape.dimensions.first ?? 0) / panels : 1
    try preparation.require(
      count == 1 || count == result.batchCount, self,
      "B holds \(count) matrices for the \(result.batchCount) of y")
    try preparation.checkPacked(
      self, weights: b, groups: count, columns: result.columns,
      runs: WeightPacking.Runs(count: 1, length: depth, type: .int8))
    return count
  }

  public func execute(_ context: borrowing ExecutionContext) {
    plan?.execute(context, a: a, b: b, bias: bias)
  }
}
