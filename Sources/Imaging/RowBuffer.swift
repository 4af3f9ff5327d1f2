#if canImport(Glibc)
  import Glibc
#endif

/// Scratch memory for one row of numbers, 64-byte aligned, reused from picture to picture.
///
/// One of the few places with unsafe pointers: the row kernels are C.
final class RowBuffer<Element: BitwiseCopyable> {
  let pointer: UnsafeMutablePointer<Element>
  let count: Int

  /// Makes a row of `count` elements with undefined contents.
  init(_ count: Int) {
    self.count = count
    let bytes = max(64, (count * MemoryLayout<Element>.stride + 63) / 64 * 64)
    guard let memory = aligned_alloc(64, bytes) else {
      fatalError("out of memory: asked for \(bytes) bytes")
    }
    pointer = memory.bindMemory(to: Element.self, capacity: count)
  }

  /// Makes a row of values.
  convenience init(_ values: [Element]) {
    self.init(values.count)
    for (index, value) in values.enumerated() { pointer[index] = value }
  }

  deinit { free(pointer) }
}
