// Handles: which number stands for which object.
//
//   bits 60…63  the kind of object
//   bits 32…59  the slot in the table
//   bits  0…31  the slot's generation, which changes with every release
//
// A slot's first generation is random, so that a number from another process, or made up, meets
// nothing here either.
import CApus

/// The kinds of objects that have handles.
package enum HandleKind: UInt64 {
  case model = 1
  case session = 2
  case value = 3
  case preprocessor = 4
  case detector = 5

  var name: String {
    switch self {
    case .model: "model"
    case .session: "session"
    case .value: "value"
    case .preprocessor: "preprocessor"
    case .detector: "detector"
    }
  }
}

/// The live objects of the process, by handle.
///
/// One table behind a lock of C, because that survives a fork. What is looked up stays alive while
/// it is used, whoever releases its handle meanwhile.
enum HandleTable {
  private struct Slot {
    var generation: UInt32
    var kind: HandleKind
    var object: AnyObject?
  }

  /// As many as the handle has bits for.
  private static let largestCount = 1 << 28

  nonisolated(unsafe) private static var slots: [Slot] = []
  nonisolated(unsafe) private static var free: [Int] = []
  nonisolated(unsafe) private static var counts: [HandleKind: Int] = [:]

  private static func locked<R>(_ body: () throws(Failure) -> R) throws(Failure) -> R {
    capus_lock()
    defer { capus_unlock() }
    return try body()
  }

  /// Gives an object a handle.
  static func insert(_ object: AnyObject, _ kind: HandleKind) throws(Failure) -> UInt64 {
    try locked { () throws(Failure) in
      let index: Int
      if let last = free.popLast() {
        index = last
        slots[index].kind = kind
        slots[index].object = object
      } else {
        guard slots.count < largestCount else {
          throw Failure(APUS_OUT_OF_MEMORY, "there are \(slots.count) live handles, the most")
        }
        index = slots.count
        let first = UInt32.random(in: 1...UInt32.max)
        slots.append(Slot(generation: first, kind: kind, object: object))
      }
      counts[kind, default: 0] += 1
      return kind.rawValue << 60 | UInt64(index) << 32 | UInt64(slots[index].generation)
    }
  }

  /// The object of a handle.
  static func object(_ handle: UInt64, _ kind: HandleKind) throws(Failure) -> AnyObject {
    try locked { () throws(Failure) in
      guard let index = index(of: handle, kind), let object = slots[index].object else {
        throw stale(handle, kind)
      }
      return object
    }
  }

  /// Takes a handle back. The object goes with its last use.
  ///
  /// - Parameter claim: takes the object out of other threads' reach, or throws.
  static func remove(
    _ handle: UInt64, _ kind: HandleKind, claim: (AnyObject) throws(Failure) -> Void
  ) throws(Failure) {
    // The object is let go outside the lock: that may take long, and may release further handles.
    let removed = try locked { () throws(Failure) -> AnyObject in
      guard let index = index(of: handle, kind), let object = slots[index].object else {
        throw stale(handle, kind)
      }
      try claim(object)
      slots[index].object = nil
      slots[index].generation &+= 1
      if slots[index].generation == 0 { slots[index].generation = 1 }
      free.append(index)
      counts[kind, default: 0] -= 1
      return object
    }
    withExtendedLifetime(removed) {}
  }

  static func count(_ kind: HandleKind) -> Int {
    capus_lock()
    defer { capus_unlock() }
    return counts[kind, default: 0]
  }

  private static func index(of handle: UInt64, _ kind: HandleKind) -> Int? {
    let index = Int(handle >> 32 & 0xFFF_FFFF)
    guard handle >> 60 == kind.rawValue, slots.indices.contains(index),
      slots[index].kind == kind, slots[index].generation == UInt32(truncatingIfNeeded: handle)
    else { return nil }
    return index
  }

  private static func stale(_ handle: UInt64, _ kind: HandleKind) -> Failure {
    guard handle != 0 else {
      return Failure(APUS_INVALID_HANDLE, "0 is no handle of a \(kind.name)")
    }
    if let other = HandleKind(rawValue: handle >> 60), other != kind {
      return Failure(
        APUS_INVALID_HANDLE, "the handle is of a \(other.name), and a \(kind.name) is wanted")
    }
    return Failure(
      APUS_INVALID_HANDLE,
      "there is no \(kind.name) with this handle: it was released, or never made here")
  }
}
