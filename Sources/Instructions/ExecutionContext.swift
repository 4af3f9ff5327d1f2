internal import CLinux

/// What an instruction sees while it runs: pointers, its share of the work, and its team.
public struct ExecutionContext: ~Copyable {
  /// The first element of every tensor, by operand index.
  package let tensors: UnsafePointer<UnsafeMutableRawPointer?>
  /// Shared scratch memory, 64-byte aligned, as large as the largest request.
  package let scratch: UnsafeMutableRawPointer
  /// This thread's share: `part` of `parts`, 0 based.
  package let part: Int
  package let parts: Int
  private let barrier: OpaquePointer?
  /// Where `fail` records the first fault of a run; 0 while there is none.
  private let fault: UnsafeMutablePointer<UInt32>

  /// - Parameter barrier: a `cl_barrier` for `parts` threads; nil for one.
  package init(
    tensors: UnsafePointer<UnsafeMutableRawPointer?>, scratch: UnsafeMutableRawPointer,
    part: Int, parts: Int, barrier: OpaquePointer?, fault: UnsafeMutablePointer<UInt32>
  ) {
    self.tensors = tensors
    self.scratch = scratch
    self.part = part
    self.parts = parts
    self.barrier = barrier
    self.fault = fault
  }

  /// The elements of a tensor. The operand must be present.
  @inline(__always)
  package func pointer<T>(_ operand: Operand, as type: T.Type) -> UnsafeMutablePointer<T> {
    tensors[Int(operand.index)].unsafelyUnwrapped.assumingMemoryBound(to: type)
  }

  /// The bytes of a tensor. The operand must be present.
  @inline(__always)
  package func pointer(_ operand: Operand) -> UnsafeMutableRawPointer {
    tensors[Int(operand.index)].unsafelyUnwrapped
  }

  /// The contiguous share of `0..<count` that this part does, in multiples of `grain` but for the
  /// last.
  @inline(__always)
  package func share(of count: Int, grain: Int = 1) -> Range<Int> {
    let grains = (count + grain - 1) / grain
    let low = grains * part / parts * grain
    let high = grains * (part + 1) / parts * grain
    return min(low, count)..<min(high, count)
  }

  /// Waits until all parts have come here. Every part must call it equally often.
  package func synchronize() {
    if let barrier { cl_barrier_wait(UnsafeMutablePointer(barrier)) }
  }

  /// Records that the run's inputs made the instruction impossible; the run then ends with an
  /// error. The instruction goes on without touching memory outside its operands.
  package func fail(_ fault: Fault) {
    self.fault.pointee = fault.rawValue
  }

  /// What can go wrong with data at run time.
  package enum Fault: UInt32, Sendable {
    case indexOutOfRange = 1
    case divisionByZero = 2
  }
}
