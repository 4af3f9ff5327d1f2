internal import CKernels
import Kernels
import Tensors

/// Averages the 8-bit elements under a window that slides over the spatial axes, channel by
/// channel.
///
///     y = Σ (x − zero(x)) · (scale(x) / scale(y)) / N
///
/// rounded half to even, plus y's zero point, saturated. x: uint8 [N, H, W, C] or [N, L, C], y like
/// it with other spatial extents, uint8 or float32 (then without scale(y)); each per tensor or per
/// channel, rows strided. Sums are exact; the multiplication and the division are one float32
/// operation each, so all ISAs give the same bits (`pool.h`). N and elements outside the input as
/// for `Pool`; an empty window gives 0. A window as large as the input is a mean over the spatial
/// axes. An image has at most 2²³ pixels.
package struct QuantizedAveragePool: Instruction {
  package static let opcode = "average_pool_int8"

  package var input = Operand.none
  package var output = Operand.none
  /// By spatial axis, outermost first.
  package var kernel: [Int] = []
  package var strides: [Int] = []
  package var dilations: [Int] = []
  package var padsBegin: [Int] = []
  package var padsEnd: [Int] = []
  package var countsPadding = false
  private var plan: Plan?

  /// What `prepare` found out.
  private struct Plan: Sendable {
    var kernel: PoolKernel
    var columns: PoolColumns
    var split: GridSplit
    var inputExtents: [Int]
    var outputExtents: [Int]
    var channels: Int
    var inputStride: Int
    var outputStride: Int
    var isReal: Bool

    /// Channels are shared out in multiples of this: what a kernel does at a time.
    static let channelGrain = 64
  }

  package init() {}

  package init(
    _ input: Operand, to output: Operand, kernel: [Int], strides: [Int], dilations: [Int],
    padsBegin: [Int], padsEnd: [Int], countsPadding: Bool = false
  ) {
    self.input = input
    self.output = output
    self.kernel = kernel
    self.strides = strides
    self.dilations = dilations
    self.padsBegin = padsBegin
    self.padsEnd = padsEnd
    self.countsPadding = countsPadding
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.output("y", &output, strided: true)
    visitor.field("kernel", &kernel)
    visitor.field("strides", &strides)
    visitor.field("dilations", &dilations)
    visitor.field("pads_begin", &padsBegin)
    visitor.field("pads_end", &padsEnd)
    visitor.field("counts_padding", &countsPadding)
  }

  package var operationCount: Int {
    guard let plan else { return 0 }
    return plan.split.rows * plan.channels * (plan.outputExtents.last ?? 0)
      * kernel.reduce(1, *)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    plan = nil
    let (x, y) = (preparation[input], preparation[output])
    let rank = x.shape.rank
    try preparation.require(
      (3...4).contains(rank) && y.shape.rank == rank && y.shape[0] == x.shape[0]
        && y.shape[rank - 1] == x.shape[rank - 1], self,
      "\(x.shape) cannot become \(y.shape)")
    try preparation.require(
      x.type == .uint8 && (y.type == .uint8 || y.type == .float32)
        && x.rowStride >= x.rowLength && y.rowStride >= y.rowLength, self,
      "an average from \(x.type) to \(y.type)")
    let channels = x.shape[rank - 1]
    guard let source = x.quantization, source.fits(.uint8, count: channels) else {
      throw InstructionError(Self.opcode, "x lacks its quantisation")
    }
    let unit = Quantization(scale: 1, zeroPoint: 0)
    let target = y.type == .float32 ? unit : y.quantization
    guard let target, target.fits(.uint8, count: channels) else {
      throw InstructionError(Self.opcode, "y lacks its quantisation")
    }
    let inputExtents = Array(x.shape.dimensions[1..<rank - 1])
    let outputExtents = Array(y.shape.dimensions[1..<rank - 1])
    try preparation.checkPoolWindow(
      self, kernel: kernel, strides: strides, dilations: dilations, padsBegin: padsBegin,
      padsEnd: padsEnd, inputExtents: inputExtents, outputExtents: outputExtents)
    try preparation.require(
      inputExtents.reduce(1.0, { $0 * Double($1) }) <= 0x1p23, self,
      "\(inputExtents) pixels are too many for sums of 32 bits")
    guard y.shape.elementCount > 0,
      let kernel = PoolKernel.best(of: PoolKernel.all, isas: preparation.isas)
    else { return }
    plan = Plan(
      kernel: kernel, columns: PoolColumns(source, target, channels: channels),
      split: GridSplit(
        rows: x.shape[0] * outputExtents.dropLast().reduce(1, *),
        columns: (channels + Plan.channelGrain - 1) / Plan.channelGrain,
        parts: preparation.parts),
      inputExtents: inputExtents, outputExtents: outputExtents, channels: channels,
      inputStride: x.rowStride, outputStride: y.rowStride, isReal: y.type == .float32)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard let plan, let run = plan.kernel.entry.pointee.average_bytes else { return }
    let share = plan.split.share(of: context.part)
    let first = share.columns.lowerBound * Plan.channelGrain
    let channels = min(plan.channels, share.columns.upperBound * Plan.channelGrain) - first
    guard !share.rows.isEmpty, channels > 0 else { return }
    var call = apus_pool_bytes()
    call.window = apus_pool(
      kernel: kernel, strides: strides, dilations: dilations, padsBegin: padsBegin,
      padsEnd: padsEnd, inputExtents: plan.inputExtents, outputExtents: plan.outputExtents,
      channels: channels, countsPadding: countsPadding)
    call.window.x_pixel = plan.inputStride
    call.window.y_pixel = plan.outputStride
    call.x_zero = UnsafePointer(plan.columns.inputZero + first)
    call.multiplier = UnsafePointer(plan.columns.multiplier + first)
    call.y_zero = UnsafePointer(plan.columns.outputZero + first)
    call.y_real = plan.isReal ? 1 : 0
    let x = context.pointer(input, as: UInt8.self) + first
    let y = context.pointer(output) + first * (plan.isReal ? 4 : 1)
    let height = plan.outputExtents.count == 1 ? 1 : plan.outputExtents[0]
    let pixels = plan.inputExtents.reduce(1, *)
    for row in share.rows {
      call.window.row = row % height
      call.window.x = UnsafeRawPointer(x + row / height * pixels * plan.inputStride)
      call.window.y =
        y + row * call.window.output_width * plan.outputStride * (plan.isReal ? 4 : 1)
      run(&call)
    }
  }
}

/// The arrays of channels of an average.
///
/// Sendable because they are written only while it is made.
private final class PoolColumns: @unchecked Sendable {
  let inputZero: UnsafeMutablePointer<Int32>
  let multiplier: UnsafeMutablePointer<Float>
  let outputZero: UnsafeMutablePointer<Int32>

  init(_ source: Quantization, _ target: Quantization, channels: Int) {
    inputZero = .allocate(capacity: channels)
    multiplier = .allocate(capacity: channels)
    outputZero = .allocate(capacity: channels)
    inputZero.initialize(from: source.zeroPoints(channels), count: channels)
    outputZero.initialize(from: target.zeroPoints(channels), count: channels)
    let (units, steps) = (source.scales(channels), target.scales(channels))
    for channel in 0..<channels {
      (multiplier + channel).initialize(to: Float(Double(units[channel]) / Double(steps[channel])))
    }
  }

  deinit {
    inputZero.deallocate()
    multiplier.deallocate()
    outputZero.deallocate()
  }
}
