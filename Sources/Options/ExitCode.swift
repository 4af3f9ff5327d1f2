/// How a process ends: the contract with scripts.
package enum ExitCode: Int32, Sendable, CaseIterable {
  /// What was asked for is done.
  case done = 0
  /// The check that was asked for fails: compare, verify, a proof, `--at-least`.
  case checkFailed = 1
  /// The command line is wrong.
  case usage = 64
  /// Input data, a model, a table, a password or a signature is bad.
  case badInput = 65
  /// An input is not found or cannot be read.
  case inputMissing = 66
  /// A defect of the program itself.
  case internalError = 70
  /// Not available here: a CPU feature, memory, file handles.
  case unavailable = 71
  /// An output cannot be written; the disk is full.
  case outputFailed = 74
  /// May work later: a source lost, a broker away, a deadline passed.
  case temporary = 75
  /// Stopped by a signal.
  case interrupted = 130
}
