internal import CKernels
import Kernels
import Tensors

/// A two-dimensional transposed convolution (deconvolution) with bias, residual and activation.
///
///     y[oy, ox] = activation(Σ x[iy, ix] · w[ky, kx] + bias + residual),
///     oy = iy · strideY + ky · dilationY - top, and likewise ox
///
/// x: [N, H, W, Cin], y: [N, Ho, Wo, Cout], residual as y; rows may be strided. weights: packed by
/// `WeightPacking.transposedConvolution`. Types and bias as in `convolution`. The extents of y say
/// how much is cut or padded at the bottom and the right.
///
/// Float contract: the ISAs agree within 2 · K · 2⁻²⁴ · Σ|x||w|, K = kh · kw · Cin / groups.
public struct TransposedConvolution: Instruction {
  public static let opcode = "transposed_convolution"

  package var x = Operand.none
  package var weights = Operand.none
  package var bias = Operand.none
  package var residual = Operand.none
  package var y = Operand.none
  /// Height, width.
  package var kernel = [1, 1]
  package var strides = [1, 1]
  /// Cut from the full result: top, left.
  package var pads = [0, 0]
  package var dilations = [1, 1]
  package var groups = 1
  package var activation = Activation.none
  /// y = activation(x ∗ weights + bias) + residual instead.
  package var residualAfterActivation = false

  private var plan: TransposedPlan?

  public init() {}

  public mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &x, strided: true)
    visitor.input("weights", &weights)
    visitor.input("bias", &bias)
    visitor.input("residual", &residual, strided: true)
    visitor.output("y", &y, strided: true)
    visitor.field("kernel", &kernel)
    visitor.field("strides", &strides)
    visitor.field("pads", &pads)
    visitor.field("dilations", &dilations)
    visitor.field("groups", &groups)
    visitor.field("activation", &activation)
    visitor.field("residual_after_activation", &residualAfterActivation)
  }

  public var operationCount: Int { plan?.operationCount ?? 0 }

  public mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    try preparation.checkFields(
      self, kernel: kernel, strides: strides, pads: pads + [0, 0], dilations: dilations)
    let (input, output) = (preparation[x], preparation[y])
    try preparation.require(
      input.shape.rank == 4 && output.shape.rank == 4 && input.shape[0] == output.shape[0], self,
      "x is \(input.shape), y is \(output.shape)")
    let (channels, columns) = (input.rowLength, output.rowLength)
    try preparation.checkStore(
      self, bias: bias, residual: residual, y: y, columns: columns, activation: activation)
    try preparation.require(
      groups > 0 && channels % groups == 0 && columns % groups == 0, self,
      "\(groups) groups do not divide \(channels) and \(columns) channels")
    let type = preparation[weights].type
    try preparation.checkFactors(self, x: x, weights: weights)
    try preparation.checkSize(self, kernel + [channels])
    let runs = WeightPacking.Runs(
      count: kernel[0] * kernel[1], length: channels / groups, type: type)
    try preparation.checkPacked(
      self, weights: weights, groups: groups, columns: columns / groups, runs: runs)
    let store = GemmStore(
      bias: bias, residual: residual, y: y, activation: activation,
      residualLast: residualAfterActivation, preparation)
    let plan = TransposedPlan(
      input: input, output: output, weightType: type, groups: groups, runs: runs,
      phases: TransposedPhase.all(kernel: kernel, strides: strides, dilations: dilations),
      strides: strides, pads: pads, dilations: dilations, store: store, preparation: preparation)
    try preparation.checkSize(self, plan.stagedExtents)
    preparation.requestScratch(plan.scratchByteCount)
    self.plan = plan
  }

  public func execute(_ context: borrowing ExecutionContext) {
    plan?.execute(context, x: x, weights: weights)
  }
}

/// The output pixels whose coordinates leave certain remainders by the strides: they see the same
/// taps, and together they are a convolution with stride 1.
package struct TransposedPhase: Sendable {
  /// (oy + top) mod strideY, (ox + left) mod strideX.
  package var remainderY: Int
  package var remainderX: Int
  package var taps: [(ky: Int, kx: Int)]

  /// All phases, each tap in exactly one of them.
  package static func all(kernel: [Int], strides: [Int], dilations: [Int]) -> [TransposedPhase] {
    func taps(_ axis: Int, _ remainder: Int) -> [Int] {
      (0..<kernel[axis]).filter { $0 * dilations[axis] % strides[axis] == remainder }
    }
    let columns = (0..<strides[1]).map { taps(1, $0) }
    var phases: [TransposedPhase] = []
    for remainderY in 0..<strides[0] {
      let rows = taps(0, remainderY)
      for remainderX in 0..<strides[1] {
        phases.append(
          TransposedPhase(
            remainderY: remainderY, remainderX: remainderX,
            taps: rows.flatMap { ky in columns[remainderX].map { (ky: ky, kx: $0) } }))
      }
    }
    return phases
  }
}
