internal import CKernels
import Kernels
import Tensors

/// An 8-bit two-dimensional convolution in which every channel has its own window.
///
///     s[oy, ox, c] = offsets[c] + Σ x[.., .., c] · weights[ky, kx, c]
///     y[oy, ox, c] = activation(s · scale(x)[c] · scale(weights)[c] + residual[oy, ox, c])
///
/// x: uint8 [N, H, W, C], per tensor or per channel; outside the image it counts as its zero point.
/// weights: int8 from `WeightPacking.depthwise(quantized:)`, with one scale or one per channel.
/// offsets: int32 [C], bias / (scale(x) · scale(weights)) − zero(x) · Σ weights. residual and y:
/// [N, Ho, Wo, C], uint8 (per tensor or per channel) or float32. Rows may be strided.
///
/// All ISAs give the same bits: `quantized.h` states the arithmetic.
public struct QuantizedDepthwiseConvolution: QuantizedProduct {
  public static let opcode = "depthwise_convolution_int8"

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
  package var activation = Activation.none
  /// y = activation(x ∗ weights) + residual instead.
  package var residualAfterActivation = false
  package var curve = Operand.none

  private var plan: Plan?

  /// What `prepare` found out.
  private struct Plan: Sendable {
    var window: ConvolutionWindow
    var kernel: Depthwise8Kernel
    var split: GridSplit
    var xRowStride: Int
    var padding: PaddingPixel
    var store: QuantizedStore

    /// Channels are shared out in multiples of this: a block of packed weights.
    static let channelGrain = WeightPacking.depthwiseBlock
  }

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
    visitor.field("activation", &activation)
    visitor.field("residual_after_activation", &residualAfterActivation)
    visitor.input("curve", &curve)
  }

  var store: QuantizedStore? { plan?.store }
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
    try preparation.checkQuantizedStore(
      self, offsets: offsets, offsetCount: window.channels, residual: residual, y: y,
      columns: window.channels, activation: activation)
    let source = try preparation.quantization(self, "x", x, perChannel: true)
    let scales = try preparation.weightScales(self, weights, columns: window.channels)
    try preparation.require(
      input.rowStride >= input.rowLength && preparation[y].rowLength == window.channels, self,
      "x is \(input.shape) with rows \(input.rowStride) apart, y is \(preparation[y].shape)")
    let expected = WeightPacking.depthwiseShape(kernel: kernel, channels: window.channels)
    try preparation.require(
      filter.shape == expected && filter.isDense, self,
      "packed weights are \(filter.shape), expected \(expected)")
    plan = Plan(
      window: window, kernel: Depthwise8Kernel.best(isas: preparation.isas),
      split: GridSplit(
        rows: window.batch * window.outputHeight,
        columns: (window.channels + Plan.channelGrain - 1) / Plan.channelGrain,
        parts: preparation.parts),
      xRowStride: input.rowStride,
      padding: PaddingPixel(source, channels: window.channels),
      store: try makeStore(
        .init(x: source, weights: scales), columns: window.channels, preparation))
  }

  public func execute(_ context: borrowing ExecutionContext) {
    guard let plan else { return }
    let window = plan.window
    let share = plan.split.share(of: context.part)
    let first = share.columns.lowerBound * Plan.channelGrain
    let channels = min(window.channels, share.columns.upperBound * Plan.channelGrain) - first
    guard !share.rows.isEmpty, channels > 0, window.outputWidth > 0 else { return }
    var call = apus_depthwise8(window, plan.xRowStride, plan.store)
    let block = WeightPacking.depthwiseShape(kernel: kernel, channels: 1).elementCount
    call.weights = UnsafePointer(
      context.pointer(weights, as: Int8.self) + share.columns.lowerBound * block)
    call.padding = UnsafePointer(plan.padding.bytes + first)
    call.channels = channels
    var line = share.rows.lowerBound
    while line < share.rows.upperBound {
      let (image, start) = line.quotientAndRemainder(dividingBy: window.outputHeight)
      let count = min(share.rows.upperBound - line, window.outputHeight - start)
      let pixels = image * window.height * window.width
      call.x = UnsafePointer(
        context.pointer(x, as: UInt8.self) + pixels * plan.xRowStride + first)
      plan.store.place(
        &call.store, row: image * window.outputHeight * window.outputWidth, column: first, context)
      call.first_line = start
      call.line_count = count
      plan.kernel.run(&call)
      line += count
    }
  }
}

extension apus_depthwise8 {
  /// A call that lacks its pointers, channels and lines.
  fileprivate init(_ window: ConvolutionWindow, _ xRowStride: Int, _ store: QuantizedStore) {
    self.init()
    x_pixel = xRowStride
    height = window.height
    width = window.width
    kernel_height = window.kernelHeight
    kernel_width = window.kernelWidth
    stride_y = window.strideY
    stride_x = window.strideX
    pad_top = window.padTop
    pad_left = window.padLeft
    dilation_y = window.dilationY
    dilation_x = window.dilationX
    self.store = store.makeStore()
    y_pixel = store.yRowStride
    y_width = window.outputWidth
    residual_pixel = store.residualRowStride
  }
}

/// What a pixel outside the image holds: the zero point of every channel, readable to 64 bytes
/// behind the last.
///
/// Sendable because the bytes are written only while it is made.
private final class PaddingPixel: @unchecked Sendable {
  let bytes: UnsafeMutablePointer<UInt8>

  init(_ quantization: Quantization, channels: Int) {
    bytes = UnsafeMutablePointer.allocate(capacity: channels + 64)
    bytes.initialize(repeating: 0, count: channels + 64)
    for channel in 0..<channels {
      bytes[channel] = UInt8(clamping: quantization.zeroPoint(channel))
    }
  }

  deinit { bytes.deallocate() }
}
