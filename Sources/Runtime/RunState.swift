internal import CLinux
import Instructions

/// What the threads of one run share.
///
/// The barrier and the two flags lie in memory of their own, each in its own cache lines.
struct RunState: ~Copyable {
  var instructions: UnsafeMutablePointer<any Instruction>
  var count: Int
  var parts: Int
  var tensors: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  var scratch: UnsafeMutableRawPointer
  let barrier: UnsafeMutablePointer<cl_barrier>
  /// Set by an instruction that the data makes impossible.
  let fault: UnsafeMutablePointer<UInt32>
  /// The first instruction after which every thread leaves the run.
  let stop: UnsafeMutablePointer<Int32>

  private static let cellByteCount = 128

  init(
    _ prepared: borrowing PreparedProgram, tensors: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
    scratch: UnsafeMutableRawPointer
  ) {
    instructions = prepared.instructions
    count = prepared.count
    parts = prepared.parts
    self.tensors = tensors
    self.scratch = scratch
    let cells = UnsafeMutableRawPointer.allocate(
      byteCount: 3 * RunState.cellByteCount, alignment: RunState.cellByteCount)
    barrier = cells.bindMemory(to: cl_barrier.self, capacity: 1)
    barrier.initialize(to: cl_barrier())
    fault = (cells + RunState.cellByteCount).bindMemory(to: UInt32.self, capacity: 1)
    fault.initialize(to: 0)
    stop = (cells + 2 * RunState.cellByteCount).bindMemory(to: Int32.self, capacity: 1)
    stop.initialize(to: .max)
  }

  deinit { UnsafeMutableRawPointer(barrier).deallocate() }

  /// Makes ready for the next run.
  mutating func reset() {
    cl_barrier_init(barrier, UInt32(truncatingIfNeeded: parts))
    fault.pointee = 0
    stop.pointee = .max
  }

  /// Walks the whole program, doing one part of every instruction.
  ///
  /// A part that sees a fault after its own share of an instruction, before the barrier, records
  /// that instruction: no part can be further, so the fault belongs to it or was recorded before.
  @inline(__always)
  static func walk(_ state: UnsafeMutablePointer<RunState>, part: Int) {
    let parts = state.pointee.parts
    let barrier = state.pointee.barrier
    let fault = state.pointee.fault
    let stop = state.pointee.stop
    let context = ExecutionContext(
      tensors: UnsafePointer(state.pointee.tensors), scratch: state.pointee.scratch, part: part,
      parts: parts, barrier: parts > 1 ? OpaquePointer(barrier) : nil, fault: fault)
    let instructions = state.pointee.instructions
    for index in 0..<state.pointee.count {
      instructions[index].execute(context)
      if cl_load(fault) != 0 { cl_store_minimum(stop, Int32(truncatingIfNeeded: index)) }
      context.synchronize()
      if cl_load_signed(stop) <= index { return }
    }
  }
}
