internal import CLinux
import Glibc
import Instructions

/// A block of memory, 64-byte aligned and zero at first, freed with its owner.
///
/// Large blocks are mappings, in huge pages but for a rest that would leave most of one empty.
struct MemoryBlock: ~Copyable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int
  /// Nil where the block was allocated.
  private let mapping: PageMapping?

  private static let smallestMapping = 1 << 18
  /// The least part of a huge page that is worth one.
  private static let smallestRest = PageMapping.hugePage / 4 * 3

  /// - Parameter purpose: names the block in the error.
  /// - Throws: `RuntimeError` with the numbers where the system refuses.
  init(byteCount asked: Int, purpose: String) throws(RuntimeError) {
    byteCount = max(asked, 64)
    guard asked <= MemoryBlock.limit else { throw MemoryBlock.outOfMemory(asked, purpose) }
    if byteCount >= MemoryBlock.smallestMapping {
      guard
        let mapping = PageMapping(
          byteCount: byteCount, hugeByteCount: MemoryBlock.hugeByteCount(byteCount))
      else { throw MemoryBlock.outOfMemory(asked, purpose) }
      base = mapping.base
      self.mapping = mapping
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
    if mapping == nil { free(base) }
  }

  /// The bytes from the start of a block that should lie in huge pages.
  private static func hugeByteCount(_ byteCount: Int) -> Int {
    let rest = byteCount % PageMapping.hugePage
    return byteCount - rest + (rest >= smallestRest ? PageMapping.hugePage : 0)
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
