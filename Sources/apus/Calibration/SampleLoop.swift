import Synchronization

/// Does something with each of many samples on several threads.
enum SampleLoop {
  private struct State {
    var next = 0
    var failure: (index: Int, error: any Error)?
  }

  /// Calls `each` for 0 up to `count`, every thread with its own worker, which `make` makes on it.
  ///
  /// - Throws: the error of the first sample that failed, whatever the number of threads. No sample
  ///   is begun after a failure.
  static func run<Worker>(
    _ count: Int, threads: Int, make: @escaping @Sendable (Int) throws -> Worker,
    each: @escaping @Sendable (Worker, Int) throws -> Void
  ) throws {
    let state = Shared()
    let body: @Sendable (Int) -> Void = { thread in
      var index = 0
      do {
        let worker = try make(thread)
        while let taken = state.take(below: count) {
          index = taken
          try each(worker, taken)
        }
      } catch {
        state.fail(index, error)
      }
    }
    let threads = max(min(threads, count), 1)
    if threads == 1 { body(0) } else { SideBySide.run(threads, body) }
    if let error = state.error { throw error }
  }

  private final class Shared: Sendable {
    private let state = Mutex(State())

    func take(below count: Int) -> Int? {
      state.withLock { state in
        guard state.next < count, state.failure == nil else { return nil }
        defer { state.next += 1 }
        return state.next
      }
    }

    func fail(_ index: Int, _ error: any Error) {
      state.withLock { state in
        if index < state.failure?.index ?? .max { state.failure = (index, error) }
      }
    }

    var error: (any Error)? { state.withLock { $0.failure?.error } }
  }
}
