import CLinux

/// A value that several threads share, with conditions to wait for.
///
/// Sendable because the value is touched only while the lock is held.
final class Monitor<Value>: @unchecked Sendable {
  /// What a try to do something under the lock comes to.
  enum Attempt<Result> {
    case done(Result)
    /// Try again when the condition is signalled, or at this time at the latest.
    case wait(until: Duration?)
  }

  private let handle: OpaquePointer
  private var value: Value
  private let start = cl_nanoseconds()

  /// - Parameter conditions: how many there are, numbered from 0.
  init(_ value: Value, conditions: Int) throws(PipelineError) {
    guard let handle = cl_monitor_create(Int32(clamping: conditions)) else {
      throw PipelineError(.memory, "no memory for a lock with \(conditions) conditions")
    }
    self.handle = handle
    self.value = value
  }

  deinit { cl_monitor_destroy(handle) }

  /// The time since this was made.
  var now: Duration { .nanoseconds(Int64(cl_nanoseconds() &- start)) }

  func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    cl_monitor_lock(handle)
    defer { cl_monitor_unlock(handle) }
    return body(&value)
  }

  /// Tries until it is done, waiting for a condition in between.
  func wait<Result>(
    for condition: Int, _ attempt: (inout Value) -> Attempt<Result>
  ) -> Result {
    cl_monitor_lock(handle)
    defer { cl_monitor_unlock(handle) }
    while true {
      switch attempt(&value) {
      case .done(let result): return result
      case .wait(let until):
        let nanoseconds = until.map { start &+ UInt64(clamping: Int64($0 / .nanoseconds(1))) }
        cl_monitor_wait(handle, Int32(clamping: condition), nanoseconds ?? .max)
      }
    }
  }

  /// Wakes one thread that waits for a condition.
  func signal(_ condition: Int) { cl_monitor_signal(handle, Int32(clamping: condition)) }

  /// Wakes all threads that wait for a condition.
  func broadcast(_ condition: Int) { cl_monitor_broadcast(handle, Int32(clamping: condition)) }
}

/// A thread that runs one closure; it has to be joined or left.
final class PipelineThread {
  private let handle: OpaquePointer

  /// - Throws: `threads` where the system allows no more.
  init(_ name: String, _ body: @escaping @Sendable () -> Void) throws(PipelineError) {
    var handle: OpaquePointer?
    let context = Unmanaged.passRetained(Body(body))
    let error = cl_thread_start(
      name,
      { context in
        guard let context else { return }
        Unmanaged<Body>.fromOpaque(context).takeRetainedValue().call()
      }, context.toOpaque(), &handle)
    guard error == 0, let handle else {
      context.release()
      throw PipelineError(
        .threads,
        "the system allows no more threads (\(name)); use fewer streams or threads, or raise the "
          + "limit of processes (ulimit -u)")
    }
    self.handle = handle
  }

  /// Waits for its end.
  func join() { cl_thread_join(handle) }

  /// Leaves it to itself.
  func leave() { cl_thread_detach(handle) }

  /// The processor time of the calling thread.
  static var processorTime: Duration { .nanoseconds(Int64(cl_thread_nanoseconds())) }

  private final class Body: Sendable {
    let call: @Sendable () -> Void
    init(_ call: @escaping @Sendable () -> Void) { self.call = call }
  }
}
