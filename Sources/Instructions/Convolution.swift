import Kernels
import Tensors

/// A two-dimensional convolution with bias, residual and activation.
///
///     y = activation(x ∗ weights + bias + residual)
///
/// x: [N, H, W, Cin], y: [N, Ho, Wo, Cout], residual as y; rows may be strided. weights: packed by
/// `WeightPacking.convolution`, float32 or bfloat16. bias: float32 [Cout], or absent.
/// float32 weights need a float32 x; with bfloat16 weights x is float32 or bfloat16 and is rounded
/// to bfloat16. y and residual are float32 or bfloat16 either way.
///
/// Float contract: the ISAs agree within 2 · K · 2⁻²⁴ · Σ|x||w|, K = kh · kw · Cin / groups, unless
/// the machine makes another method faster (`WinogradPlan`): then within 2⁻¹⁶ of the largest
/// Σ|x||w|, and an infinity in x may become a NaN in the results around it.
public struct Convolution: Instruction {
  public static let opcode = "convolution"

  package var x = Operand.none
  package var weights = Operand.none
  package var bias = Operand.none
  package var residual = Operand.none
  package var y = Operand.none
  /// Height, width.
  package var kernel = [1, 1]
  package var strides = [1, 1]
  /// Top, left, bottom, right.
  package var pads = [0, 0, 0, 0]
  package var dilations = [1, 1]
  package var groups = 1
  package var activation = Activation.none
  /// y = activation(x ∗ weights + bias) + residual instead.
  package var residualAfterActivation = false

  private var plan: ConvolutionPlan?
  private var winograd: WinogradPlan?

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
  public var method: String { winograd?.method.description ?? plan?.method ?? "" }

  public mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let window = try ConvolutionWindow(
      self, x: x, y: y, kernel: kernel, strides: strides, pads: pads, dilations: dilations,
      preparation)
    let (input, output) = (preparation[x], preparation[y])
    let (channels, columns) = (input.rowLength, output.rowLength)
    try preparation.checkStore(
      self, bias: bias, residual: residual, y: y, columns: columns, activation: activation)
    try preparation.require(
      groups > 0 && channels % groups == 0 && columns % groups == 0, self,
      "\(groups) groups do not divide \(channels) and \(columns) channels")
    let type = preparation[weights].type
    try preparation.checkFactors(self, x: x, weights: weights)
    let runs = WeightPacking.convolutionRuns(
      channelsPerGroup: channels / groups, kernel: kernel, groups: groups, dilations: dilations,
      type: type)
    try preparation.checkPacked(
      self, weights: weights, groups: groups, columns: columns / groups, runs: runs)
    let store = GemmStore(
      bias: bias, residual: residual, y: y, activation: activation,
      residualLast: residualAfterActivation, preparation)
    let plan = ConvolutionPlan(
      window: window, groups: groups, runs: runs, input: input, weightType: type,
      columns: columns, store: store, preparation: preparation)
    self.plan = plan
    winograd = WinogradPlan(window: window, direct: plan, x: x, weights: weights, &preparation)
    preparation.requestScratch(winograd?.scratchByteCount ?? plan.scratchByteCount)
  }

  public func execute(_ context: borrowing ExecutionContext) {
    if let winograd {
      winograd.execute(context, x: x)
    } else {
      plan?.execute(context, x: x, weights: weights)
    }
  }
}
