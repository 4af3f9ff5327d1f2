// apus.h: the library itself.
// The names are C's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CApus
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// What functions hand out that never changes.
private enum Constants {
  static let version = TextTable([versionText])
  static let versionText =
    "\(APUS_VERSION_MAJOR).\(APUS_VERSION_MINOR).\(APUS_VERSION_PATCH)"

  static let statusNames: [(apus_status, String)] = [
    (APUS_OK, "APUS_OK"), (APUS_INVALID_ARGUMENT, "APUS_INVALID_ARGUMENT"),
    (APUS_INVALID_HANDLE, "APUS_INVALID_HANDLE"), (APUS_BUSY, "APUS_BUSY"),
    (APUS_UNREADABLE, "APUS_UNREADABLE"), (APUS_MALFORMED, "APUS_MALFORMED"),
    (APUS_UNSUPPORTED, "APUS_UNSUPPORTED"), (APUS_INVALID_MODEL, "APUS_INVALID_MODEL"),
    (APUS_SHAPES, "APUS_SHAPES"), (APUS_WRONG_TENSOR, "APUS_WRONG_TENSOR"),
    (APUS_NO_SUCH_PROGRAM, "APUS_NO_SUCH_PROGRAM"), (APUS_CANNOT_BIND, "APUS_CANNOT_BIND"),
    (APUS_FAULT, "APUS_FAULT"), (APUS_OUT_OF_MEMORY, "APUS_OUT_OF_MEMORY"),
    (APUS_OUT_OF_THREADS, "APUS_OUT_OF_THREADS"), (APUS_CANCELLED, "APUS_CANCELLED"),
    (APUS_NOT_WRITABLE, "APUS_NOT_WRITABLE"), (APUS_DISK_FULL, "APUS_DISK_FULL"),
    (APUS_UNAVAILABLE, "APUS_UNAVAILABLE"), (APUS_INTERNAL, "APUS_INTERNAL"),
  ]
  static let unknownStatus = "APUS_?"
  static let names = TextTable(statusNames.map(\.1) + [unknownStatus])
}

@c @implementation public func apus_version() -> UnsafePointer<CChar>? {
  Constants.version[Constants.versionText]
}

@c @implementation public func apus_can_compile() -> Int32 { CompilerDoor.canCompile ? 1 : 0 }

@c @implementation public func apus_last_message() -> UnsafePointer<CChar>? { capus_message() }

@c @implementation public func apus_status_name(_ status: apus_status) -> UnsafePointer<CChar>? {
  Constants.names[
    Constants.statusNames.first { $0.0 == status }?.1 ?? Constants.unknownStatus]
}

@c @implementation public func apus_type_bits(_ type: apus_type) -> Int32 {
  guard let raw = UInt8(exactly: type.rawValue), let known = ElementType(rawValue: raw) else {
    return 0
  }
  return Int32(known.bitCount)
}

@c @implementation public func apus_count_live(
  _ counts: UnsafeMutablePointer<apus_live_counts>?
) -> apus_status {
  answer {
    try required(counts, "counts").pointee = apus_live_counts(
      models: HandleTable.count(.model), sessions: HandleTable.count(.session),
      values: HandleTable.count(.value), preprocessors: HandleTable.count(.preprocessor),
      detectors: HandleTable.count(.detector))
  }
}

@c @implementation public func apus_allocate(_ size: Int) -> UnsafeMutableRawPointer? {
  let (needed, overflow) = size.addingReportingOverflow(
    Int(APUS_SLACK) + Int(APUS_ALIGNMENT) - 1)
  guard size >= 0, !overflow else { return nil }
  let rounded = needed / Int(APUS_ALIGNMENT) * Int(APUS_ALIGNMENT)
  guard let memory = aligned_alloc(Int(APUS_ALIGNMENT), rounded) else { return nil }
  memset(memory, 0, rounded)
  return memory
}

@c @implementation public func apus_free(_ memory: UnsafeMutableRawPointer?) { free(memory) }
