internal import CLinux
import Glibc

/// A block of memory, 64-byte aligned and zero at first, freed with its owner.
///
/// Large blocks are anonymous mappings: pages take memory only once they are touched. Where the
/// system lets them, they are huge pages: the first touch of a page costs microseconds, which for
/// small pages adds up to more than the first run. A rest that would leave most of a huge page
/// empty has small ones.
struct MemoryBlock: ~Copyable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int
  /// What was mapped: the block and what aligns it; nil where it was allocated.
  private let mapping: UnsafeMutableRawBufferPointer?

  private static let smallestMapping = 1 << 18
  private static let hugePage = 1 << 21
  /// The least part of a huge page that is worth one.
  private static let smallestRest = hugePage / 4 * 3

  /// - Parameter purpose: names the block in the error.
  /// - Throws: `RuntimeError` with the numbers where the system refuses.
  init(byteCount asked: Int, purpose: String) throws(RuntimeError) {
    byteCount = max(asked, 64)
    guard asked <= MemoryBlock.limit else { throw MemoryBlock.outOfMemory(asked, purpose) }
    if byteCount >= MemoryBlock.smallestMapping {
      let huge = MemoryBlock.hugeByteCount(byteCount)
      let length = max(byteCount, huge) + (huge > 0 ? MemoryBlock.hugePage : 0)
      let pointer = mmap(
        nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
      guard let pointer, pointer != MAP_FAILED else {
        throw MemoryBlock.outOfMemory(asked, purpose)
      }
      mapping = UnsafeMutableRawBufferPointer(start: pointer, count: length)
      if huge > 0 {
        base = pointer.alignedUp(toMultipleOf: MemoryBlock.hugePage)
        // Where it is refused, pages are small: slower, and right.
        madvise(base, huge, MADV_HUGEPAGE)
      } else {
        base = pointer
      }
    } else {
      guard let pointer = aligned_alloc(64, (byteCount + 63) & ~63) else {
        throw MemoryBlock.outOfMemory(asked, purpose)
      }
      memset(pointer, 0, byteCount)
      base = pointer
      mapping = nil
    }
  }

  deinit {
    if let mapping { munmap(mapping.baseAddress, mapping.count) } else { free(base) }
  }

  /// The bytes from the start of a block that should lie in huge pages.
  private static func hugeByteCount(_ byteCount: Int) -> Int {
    let rest = byteCount % hugePage
    return byteCount - rest + (rest >= smallestRest ? hugePage : 0)
  }

  /// The memory of this machine: nothing larger can work.
  private static let limit = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))

  private static func outOfMemory(_ asked: Int, _ purpose: String) -> RuntimeError {
    let free = sysconf(Int32(_SC_AVPHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    return RuntimeError(
      .outOfMemory,
      "\(purpose) needs \(asked) bytes; the machine has \(limit), of which \(free) are free. "
        + "Use a smaller input shape or batch, or fewer sessions")
  }
}
