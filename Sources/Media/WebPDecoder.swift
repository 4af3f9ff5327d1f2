import CFFmpeg
import CMedia
import CWebP

/// Decodes WebP by the format's own library: FFmpeg stops at the sub-sampled colours of lossy
/// pictures, and how those are brought to full size is part of what other programs see.
enum WebPDecoder {
  static func decode(
    _ bytes: UnsafeBufferPointer<UInt8>, _ limits: DecodingLimits
  ) throws(MediaError) -> UnsafeMutablePointer<AVFrame> {
    var features = WebPBitstreamFeatures()
    guard WebPGetFeatures(bytes.baseAddress, bytes.count, &features) == VP8_STATUS_OK else {
      throw damaged(bytes.count)
    }
    guard features.has_animation == 0 else {
      throw MediaError(APUS_MEDIA_UNSUPPORTED, "is an animated WebP, which is no picture")
    }
    let (width, height) = (features.width, features.height)
    guard Int64(width) * Int64(height) <= limits.pixels else {
      throw MediaError(
        APUS_MEDIA_LIMIT,
        "a picture of \(width)x\(height) pixels is larger than \(limits.pixels) in all")
    }
    try limits.check(width: width, height: height)
    let hasAlpha = features.has_alpha != 0
    var frame = av_frame_alloc()
    guard let result = frame else {
      throw MediaError(APUS_MEDIA_NO_MEMORY, "no memory for a picture")
    }
    result.pointee.width = width
    result.pointee.height = height
    result.pointee.format = (hasAlpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24).rawValue
    result.pointee.color_range = AVCOL_RANGE_JPEG
    guard av_frame_get_buffer(result, 64) >= 0, let target = result.pointee.data.0 else {
      av_frame_free(&frame)
      throw MediaError(APUS_MEDIA_NO_MEMORY, "no memory for a picture of \(width)x\(height)")
    }
    let stride = result.pointee.linesize.0
    let size = Int(stride) * Int(height)
    let decoded =
      hasAlpha
      ? WebPDecodeRGBAInto(bytes.baseAddress, bytes.count, target, size, stride)
      : WebPDecodeRGBInto(bytes.baseAddress, bytes.count, target, size, stride)
    guard decoded != nil else {
      av_frame_free(&frame)
      throw damaged(bytes.count)
    }
    return result
  }

  private static func damaged(_ count: Int) -> MediaError {
    MediaError(APUS_MEDIA_CORRUPT, "the webp data (\(count) bytes) is damaged or cut off")
  }
}
