import Files
import Options
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// What happens when the process is interrupted (SIGINT, SIGTERM): a verb may ask to be told once,
/// so that it can end in order; otherwise, and at the second time, the process ends at once, and
/// files that are not complete disappear.
enum Interruption {
  private static let handler = Mutex<(@Sendable () -> Void)?>(nil)

  /// Hands SIGINT and SIGTERM to a thread of their own. Call it before any other thread starts, so
  /// that all inherit the mask.
  static func handle() {
    var signals = stopSignals
    guard pthread_sigmask(SIG_BLOCK, &signals, nil) == 0 else { return }
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { _ in
        var signals = Interruption.stopSignals
        while true {
          var number: Int32 = 0
          if sigwait(&signals, &number) == 0 { Interruption.interrupt() }
        }
      }, nil)
    if result == 0 { pthread_detach(thread) } else { pthread_sigmask(SIG_UNBLOCK, &signals, nil) }
  }

  /// Calls `handler` at the first interruption of what `body` does, on another thread.
  static func handled<R>(
    by handler: @escaping @Sendable () -> Void, _ body: () throws -> R
  ) rethrows -> R {
    self.handler.withLock { $0 = handler }
    defer { self.handler.withLock { $0 = nil } }
    return try body()
  }

  /// Does what a signal does.
  private static func interrupt() {
    let handler = handler.withLock { slot in
      defer { slot = nil }
      return slot
    }
    if let handler { return handler() }
    PendingFile.removeAll()
    Console.diagnose("apus: interrupted\n")
    _exit(ExitCode.interrupted.rawValue)
  }

  private static var stopSignals: sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    return signals
  }
}
