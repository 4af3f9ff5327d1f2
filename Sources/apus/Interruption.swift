import Files
import Options

#if canImport(Glibc)
  import Glibc
#endif

/// Ends the process in order when it is interrupted: files that are not complete disappear.
enum Interruption {
  /// Hands SIGINT and SIGTERM to a thread of their own. Call it before any other thread starts, so
  /// that all inherit the mask.
  static func handle() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    guard pthread_sigmask(SIG_BLOCK, &signals, nil) == 0 else { return }
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { _ in
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        var number: Int32 = 0
        while sigwait(&signals, &number) != 0 {}
        PendingFile.removeAll()
        Console.diagnose("apus: interrupted\n")
        _exit(ExitCode.interrupted.rawValue)
      }, nil)
    if result == 0 { pthread_detach(thread) } else { pthread_sigmask(SIG_UNBLOCK, &signals, nil) }
  }
}
