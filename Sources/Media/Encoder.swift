import CFFmpeg
import CMedia

/// Encodes H.264 into an MP4 file.
final class Encoder {
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var packet = av_packet_alloc()
  private var frame = av_frame_alloc()
  private var stream: UnsafeMutablePointer<AVStream>?
  private let width: Int32
  private let height: Int32
  private let rate: AVRational
  private var lastTime: Int64 = -1
  private var isOpen = false
  private var isFinished = false

  init(_ path: String, _ settings: apus_media_encoding) throws(MediaError) {
    width = settings.width
    height = settings.height
    rate = AVRational(num: settings.rate_numerator, den: settings.rate_denominator)
    guard width > 0, height > 0, width <= 16384, height <= 16384, rate.num > 0, rate.den > 0 else {
      throw MediaError(
        APUS_MEDIA_UNSUPPORTED,
        "a video of \(width)x\(height) at \(rate.num)/\(rate.den) frames per second cannot be "
          + "encoded; sides may have up to 16384 pixels")
    }
    guard let encoder = avcodec_find_encoder_by_name("libx264") else {
      throw MediaError(
        APUS_MEDIA_UNSUPPORTED, "this FFmpeg has no libx264; install Debian's libavcodec59")
    }
    try require(
      avformat_alloc_output_context2(&format, nil, "mp4", path), "MP4 cannot be written",
      writing: true)
    codec = avcodec_alloc_context3(encoder)
    guard let format, let codec, let frame, packet != nil,
      let stream = avformat_new_stream(format, nil)
    else { throw MediaError(APUS_MEDIA_NO_MEMORY, "no memory for an encoder") }
    self.stream = stream
    configure(codec, settings)
    if format.pointee.oformat.pointee.flags & AVFMT_GLOBALHEADER != 0 {
      codec.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
    }
    try require(avcodec_open2(codec, encoder, nil), "the H.264 encoder cannot start", writing: true)
    try require(
      avcodec_parameters_from_context(stream.pointee.codecpar, codec), "encoder parameters",
      writing: true)
    stream.pointee.time_base = codec.pointee.time_base
    stream.pointee.avg_frame_rate = rate
    frame.pointee.format = AV_PIX_FMT_YUV420P.rawValue
    frame.pointee.width = codec.pointee.width
    frame.pointee.height = codec.pointee.height
    try require(av_frame_get_buffer(frame, 64), "a frame of \(width)x\(height)", writing: true)
    try require(
      avio_open(&format.pointee.pb, "file:" + path, AVIO_FLAG_WRITE), "cannot be created",
      writing: true)
    isOpen = true
    var options: OpaquePointer?
    av_dict_set(&options, "movflags", "+faststart", 0)
    defer { av_dict_free(&options) }
    format.pointee.flags |= AVFMT_FLAG_BITEXACT
    try require(avformat_write_header(format, &options), "cannot be written", writing: true)
    try checkWriter()
  }

  private func configure(
    _ codec: UnsafeMutablePointer<AVCodecContext>, _ settings: apus_media_encoding
  ) {
    codec.pointee.width = (width + 1) / 2 * 2
    codec.pointee.height = (height + 1) / 2 * 2
    codec.pointee.pix_fmt = AV_PIX_FMT_YUV420P
    codec.pointee.time_base = AVRational(num: rate.den, den: rate.num)
    codec.pointee.framerate = rate
    codec.pointee.thread_count = min(max(settings.threads, 1), 64)
    codec.pointee.color_range =
      settings.range == Int32(APUS_MEDIA_RANGE_FULL.rawValue) ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG
    switch UInt32(bitPattern: settings.matrix) {
    case APUS_MEDIA_MATRIX_BT709.rawValue: codec.pointee.colorspace = AVCOL_SPC_BT709
    case APUS_MEDIA_MATRIX_BT2020.rawValue: codec.pointee.colorspace = AVCOL_SPC_BT2020_NCL
    case APUS_MEDIA_MATRIX_BT601.rawValue: codec.pointee.colorspace = AVCOL_SPC_SMPTE170M
    default: break
    }
    let quality = settings.quality < 0 ? 23 : min(settings.quality, 51)
    av_opt_set(codec.pointee.priv_data, "crf", "\(quality)", 0)
    av_opt_set(codec.pointee.priv_data, "preset", "veryfast", 0)
  }

  deinit {
    avcodec_free_context(&codec)
    if let format {
      if isOpen { avio_closep(&format.pointee.pb) }
      avformat_free_context(format)
    }
    av_packet_free(&packet)
    av_frame_free(&frame)
  }

  /// Encodes one I420 frame.
  func write(_ picture: apus_media_frame) throws(MediaError) {
    guard !isFinished, let codec, let frame else {
      throw MediaError(APUS_MEDIA_USAGE, "the video is finished already")
    }
    guard picture.format == Int32(APUS_MEDIA_I420.rawValue), picture.width == width,
      picture.height == height
    else {
      throw MediaError(
        APUS_MEDIA_USAGE,
        "the video takes I420 frames of \(width)x\(height), not format \(picture.format) of "
          + "\(picture.width)x\(picture.height)")
    }
    try require(av_frame_make_writable(frame), "a frame", writing: true)
    let chroma = ((width + 1) / 2, (height + 1) / 2)
    let target = frame.pointee
    try fill(
      target.data.0, Int(target.linesize.0), codec.pointee.width, codec.pointee.height,
      from: picture.planes.0, Int(picture.strides.0), width, height)
    try fill(
      target.data.1, Int(target.linesize.1), chroma.0, chroma.1, from: picture.planes.1,
      Int(picture.strides.1), chroma.0, chroma.1)
    try fill(
      target.data.2, Int(target.linesize.2), chroma.0, chroma.1, from: picture.planes.2,
      Int(picture.strides.2), chroma.0, chroma.1)
    frame.pointee.pts = time(of: picture)
    frame.pointee.pict_type = AV_PICTURE_TYPE_NONE
    try require(avcodec_send_frame(codec, frame), "encoding", writing: true)
    try drain()
  }

  /// The place of a frame in units of the frame rate: by its time, but always after the last.
  private func time(of picture: apus_media_frame) -> Int64 {
    var time = lastTime + 1
    if picture.has_time == 1 {
      let own = av_rescale_q(
        picture.time_us, AVRational(num: 1, den: 1_000_000),
        AVRational(num: rate.den, den: rate.num))
      // A gap of more than a day is a broken clock, not a pause.
      let day = Int64(rate.num) * 86_400 / Int64(rate.den)
      if own > time, own - time < day { time = own }
    }
    lastTime = time
    return time
  }

  /// Copies a plane, repeating its last column and row to fill the target.
  private func fill(
    _ target: UnsafeMutablePointer<UInt8>?, _ targetStride: Int, _ targetWidth: Int32,
    _ targetHeight: Int32, from source: UnsafePointer<UInt8>?, _ sourceStride: Int,
    _ width: Int32, _ height: Int32
  ) throws(MediaError) {
    guard let target, let source, sourceStride >= Int(width) else {
      throw MediaError(APUS_MEDIA_USAGE, "a frame without its planes")
    }
    for y in 0..<Int(targetHeight) {
      let from = source + min(y, Int(height) - 1) * sourceStride
      let to = target + y * targetStride
      to.update(from: from, count: Int(width))
      for x in Int(width)..<max(Int(targetWidth), Int(width)) { to[x] = from[Int(width) - 1] }
    }
  }

  private func drain() throws(MediaError) {
    guard let codec, let packet, let format, let stream else { return }
    while true {
      let status = avcodec_receive_packet(codec, packet)
      if status == ff_AVERROR_EAGAIN || status == ff_AVERROR_EOF { return }
      try require(status, "encoding", writing: true)
      packet.pointee.stream_index = stream.pointee.index
      packet.pointee.duration = 1
      av_packet_rescale_ts(packet, codec.pointee.time_base, stream.pointee.time_base)
      try require(av_interleaved_write_frame(format, packet), "cannot be written", writing: true)
      try checkWriter()
    }
  }

  private func checkWriter() throws(MediaError) {
    if let fault = format?.pointee.pb?.pointee.error, fault < 0 {
      throw MediaError(fault, "cannot be written", writing: true)
    }
  }

  /// Writes what is left and closes the file.
  func finish() throws(MediaError) {
    guard !isFinished, let codec, let format else {
      throw MediaError(APUS_MEDIA_USAGE, "the video is finished already")
    }
    isFinished = true
    try require(avcodec_send_frame(codec, nil), "encoding", writing: true)
    try drain()
    try require(av_write_trailer(format), "cannot be written", writing: true)
    avio_flush(format.pointee.pb)
    try checkWriter()
    isOpen = false
    try require(avio_closep(&format.pointee.pb), "cannot be written", writing: true)
  }
}
