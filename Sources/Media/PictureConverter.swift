import CFFmpeg
import CMedia

/// Brings decoded frames to one of the door's pixel formats, without a copy where they have one.
final class PictureConverter {
  private var context: OpaquePointer?
  private let buffers: PooledBuffers?

  /// - Parameter buffers: where converted frames lie; nil for memory of their own.
  init(_ buffers: PooledBuffers? = nil) { self.buffers = buffers }

  deinit { sws_freeContext(context) }

  /// Fills `target` from `frame`, which `target` then owns, or a converted copy of it.
  func export(
    _ frame: UnsafeMutablePointer<AVFrame>, to target: inout apus_media_frame
  ) throws(MediaError) {
    let format = AVPixelFormat(rawValue: frame.pointee.format)
    if let direct = PictureConverter.formats[format.rawValue], PictureConverter.isUpright(frame) {
      guard let owned = av_frame_clone(frame) else {
        throw MediaError(APUS_MEDIA_NO_MEMORY, "no memory for a frame")
      }
      fill(&target, owned, direct)
      return
    }
    let converted = try convert(frame, to: destination(for: format))
    guard let direct = PictureConverter.formats[converted.pointee.format] else {
      var unused: UnsafeMutablePointer<AVFrame>? = converted
      av_frame_free(&unused)
      throw MediaError(APUS_MEDIA_INTERNAL, "a converted frame has an unknown format")
    }
    fill(&target, converted, direct)
  }

  /// The formats that need no conversion.
  private static let formats: [Int32: apus_media_format] = [
    AV_PIX_FMT_RGB24.rawValue: APUS_MEDIA_RGB24, AV_PIX_FMT_BGR24.rawValue: APUS_MEDIA_BGR24,
    AV_PIX_FMT_GRAY8.rawValue: APUS_MEDIA_GRAY8, AV_PIX_FMT_NV12.rawValue: APUS_MEDIA_NV12,
    AV_PIX_FMT_NV21.rawValue: APUS_MEDIA_NV21, AV_PIX_FMT_YUV420P.rawValue: APUS_MEDIA_I420,
    AV_PIX_FMT_YUVJ420P.rawValue: APUS_MEDIA_I420, AV_PIX_FMT_RGBA.rawValue: APUS_MEDIA_RGBA,
  ]

  /// Bottom-up pictures have negative strides, which the door does not know.
  private static func isUpright(_ frame: UnsafeMutablePointer<AVFrame>) -> Bool {
    let sizes = frame.pointee.linesize
    return sizes.0 > 0 && sizes.1 >= 0 && sizes.2 >= 0
  }

  private func destination(for format: AVPixelFormat) -> AVPixelFormat {
    guard let description = av_pix_fmt_desc_get(format)?.pointee else { return AV_PIX_FMT_RGB24 }
    let hasAlpha = description.flags & UInt64(AV_PIX_FMT_FLAG_ALPHA) != 0
    if description.nb_components <= 2, format != AV_PIX_FMT_PAL8 { return AV_PIX_FMT_GRAY8 }
    return hasAlpha && format != AV_PIX_FMT_PAL8 ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24
  }

  private func convert(
    _ frame: UnsafeMutablePointer<AVFrame>, to format: AVPixelFormat
  ) throws(MediaError) -> UnsafeMutablePointer<AVFrame> {
    let (width, height) = (frame.pointee.width, frame.pointee.height)
    let source = AVPixelFormat(rawValue: frame.pointee.format)
    context = sws_getCachedContext(
      context, width, height, source, width, height, format,
      SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nil, nil, nil)
    guard let context, let result = av_frame_alloc() else {
      throw MediaError(
        APUS_MEDIA_UNSUPPORTED,
        "pixel format \(av_get_pix_fmt_name(source).map { String(cString: $0) } ?? "?") cannot be "
          + "converted")
    }
    let isFull = frame.pointee.color_range == AVCOL_RANGE_JPEG ? Int32(1) : 0
    let table = sws_getCoefficients(coefficients(frame.pointee.colorspace))
    sws_setColorspaceDetails(context, table, isFull, table, 1, 0, 1 << 16, 1 << 16)
    result.pointee.width = width
    result.pointee.height = height
    result.pointee.format = format.rawValue
    result.pointee.pts = frame.pointee.pts
    result.pointee.color_range = AVCOL_RANGE_JPEG
    var owned: UnsafeMutablePointer<AVFrame>? = result
    var status = buffers?.fill(result) ?? av_frame_get_buffer(result, 64)
    if status >= 0 { status = sws_scale_frame(context, result, frame) }
    guard status >= 0 else {
      av_frame_free(&owned)
      if let refusal = buffers?.takeRefusal() { throw refusal }
      throw MediaError(status, "a frame of \(width)x\(height) cannot be converted")
    }
    return result
  }

  private func coefficients(_ space: AVColorSpace) -> Int32 {
    switch space {
    case AVCOL_SPC_BT709: SWS_CS_ITU709
    case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL: SWS_CS_BT2020
    default: SWS_CS_ITU601
    }
  }

  private func fill(
    _ target: inout apus_media_frame, _ frame: UnsafeMutablePointer<AVFrame>,
    _ format: apus_media_format
  ) {
    let raw = frame.pointee
    target.format = Int32(bitPattern: format.rawValue)
    target.width = raw.width
    target.height = raw.height
    target.matrix =
      switch raw.colorspace {
      case AVCOL_SPC_BT709: Int32(APUS_MEDIA_MATRIX_BT709.rawValue)
      case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL: Int32(APUS_MEDIA_MATRIX_BT2020.rawValue)
      case AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M: Int32(APUS_MEDIA_MATRIX_BT601.rawValue)
      default: Int32(APUS_MEDIA_MATRIX_UNTAGGED.rawValue)
      }
    let isFull =
      raw.color_range == AVCOL_RANGE_JPEG || raw.format == AV_PIX_FMT_YUVJ420P.rawValue
    target.range =
      isFull
      ? Int32(APUS_MEDIA_RANGE_FULL.rawValue)
      : raw.color_range == AVCOL_RANGE_MPEG
        ? Int32(APUS_MEDIA_RANGE_LIMITED.rawValue) : Int32(APUS_MEDIA_RANGE_UNTAGGED.rawValue)
    target.planes = (
      UnsafePointer(raw.data.0), UnsafePointer(raw.data.1), UnsafePointer(raw.data.2)
    )
    target.strides = (Int64(raw.linesize.0), Int64(raw.linesize.1), Int64(raw.linesize.2))
    target.owner = UnsafeMutableRawPointer(frame)
  }
}
