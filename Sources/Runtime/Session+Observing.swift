internal import CLinux
import Instructions

/// The tensors of a session while a run stands still between two instructions.
package struct ObservedTensors {
  private let table: UnsafeMutablePointer<UnsafeMutableRawPointer?>

  fileprivate init(_ table: UnsafeMutablePointer<UnsafeMutableRawPointer?>) { self.table = table }

  /// The first element of a tensor, laid out as its specification says; nil for one without a
  /// place.
  package func pointer(_ operand: Operand) -> UnsafeRawPointer? {
    table[Int(operand.index)].map { UnsafeRawPointer($0) }
  }
}

extension Session {
  /// Runs the program on the calling thread and shows the tensors before the first instruction
  /// (with -1) and after each (with its index): what a value holds between its making and the reuse
  /// of its memory.
  ///
  /// - Throws: `RuntimeError`, as `run()`.
  package func run(observing body: (Int, ObservedTensors) -> Void) throws(RuntimeError) {
    try claimed { () throws(RuntimeError) in
      cl_store(cancellation, 0)
      aloneState.pointee.reset()
      let tensors = ObservedTensors(table)
      RunState.walk(aloneState) { index in body(index, tensors) }
      try check(aloneState)
    }
  }
}
