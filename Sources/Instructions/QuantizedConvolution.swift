import Kernels
import Tensors

/// A two-dimensional convolution of 8-bit tensors with residual and activation.
///
///     y = activation(x ∗ weights + bias + residual)      on real numbers, as quantized.h rounds
///
/// x: uint8 [N, H, W, Cin] with one scale, padded with its zero point. weights: int8, packed by
/// `WeightPacking.convolution(quantized:)`, one scale or one per output channel, zero point 0.
/// offsets: int32 [Cout], bias / (scale(x) · scale(w)) − zero(x) · Σ w. y: [N, Ho, Wo, Cout] uint8
/// (per tensor or per channel) or float32; residual as y, of either type. Rows of x, y and residual
/// may be strided.
///
/// The bits of y are the same on every ISA.
public struct QuantizedConvolution: QuantizedProduct {
  public static let opcode = "convolution_int8"

  package var x = Operand.none
  package var weights = Operand.none
  package var offsets = Operand.none
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
  package var curve = Operand.none

  private var plan: QuantizedConvolutionPlan?

  public init() {}

  public mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &x, strided: true)
    visitor.input("weights", &weights)
    visitor.input("offsets", &offsets)
    visitor.input("residual", &residual, strided: true)
    visitor.output("y", &y, strided: true)
    visitor.field("kernel", &kernel)
    visitor.field("strides", &strides)
    visitor.field("pads", &pads)
    visitor.field("dilations", &dilations)
    visitor.field("groups", &groups)
    visitor.field("activation", &activation)
    visitor.field("residual_after_activation", &residualAfterActivation)
    visitor.input("curve", &curve)
  }

  var store: QuantizedStore? { plan?.store }
  public var operationCount: Int { plan?.operationCount ?? 0 }
  public var method: String { plan?.method ?? "" }

  public mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let window = try ConvolutionWindow(
      self, x: x, y: y, kernel: kernel, strides: strides, pads: pads, dilations: dilations,
      preparation)
    let (input, output) = (preparation[x], preparation[y])
    let (channels, columns) = (input.rowLength, output.rowLength)
    let source = try preparation.quantization(self, "x", x, perChannel: false)
    try preparation.require(
      input.rowStride >= channels, self,
      "rows of x overlap: stride \(input.rowStride) for \(channels) elements")
    try preparation.checkQuantizedStore(
      self, offsets: offsets, offsetCount: columns, residual: residual, y: y, columns: columns,
      activation: activation)
    try preparation.require(
      groups > 0 && channels % groups == 0 && columns % groups == 0, self,
      "\(groups) groups do not divide \(channels) and \(columns) channels")
    let scales = try preparation.weightScales(self, weights, columns: columns)
    let runs = WeightPacking.convolutionRuns(
      channelsPerGroup: channels / groups, kernel: kernel, groups: groups, dilations: dilations,
      type: .int8)
    try preparation.checkPacked(
      self, weights: weights, groups: groups, columns: columns / groups, runs: runs)
    let store = try makeStore(.init(x: source, weights: scales), columns: columns, preparation)
    let plan = QuantizedConvolutionPlan(
      window: window, groups: groups, runs: runs, input: input,
      fill: UInt8(clamping: source.zeroPoint(0)), columns: columns, store: store,
      preparation: preparation)
    preparation.requestScratch(plan.scratchByteCount)
    self.plan = plan
  }

  public func execute(_ context: borrowing ExecutionContext) {
    plan?.execute(context, x: x, weights: weights)
  }
}
