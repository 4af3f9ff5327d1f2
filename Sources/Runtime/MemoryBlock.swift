internal import CLinux
import Glibc

/// A block of memory, 64-byte aligned and zero at first, freed with its owner.
///
/// Large blocks are anonymous mappings: pages take memory only once they are touched.
struct MemoryBlock: ~Copyable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int
  private let isMapped: Bool

  private static let smallestMapping = 1 << 18

  /// - Parameter purpose: names the block in the error.
  /// - Throws: `RuntimeError` with the numbers where the system refuses.
  init(byteCount asked: Int, purpose: String) throws(RuntimeError) {
    byteCount = max(asked, 64)
    guard asked <= MemoryBlock.limit else { throw MemoryBlock.outOfMemory(asked, purpose) }
    if byteCount >= MemoryBlock.smallestMapping {
      let pointer = mmap(
        nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
      guard let pointer, pointer != MAP_FAILED else {
        throw MemoryBlock.outOfMemory(asked, purpose)
      }
      base = pointer
      isMapped = true
    } else {
      guard let pointer = aligned_alloc(64, (byteCount + 63) & ~63) else {
        throw MemoryBlock.outOfMemory(asked, purpose)
      }
      memset(pointer, 0, byteCount)
      base = pointer
      isMapped = false
    }
  }

  deinit {
    if isMapped { munmap(base, byteCount) } else { free(base) }
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
