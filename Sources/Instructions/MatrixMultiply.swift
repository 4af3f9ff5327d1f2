import Kernels
import Tensors

/// A matrix product, possibly batched.
///
///     y[i] = activation(scale · A[i] × B[i] + bias + residual[i])
///
/// A: [..., M, K] (or [..., K, M] with `transposeA`), y: [..., M, N]; rows may be strided. The
/// leading axes of A and B broadcast to those of y.
///
/// B is a constant, packed by `WeightPacking.matrix` (`packedB`), one matrix or one per matrix of
/// y; or an activation [..., K, N] ([..., N, K] with `transposeB`), packed at run time.
///
/// Heads: with `headsA` = h > 1 the operand [..., T, h · d] is read as [..., h, T, d] (before a
/// transposition), and likewise B and y, so that attention needs no transposed copies.
///
/// bias: float32 [N], or absent. residual: as y, or absent. The product is made in bfloat16
/// (float32 sums) if A or B is bfloat16, else in float32; y may be either.
///
/// Float contract: the ISAs agree within 2 · K · 2⁻²⁴ · |scale| · Σ|a||b|.
public struct MatrixMultiply: Instruction {
  public static let opcode = "matrix_multiply"

  package var a = Operand.none
  package var b = Operand.none
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

  private var plan: MatrixPlan?

  public init() {}

  public mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("a", &a, strided: true)
    visitor.input("b", &b, strided: true)
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
  }

  public var operationCount: Int { plan?.operationCount ?? 0 }
  public var method: String { plan?.method ?? "" }

  public mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let left = try MatrixOperand(self, preparation[a], heads: headsA, transposed: transposeA)
    let result = try MatrixOperand(self, preparation[y], heads: headsY, transposed: false)
    try preparation.checkStore(
      self, bias: bias, residual: residual, y: y, columns: result.columns, activation: activation)
    try preparation.require(
      left.rows == result.rows, self, "A has \(left.rows) rows, y has \(result.rows)")
    let type = try productType(preparation)
    let store = GemmStore(
      bias: bias, residual: residual, y: y, activation: activation,
      residualLast: residualAfterActivation, preparation)
    var right: MatrixOperand?
    let matrices: Int
    if packedB {
      matrices = try packedMatrixCount(preparation, depth: left.columns, result, type: type)
    } else {
      let factor = try unpackedFactor(preparation, depth: left.columns, result)
      matrices = factor.batchCount
      right = factor
    }
    let plan = MatrixPlan(
      left: left, right: right, matrices: matrices, result: result, scale: scale, type: type,
      store: store, preparation: preparation)
    guard let plan else {
      throw InstructionError(
        MatrixMultiply.opcode,
        "A \(preparation[a].shape) and B \(preparation[b].shape) do not broadcast to y "
          + "\(preparation[y].shape)")
    }
    preparation.requestScratch(plan.scratchByteCount)
    self.plan = plan
  }

  private func productType(
    _ preparation: borrowing Preparation
  ) throws(InstructionError) -> ElementType {
    let types = [preparation[a].type, preparation[b].type]
    try preparation.require(
      types.allSatisfy { $0 == .float32 || $0 == .bfloat16 }, self,
      "cannot multiply \(types[0]) by \(types[1])")
    if packedB {
      try preparation.checkFactors(self, x: a, weights: b)
      return types[1]
    }
    return types.contains(.bfloat16) ? .bfloat16 : .float32
  }

  private func unpackedFactor(
    _ preparation: borrowing Preparation, depth: Int, _ result: MatrixOperand
  ) throws(InstructionError) -> MatrixOperand {
    let right = try MatrixOperand(self, preparation[b], heads: headsB, transposed: transposeB)
    try preparation.require(
      right.rows == depth && right.columns == result.columns, self,
      "B is \(right.rows)x\(right.columns), expected \(depth)x\(result.columns)")
    return right
  }

  /// Checks the packed B and returns how many matrices it holds.
  private func packedMatrixCount(
    _ preparation: borrowing Preparation, depth: Int, _ result: MatrixOperand, type: ElementType
  ) throws(InstructionError) -> Int {
    let panels = WeightPacking.panelCount(columns: result.columns)
    let count = panels > 0 ? (preparation[b].shape.dimensions.first ?? 0) / panels : 1
    try preparation.require(
      count == 1 || count == result.batchCount, self,
      "B holds \(count) matrices for the \(result.batchCount) of y")
    try preparation.checkPacked(
      self, weights: b, groups: count, columns: result.columns,
      runs: WeightPacking.Runs(count: 1, length: depth, type: type))
    return count
  }

  public func execute(_ context: borrowing ExecutionContext) {
    plan?.execute(context, a: a, b: b)
  }
}
