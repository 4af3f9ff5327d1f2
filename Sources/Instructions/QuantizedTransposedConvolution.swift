import Kernels
import Tensors

/// A two-dimensional transposed convolution of 8-bit tensors with residual and activation, on real
/// numbers that of `transposed_convolution`.
///
/// x: uint8 [N, H, W, Cin] with one scale. weights: int8, packed by
/// `WeightPacking.transposedConvolution(quantized:)`, one scale or one per output channel, zero
/// point 0. offsets: int32 [strideY · strideX · Cout], Cout for every phase of the output as
/// `TransposedPhase.all` orders them: bias / (scale(x) · scale(w)) − zero(x) · Σ w, summed over the
/// taps of the phase (`WeightPacking.transposedSums`). y: [N, Ho, Wo, Cout] uint8 (per tensor or
/// per channel) or float32; residual as y, of either type. Rows may be strided.
///
/// The bits of y are the same on every ISA.
public struct QuantizedTransposedConvolution: QuantizedProduct {
  public static let opcode = "transposed_convolution_int8"

  package var x = Operand.none
  package var weights = Operand.none
  package var offsets = Operand.none
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
  package var curve = Operand.none

  private var plan: QuantizedTransposedPlan?

  /// More phases than any network has.
  private static let phaseLimit = 1 << 12

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

  public mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    try preparation.checkFields(
      self, kernel: kernel, strides: strides, pads: pads + [0, 0], dilations: dilations)
    let (input, output) = (preparation[x], preparation[y])
    try preparation.require(
      input.shape.rank == 4 && output.shape.rank == 4 && input.shape[0] == output.shape[0], self,
      "x is \(input.shape), y is \(output.shape)")
    for spec in [input, output] {
      try preparation.checkSize(self, spec.shape.dimensions + [spec.rowStride])
    }
    let (channels, columns) = (input.rowLength, output.rowLength)
    let source = try preparation.quantization(self, "x", x, perChannel: false)
    try preparation.require(
      input.rowStride >= channels, self,
      "rows of x overlap: stride \(input.rowStride) for \(channels) elements")
    try preparation.checkSize(self, kernel + [channels])
    try preparation.require(
      strides[0] * strides[1] <= QuantizedTransposedConvolution.phaseLimit, self,
      "strides \(strides) make too many phases")
    try preparation.checkQuantizedStore(
      self, offsets: offsets, offsetCount: strides[0] * strides[1] * columns, residual: residual,
      y: y, columns: columns, activation: activation)
    try preparation.require(
      groups > 0 && channels % groups == 0 && columns % groups == 0, self,
      "\(groups) groups do not divide \(channels) and \(columns) channels")
    let scales = try preparation.weightScales(self, weights, columns: columns)
    let runs = WeightPacking.Runs(
      count: kernel[0] * kernel[1], length: channels / groups, type: .int8)
    try preparation.checkPacked(
      self, weights: weights, groups: groups, columns: columns / groups, runs: runs)
    let store = try makeStore(.init(x: source, weights: scales), columns: columns, preparation)
    let plan = QuantizedTransposedPlan(
      input: input, output: output, groups: groups, runs: runs,
      geometry: TransposedGeometry(
        input: input, output: output,
        phases: TransposedPhase.all(kernel: kernel, strides: strides, dilations: dilations),
        strides: strides, pads: pads, dilations: dilations),
      strides: strides, fill: UInt8(clamping: source.zeroPoint(0)), store: store,
      preparation: preparation)
    try preparation.checkSize(self, plan.stagedExtents)
    preparation.requestScratch(plan.scratchByteCount)
    self.plan = plan
  }

  public func execute(_ context: borrowing ExecutionContext) {
    plan?.execute(context, x: x, weights: weights)
  }
}
