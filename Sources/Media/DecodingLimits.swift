import CMedia

/// What a decoder may take.
struct DecodingLimits {
  let threads: Int32
  let side: Int32
  let pixels: Int64
  /// In microseconds; 0: endless.
  let openTimeout: Int64
  /// In microseconds; 0: endless.
  let readTimeout: Int64
  let isOverUDP: Bool
  let isInterrupted: (@convention(c) (UnsafeMutableRawPointer?) -> Int32)?
  let interruption: UnsafeMutableRawPointer?
  let memory: apus_media_memory?

  init(_ raw: apus_media_limits?) {
    threads = min(max(raw?.threads ?? 1, 1), 64)
    side = raw.map { $0.maximum_side > 0 ? $0.maximum_side : 16384 } ?? 16384
    pixels = raw.map { $0.maximum_pixels > 0 ? $0.maximum_pixels : 1 << 27 } ?? 1 << 27
    openTimeout = max(raw?.open_timeout_us ?? 0, 0)
    readTimeout = max(raw?.read_timeout_us ?? 0, 0)
    isOverUDP = raw?.rtsp_over_udp == 1
    isInterrupted = raw?.is_interrupted
    interruption = raw?.interruption
    memory = raw?.memory
  }

  func check(width: Int32, height: Int32) throws(MediaError) {
    guard width > 0, height > 0 else {
      throw MediaError(APUS_MEDIA_CORRUPT, "the frame size is \(width)x\(height)")
    }
    guard width <= side, height <= side, Int64(width) * Int64(height) <= pixels else {
      throw MediaError(
        APUS_MEDIA_LIMIT,
        "frames of \(width)x\(height) pixels are outside the limits: sides up to \(side), "
          + "\(pixels) pixels in all")
    }
  }
}
