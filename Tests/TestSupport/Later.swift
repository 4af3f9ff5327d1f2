#if canImport(Glibc)
  import Glibc
#endif

/// Runs something on a thread of its own, because tests that block would starve tasks.
package enum Later {
  private final class Work: Sendable {
    let milliseconds: Int
    let body: @Sendable () -> Void

    init(_ milliseconds: Int, _ body: @escaping @Sendable () -> Void) {
      self.milliseconds = milliseconds
      self.body = body
    }
  }

  /// Calls `body` on a new thread after a pause.
  package static func run(
    afterMilliseconds milliseconds: Int, _ body: @escaping @Sendable () -> Void
  ) {
    var thread = pthread_t()
    let work = Unmanaged.passRetained(Work(milliseconds, body)).toOpaque()
    let status = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        let work = Unmanaged<Work>.fromOpaque(context).takeRetainedValue()
        usleep(UInt32(work.milliseconds * 1000))
        work.body()
        return nil
      }, work)
    if status == 0 { pthread_detach(thread) } else { Unmanaged<Work>.fromOpaque(work).release() }
  }
}
