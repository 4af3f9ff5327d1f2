#if canImport(Glibc)
  import Glibc
#endif

/// A file descriptor that is closed with its owner.
///
/// `package` although no other room names it: the linker needs its metadata wherever a type that
/// contains one is used.
package struct OwnedDescriptor: ~Copyable {
  package private(set) var number: Int32

  package init(number: Int32) { self.number = number }

  deinit {
    if number >= 0 { Glibc.close(number) }
  }

  /// Closes now; returns what the system says, which for some file systems is where a full disk
  /// is reported.
  package mutating func close() -> Int32 {
    defer { number = -1 }
    return Glibc.close(number)
  }
}
