internal import CKernels
import Kernels
import Tensors

/// A two-dimensional convolution in which every channel has its own window (multiplier 1).
///
///     y[oy, ox, c] = activation(Σ x[.., .., c] · weights[ky, kx, c] + bias[c] + residual)
///
/// x: [N, H, W, C], y: [N, Ho, Wo, C], residual as y; rows may be strided; each float32 or
/// bfloat16. weights: float32 [kh · kw, C], from `WeightPacking.depthwise`. bias: float32 [C], or
/// absent. Other multipliers are grouped convolutions.
///
/// Float contract: the ISAs agree within 2 · kh · kw · 2⁻²⁴ · Σ|x||w|.
public struct DepthwiseConvolution: Instruction {
  public static let opcode = "depthwise_convolution"

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
  package var activation = Activation.none
  /// y = activation(x ∗ weights + bias) + residual instead.
  package var residualAfterActivation = false

  private var plan: Plan?

  /// What `prepare` found out.
  private struct Plan: Sendable {
    var window: ConvolutionWindow
    var kernel: DepthwiseKernel
    var split: GridSplit
    var input: GemmStore.Layout
    var store: GemmStore

    /// Channels are shared out in multiples of this: a cache line of float32.
    static let channelGrain = 16
  }

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
    visitor.field("activation", &activation)
    visitor.field("residual_after_activation", &residualAfterActivation)
  }

  public var operationCount: Int {
    guard let window = plan?.window else { return 0 }
    return 2 * window.batch * window.outputHeight * window.outputWidth * window.channels
      * window.kernelHeight * window.kernelWidth
  }

  public var method: String { plan.map { "\($0.kernel)" } ?? "" }

  public mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let window = try ConvolutionWindow(
      self, x: x, y: y, kernel: kernel, strides: strides, pads: pads, dilations: dilations,
      preparation)
    let (input, filter) = (preparation[x], preparation[weights])
    try preparation.checkStore(
      self, bias: bias, residual: residual, y: y, columns: window.channels,
      activation: activation)
    try preparation.require(
      input.type == .float32 || input.type == .bfloat16, self,
      "x is \(input.type), must be float32 or bfloat16")
    try preparation.require(
      input.rowStride >= input.rowLength && preparation[y].rowLength == window.channels, self,
      "x is \(input.shape) with rows \(input.rowStride) apart, y is \(preparation[y].shape)")
    let expected: Shape = [kernel[0] * kernel[1], window.channels]
    try preparation.require(
      filter.type == .float32 && filter.shape == expected && filter.isDense, self,
      "weights are \(filter.type) \(filter.shape), expected float32 \(expected)")
    plan = Plan(
      window: window,
      kernel: DepthwiseKernel.best(exact: preparation.isExact, isas: preparation.isas),
      split: GridSplit(
        rows: window.batch * window.outputHeight,
        columns: (window.channels + Plan.channelGrain - 1) / Plan.channelGrain,
        parts: preparation.parts),
      input: GemmStore.Layout(input),
      store: GemmStore(
        bias: bias, residual: residual, y: y, activation: activation,
        residualLast: residualAfterActivation, preparation))
  }

  public func execute(_ context: borrowing ExecutionContext) {
    guard let plan else { return }
    let window = plan.window
    let share = plan.split.share(of: context.part)
    let first = share.columns.lowerBound * Plan.channelGrain
    let channels = min(window.channels, share.columns.upperBound * Plan.channelGrain) - first
    guard !share.rows.isEmpty, channels > 0 else { return }
    var call = plan.store.makeDepthwiseCall(window: window, input: plan.input)
    call.weights = UnsafePointer(context.pointer(weights, as: Float.self) + first)
    call.channels = channels
    var line = share.rows.lowerBound
    while line < share.rows.upperBound {
      let (image, start) = line.quotientAndRemainder(dividingBy: window.outputHeight)
      let count = min(share.rows.upperBound - line, window.outputHeight - start)
      let pixels = image * window.height * window.width
      call.x = UnsafeRawPointer(
        context.pointer(x) + plan.input.byteOffset(row: pixels, column: first))
      plan.store.place(
        &call, row: image * window.outputHeight * window.outputWidth, column: first, context)
      call.first_line = start
      call.line_count = count
      plan.kernel.run(&call)
      line += count
    }
  }
}
