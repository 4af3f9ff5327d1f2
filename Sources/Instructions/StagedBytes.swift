import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Copies strips of a uint8 image [H, W, C] with their padding into scratch memory, as dense lines
/// of `width` pixels.
struct StagedBytes: Sendable {
  /// The image's extents.
  let height: Int
  let imageWidth: Int
  let channels: Int
  let rowStride: Int
  /// The copied lines: their pixels, of which the first is pixel `-padLeft` of the image (which
  /// may be inside, outside or beyond it).
  let width: Int
  let padLeft: Int
  /// What stands for 0.
  let fill: UInt8

  var lineByteCount: Int { width * channels }

  /// The bytes for `lines` lines, with those more that a padded run may read.
  func byteCount(lines: Int) -> Int { (lines * lineByteCount + 64 + 63) / 64 * 64 }

  /// Copies `count` lines of the image that starts at `source`, from line `first` (which may be
  /// outside) on.
  func copy(
    from source: UnsafeRawPointer, first: Int, count: Int, to target: UnsafeMutableRawPointer
  ) {
    let start = max(0, min(width, padLeft))
    let skipped = max(0, -padLeft)
    let pixels = max(0, min(imageWidth - skipped, width - start))
    let left = start * channels
    let middle = pixels * channels
    let right = lineByteCount - left - middle
    let value = Int32(fill)
    for index in 0..<count {
      let line = first + index
      let to = target + index * lineByteCount
      guard line >= 0, line < height, pixels > 0 else {
        memset(to, value, lineByteCount)
        continue
      }
      let from = source + (line * imageWidth + skipped) * rowStride
      if left > 0 { memset(to, value, left) }
      if rowStride == channels {
        memcpy(to + left, from, middle)
      } else {
        copyPixels(pixels, from: from, to: to + left)
      }
      if right > 0 { memset(to + left + middle, value, right) }
    }
    memset(target + count * lineByteCount, value, 64)
  }

  /// Copies pixels that lie `rowStride` bytes apart to where they lie together.
  private func copyPixels(
    _ count: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer
  ) {
    guard channels % 16 == 0 else {
      for pixel in 0..<count {
        memcpy(target + pixel * channels, source + pixel * rowStride, channels)
      }
      return
    }
    // A call for every pixel would take longer than its bytes.
    for pixel in 0..<count {
      let (from, to) = (source + pixel * rowStride, target + pixel * channels)
      for byte in stride(from: 0, to: channels, by: 16) {
        to.storeBytes(
          of: from.loadUnaligned(fromByteOffset: byte, as: SIMD16<UInt8>.self),
          toByteOffset: byte, as: SIMD16<UInt8>.self)
      }
    }
  }
}
