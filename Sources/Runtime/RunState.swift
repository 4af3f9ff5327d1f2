internal import CLinux
import Instructions

/// What the threads of one run share.
///
/// The barrier and the two flags lie in memory of their own, each in its own cache lines.
struct RunState: ~Copyable {
  let instructions: UnsafeMutablePointer<any Instruction>
  let count: Int
  /// The instruction that a run begins with.
  var first = 0
  let parts: Int
  let tensors: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  let scratch: UnsafeMutableRawPointer
  let barrier: UnsafeMutablePointer<cl_barrier>
  /// Set by an instruction that the data makes impossible.
  let fault: UnsafeMutablePointer<UInt32>
  /// The instruction after which every thread leaves the run.
  let stop: UnsafeMutablePointer<Int32>
  /// Set by whoever wants the run to end early.
  let cancellation: UnsafeMutablePointer<UInt32>
  /// Where a traced run puts the time after every instruction, in nanoseconds; one more than
  /// instructions, the first being the start. Nil: the run is not traced.
  var times: UnsafeMutablePointer<UInt64>?

  private static let cellByteCount = 128

  init(
    _ prepared: PreparedProgram, tensors: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
    scratch: UnsafeMutableRawPointer, cancellation: UnsafeMutablePointer<UInt32>
  ) {
    instructions = prepared.instructions
    count = prepared.count
    parts = prepared.parts
    self.tensors = tensors
    self.scratch = scratch
    self.cancellation = cancellation
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
  func reset() {
    cl_barrier_init(barrier, UInt32(truncatingIfNeeded: parts))
    fault.pointee = 0
    stop.pointee = .max
  }

  /// Walks the whole program, doing one part of every instruction.
  static func walk(_ state: UnsafeMutablePointer<RunState>, part: Int) {
    let context = ExecutionContext(
      tensors: UnsafePointer(state.pointee.tensors), scratch: state.pointee.scratch, part: part,
      parts: state.pointee.parts,
      barrier: state.pointee.parts > 1 ? OpaquePointer(state.pointee.barrier) : nil,
      fault: state.pointee.fault)
    if let times = state.pointee.times {
      walkTimed(state, context, times)
    } else {
      walk(state, context)
    }
  }

  private static func walk(
    _ state: UnsafeMutablePointer<RunState>, _ context: borrowing ExecutionContext
  ) {
    let instructions = state.pointee.instructions
    for index in state.pointee.first..<state.pointee.count {
      instructions[index].execute(context)
      guard finish(index, state, context) else { return }
    }
  }

  private static func walkTimed(
    _ state: UnsafeMutablePointer<RunState>, _ context: borrowing ExecutionContext,
    _ times: UnsafeMutablePointer<UInt64>
  ) {
    let instructions = state.pointee.instructions
    context.synchronize()
    if context.part == 0 {
      let start = cl_nanoseconds()
      for index in 0...state.pointee.first { times[index] = start }
    }
    for index in state.pointee.first..<state.pointee.count {
      instructions[index].execute(context)
      guard finish(index, state, context) else { return }
      if context.part == 0 { times[index + 1] = cl_nanoseconds() }
    }
  }

  /// Walks the whole program on the calling thread alone, and calls `body` before the first
  /// instruction (with -1) and after each.
  static func walk(_ state: UnsafeMutablePointer<RunState>, observing body: (Int) -> Void) {
    let context = ExecutionContext(
      tensors: UnsafePointer(state.pointee.tensors), scratch: state.pointee.scratch, part: 0,
      parts: 1, barrier: nil, fault: state.pointee.fault)
    body(-1)
    for index in state.pointee.first..<state.pointee.count {
      state.pointee.instructions[index].execute(context)
      guard finish(index, state, context) else { return }
      body(index)
    }
  }

  /// Waits for the other parts of an instruction; false: the run ends here for all of them.
  ///
  /// A part that sees a fault after its own share, before the barrier, records the instruction: no
  /// part can be further, so the fault belongs to it or was recorded before. After the barrier a
  /// faster part may have recorded a later instruction; then this part goes on to that one.
  @inline(__always)
  private static func finish(
    _ index: Int, _ state: UnsafeMutablePointer<RunState>, _ context: borrowing ExecutionContext
  ) -> Bool {
    if cl_load(state.pointee.fault) != 0 || cl_load(state.pointee.cancellation) != 0 {
      cl_store_minimum(state.pointee.stop, Int32(truncatingIfNeeded: index))
    }
    context.synchronize()
    return cl_load_signed(state.pointee.stop) > index
  }
}
