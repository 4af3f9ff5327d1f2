import Glibc

/// Anonymous memory, zero at first, of which pages are taken only once they are touched; given back
/// with its owner.
///
/// Its beginning lies in huge pages where the system lets it: the first touch of a page costs
/// microseconds, which for small pages adds up.
///
/// Sendable because it never changes; what is in the memory is its users' business.
package final class PageMapping: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  private let mapped: UnsafeMutableRawBufferPointer

  package static let hugePage = 1 << 21

  /// - Parameter hugeByteCount: the bytes from the start that should lie in huge pages;
  ///   0: none.
  /// - Returns: nil where the system refuses.
  package init?(byteCount: Int, hugeByteCount: Int) {
    // What aligns it is mapped, but never touched.
    let length = max(byteCount, hugeByteCount) + (hugeByteCount > 0 ? PageMapping.hugePage : 0)
    let pointer = mmap(
      nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let pointer, pointer != MAP_FAILED else { return nil }
    mapped = UnsafeMutableRawBufferPointer(start: pointer, count: length)
    guard hugeByteCount > 0 else {
      base = pointer
      return
    }
    base = pointer.alignedUp(toMultipleOf: PageMapping.hugePage)
    // Where it is refused, pages are small: slower, and right.
    madvise(base, hugeByteCount, MADV_HUGEPAGE)
  }

  deinit { munmap(mapped.baseAddress, mapped.count) }
}
