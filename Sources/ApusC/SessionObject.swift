import CApus
import Synchronization

/// A session behind a handle: for one thread at a time.
final class SessionObject: Sendable {
  private let runner: any Runner
  private let isClaimed = Atomic<Bool>(false)

  init(_ runner: any Runner) { self.runner = runner }

  /// Runs `body` unless another thread is using the session.
  func claimed<R>(_ body: (any Runner) throws -> R) throws -> R {
    try claim()
    defer { isClaimed.store(false, ordering: .releasing) }
    return try body(runner)
  }

  /// Takes the session for good: its handle is being released.
  func claim() throws(Failure) {
    guard
      isClaimed.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else {
      throw Failure(
        APUS_BUSY, "another thread is using this session; make one session per thread")
    }
  }

  func cancel() { runner.cancel() }
}

extension HandleTable {
  static func model(_ handle: apus_model) throws(Failure) -> any LoadedModel {
    guard let model = try object(handle, .model) as? any LoadedModel else {
      throw Failure(APUS_INTERNAL, "the handle is of something else")
    }
    return model
  }

  static func session(_ handle: apus_session) throws(Failure) -> SessionObject {
    try typed(handle, .session)
  }

  static func value(_ handle: apus_value) throws(Failure) -> Value {
    try (typed(handle, .value) as ValueObject).value
  }

  static func typed<T: AnyObject>(
    _ handle: UInt64, _ kind: HandleKind
  ) throws(Failure) -> T {
    guard let object = try object(handle, kind) as? T else {
      throw Failure(APUS_INTERNAL, "the handle is of something else")
    }
    return object
  }

  /// Releases what anybody may go on using.
  static func remove(_ handle: UInt64, _ kind: HandleKind) throws(Failure) {
    try remove(handle, kind) { _ throws(Failure) in }
  }
}
