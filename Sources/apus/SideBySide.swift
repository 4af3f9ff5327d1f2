#if canImport(Glibc)
  import Glibc
#endif

/// Runs work on threads of its own, one per piece.
enum SideBySide {
  private final class Work: Sendable {
    let index: Int
    let body: @Sendable (Int) -> Void
    init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.index = index
      self.body = body
    }
  }

  /// Calls `body` with 0 up to `count`, each on its own thread, and waits for all. Where no thread
  /// can be had, the caller does the piece itself.
  static func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    var threads: [pthread_t] = []
    for index in 0..<count {
      let work = Unmanaged.passRetained(Work(index, body))
      var thread = pthread_t()
      let result = pthread_create(
        &thread, nil,
        { argument in
          guard let argument else { return nil }
          let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
          work.body(work.index)
          return nil
        }, work.toOpaque())
      if result == 0 {
        threads.append(thread)
      } else {
        work.release()
        body(index)
      }
    }
    for thread in threads { pthread_join(thread, nil) }
  }
}
