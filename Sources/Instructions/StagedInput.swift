import Kernels
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Copies strips of an image [H, W, C] with their padding into scratch memory, as dense lines of
/// `width` pixels, rounded to bfloat16 where the weights want that.
struct StagedInput: Sendable {
  /// The image's extents.
  let height: Int
  let imageWidth: Int
  let channels: Int
  let rowStride: Int
  let isSourceBFloat16: Bool
  let isTargetBFloat16: Bool
  /// The copied lines: their pixels, of which the first is pixel `-padLeft` of the image (which
  /// may be inside, outside or beyond it).
  let width: Int
  let padLeft: Int
  let rounding: BFloat16Rounding

  var elementByteCount: Int { isTargetBFloat16 ? 2 : 4 }
  var lineByteCount: Int { width * channels * elementByteCount }

  /// The bytes for `lines` lines, with the one element more that a padded run may read.
  func byteCount(lines: Int) -> Int { (lines * lineByteCount + 64 + 63) / 64 * 64 }

  /// Copies `count` lines of the image that starts at `source`, from line `first` (which may be
  /// outside) on.
  func copy(
    from source: UnsafeRawPointer, first: Int, count: Int, to target: UnsafeMutableRawPointer
  ) {
    let start = max(0, min(width, padLeft))
    let skipped = max(0, -padLeft)
    let pixels = max(0, min(imageWidth - skipped, width - start))
    let pixelByteCount = channels * elementByteCount
    let sourceByteCount = isSourceBFloat16 ? 2 : 4
    for index in 0..<count {
      let line = first + index
      let to = target + index * lineByteCount
      guard line >= 0, line < height, pixels > 0 else {
        memset(to, 0, lineByteCount)
        continue
      }
      let from = source + (line * imageWidth + skipped) * rowStride * sourceByteCount
      let left = start * pixelByteCount
      let middle = pixels * pixelByteCount
      if left > 0 { memset(to, 0, left) }
      copyPixels(from: from, count: pixels, to: to + left)
      let right = lineByteCount - left - middle
      if right > 0 { memset(to + left + middle, 0, right) }
    }
    memset(target + count * lineByteCount, 0, 64)
  }

  @inline(__always)
  private func copyPixels(
    from source: UnsafeRawPointer, count: Int, to target: UnsafeMutableRawPointer
  ) {
    let isDense = rowStride == channels
    let (pieces, length) = isDense ? (1, count * channels) : (count, channels)
    let step = rowStride * (isSourceBFloat16 ? 2 : 4)
    for piece in 0..<pieces {
      let from = source + piece * step
      let to = target + piece * length * elementByteCount
      if isSourceBFloat16 == isTargetBFloat16 {
        memcpy(to, from, length * elementByteCount)
      } else {
        rounding(
          from.assumingMemoryBound(to: Float.self), to.assumingMemoryBound(to: UInt16.self),
          count: length)
      }
    }
  }
}
