internal import CKernels
import Kernels
import Tensors

/// Multiplies the channels of an 8-bit picture by gates: y[n, …, c] = x[n, …, c] · gate[n, c].
///
/// x, y: uint8 [N, …, C], each quantised per tensor or along C, rows strided; gate: float32 with
/// N · C elements, dense. The product is made in integers of 16 bits, of which the factor of a
/// channel has 15; `gate8.h` states the arithmetic, which is the same on every ISA.
package struct GateChannels: Instruction {
  package static let opcode = "gate_channels_int8"

  package var input = Operand.none
  package var gate = Operand.none
  package var output = Operand.none
  private var plan: Plan?

  /// What `prepare` found out.
  private struct Plan: Sendable {
    var kernel: GateKernel
    var source: QuantizedScales
    var target: QuantizedScales
    /// Pictures, and the rows of one.
    var count: Int
    var rows: Int
    var channels: Int
    var inputStride: Int
    var outputStride: Int
    /// The rows that are done as one.
    var repetitions: Int
    /// The bytes of a part's arrays.
    var scratchByteCount: Int
  }

  package init() {}

  package init(_ input: Operand, by gate: Operand, to output: Operand) {
    self.input = input
    self.gate = gate
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.input("gate", &gate)
    visitor.output("y", &output, strided: true)
  }

  package var replacements: [Replacement] { [Replacement(input, by: output)] }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    plan = nil
    let (x, factor, y) = (preparation[input], preparation[gate], preparation[output])
    try preparation.require(
      x.shape.rank >= 2 && x.shape == y.shape, self, "\(x.shape) cannot become \(y.shape)")
    let source = try QuantizedScales(self, x)
    let target = try QuantizedScales(self, y, inverted: true)
    let count = x.shape[0]
    let channels = x.rowLength
    let (needed, overflow) = count.multipliedReportingOverflow(by: channels)
    try preparation.require(
      factor.type == .float32 && factor.isDense && !overflow
        && factor.shape.elementCount == needed, self,
      "gates are \(factor.type) \(factor.shape) for \(x.shape)")
    try preparation.require(
      x.rowStride >= x.rowLength && y.rowStride >= y.rowLength && channels < 1 << 24, self,
      "rows of \(channels) channels with strides \(x.rowStride) and \(y.rowStride)")
    guard x.shape.elementCount > 0 else { return }
    let repetitions =
      x.isDense && y.isDense ? GateChannels.repetitions(channels: channels) : 1
    let bytes = (3 * (channels * repetitions + 64) * 2 + 63) / 64 * 64
    preparation.requestScratch(bytes * preparation.parts)
    plan = Plan(
      kernel: GateKernel.best(isas: preparation.isas), source: source, target: target,
      count: count, rows: x.rowCount / count, channels: channels, inputStride: x.rowStride,
      outputStride: y.rowStride, repetitions: repetitions, scratchByteCount: bytes)
  }

  /// As many rows as make a whole number of vectors, where that is not too long.
  private static func repetitions(channels: Int) -> Int {
    let step = 64
    var (a, b) = (channels, step)
    while b != 0 { (a, b) = (b, a % b) }
    return channels < 512 ? step / a : 1
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard let plan else { return }
    var call = apus_gate8()
    call.x_row = plan.inputStride
    call.y_row = plan.outputStride
    call.count = plan.channels
    call.repeat = plan.repetitions
    let (from, to) = (plan.source.kernelForm(), plan.target.kernelForm())
    call.x_scale = apus_gate8_scale(scale: from.scale, zero: from.zero, channels: from.channels)
    call.y_scale = apus_gate8_scale(scale: to.scale, zero: to.zero, channels: to.channels)
    let scratch = context.scratch + context.part * plan.scratchByteCount
    call.scratch = scratch.assumingMemoryBound(to: Int16.self)
    let gates = context.pointer(gate, as: Float.self)
    let share = context.share(of: plan.count * plan.rows)
    var row = share.lowerBound
    while row < share.upperBound {
      let (picture, first) = row.quotientAndRemainder(dividingBy: plan.rows)
      call.rows = min(plan.rows - first, share.upperBound - row)
      call.gate = UnsafePointer(gates + picture * plan.channels)
      call.x = UnsafePointer(context.pointer(input, as: UInt8.self) + row * plan.inputStride)
      call.y = context.pointer(output, as: UInt8.self) + row * plan.outputStride
      plan.kernel.entry.pointee.run(&call)
      row += call.rows
    }
  }
}
