import CFFmpeg
import CMedia

#if canImport(Glibc)
  import Glibc
#endif

/// What a decoder may take.
struct DecodingLimits {
  let threads: Int32
  let side: Int32
  let pixels: Int64

  init(_ raw: apus_media_limits?) {
    threads = min(max(raw?.threads ?? 1, 1), 64)
    side = raw.map { $0.maximum_side > 0 ? $0.maximum_side : 16384 } ?? 16384
    pixels = raw.map { $0.maximum_pixels > 0 ? $0.maximum_pixels : 1 << 27 } ?? 1 << 27
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

/// Decodes the best video stream of a file.
final class Decoder {
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var packet = av_packet_alloc()
  private var frame = av_frame_alloc()
  private let converter = PictureConverter()
  private let limits: DecodingLimits
  private var streamIndex: Int32 = -1
  private var timeBase = AVRational(num: 1, den: 1)
  private var startTime: Int64 = 0
  private var packets: Int64 = 0
  private var declaredFrames: Int64 = 0
  private var declaredDuration: Int64 = 0
  private var lastTime: Int64 = 0
  /// Whether the last packet read is not whole.
  private var isLastCut = false
  /// Why no more packets come: nil while they do, 0 at the proper end.
  private var readEnd: Int32?
  private var isDrained = false
  private(set) var statistics = apus_media_statistics()

  /// Opens a file or an address and finds its video.
  init(_ url: String, _ limits: DecodingLimits) throws(MediaError) {
    self.limits = limits
    let isAddress = url.contains("://")
    if !isAddress {
      var status = stat()
      guard stat(url, &status) == 0 else {
        throw MediaError(-errno, "cannot be opened")
      }
      guard status.st_mode & S_IFMT != S_IFDIR else {
        throw MediaError(APUS_MEDIA_UNREADABLE, "is a directory")
      }
    }
    var options: OpaquePointer?
    // A file may not name others, near or far.
    if !isAddress { av_dict_set(&options, "protocol_whitelist", "file", 0) }
    defer { av_dict_free(&options) }
    try require(
      avformat_open_input(&format, isAddress ? url : "file:" + url, nil, &options),
      "cannot be read as a video")
    try require(avformat_find_stream_info(format, nil), "holds no readable streams")
    try openStream()
  }

  deinit {
    avcodec_free_context(&codec)
    avformat_close_input(&format)
    av_packet_free(&packet)
    av_frame_free(&frame)
  }

  private func openStream() throws(MediaError) {
    var decoder: UnsafePointer<AVCodec>?
    streamIndex = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0)
    guard streamIndex >= 0, let decoder, let stream = self.stream,
      let parameters = stream.pointee.codecpar
    else {
      throw MediaError(APUS_MEDIA_UNSUPPORTED, "holds no video that can be decoded")
    }
    try limits.check(width: parameters.pointee.width, height: parameters.pointee.height)
    codec = avcodec_alloc_context3(decoder)
    guard let codec else { throw MediaError(APUS_MEDIA_NO_MEMORY, "no memory for a decoder") }
    try require(
      avcodec_parameters_to_context(codec, parameters), "the video's parameters are damaged")
    codec.pointee.thread_count = limits.threads
    codec.pointee.max_pixels = limits.pixels
    codec.pointee.pkt_timebase = stream.pointee.time_base
    try require(avcodec_open2(codec, decoder, nil), "the video decoder cannot start")
    timeBase = stream.pointee.time_base
    startTime = stream.pointee.start_time == ff_AV_NOPTS_VALUE ? 0 : stream.pointee.start_time
    declaredFrames = max(stream.pointee.nb_frames, 0)
    let micro = AVRational(num: 1, den: 1_000_000)
    if stream.pointee.duration != ff_AV_NOPTS_VALUE, stream.pointee.duration > 0 {
      declaredDuration = av_rescale_q(stream.pointee.duration, timeBase, micro)
    } else if let format, format.pointee.duration != ff_AV_NOPTS_VALUE {
      declaredDuration = max(format.pointee.duration, 0)
    }
  }

  private var stream: UnsafeMutablePointer<AVStream>? {
    guard let format, streamIndex >= 0, streamIndex < Int32(clamping: format.pointee.nb_streams)
    else { return nil }
    return format.pointee.streams?[Int(streamIndex)]
  }

  /// What is known of the video.
  var info: apus_media_info {
    var info = apus_media_info()
    guard let stream, let parameters = stream.pointee.codecpar, let format else { return info }
    info.width = parameters.pointee.width
    info.height = parameters.pointee.height
    let rate = av_guess_frame_rate(format, stream, nil)
    if rate.num > 0, rate.den > 0 {
      info.rate_numerator = rate.num
      info.rate_denominator = rate.den
    }
    info.rotation = rotation(stream)
    info.frame_count = declaredFrames
    info.duration_us = declaredDuration
    let codecName = String(cString: avcodec_get_name(parameters.pointee.codec_id))
    withUnsafeMutableBytes(of: &info.codec) { copy(codecName, to: $0) }
    if let name = format.pointee.iformat?.pointee.name {
      withUnsafeMutableBytes(of: &info.container) { copy(String(cString: name), to: $0) }
    }
    return info
  }

  /// The clockwise turn that the display matrix asks for, in quarter turns.
  private func rotation(_ stream: UnsafeMutablePointer<AVStream>) -> Int32 {
    var size = 0
    guard let data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size),
      size >= 36
    else { return 0 }
    let angle = data.withMemoryRebound(to: Int32.self, capacity: 9) {
      av_display_rotation_get($0)
    }
    guard angle.isFinite else { return 0 }
    let quarters = Int((-angle / 90).rounded()) % 4
    return Int32((quarters + 4) % 4 * 90)
  }

  /// Decodes the next frame; false after the last.
  func next(_ target: inout apus_media_frame) throws(MediaError) -> Bool {
    guard let codec, let frame, let packet else {
      throw MediaError(APUS_MEDIA_NO_MEMORY, "no memory for a decoder")
    }
    while !isDrained {
      let status = avcodec_receive_frame(codec, frame)
      if status >= 0 {
        try hand(frame, to: &target)
        av_frame_unref(frame)
        return true
      }
      if status == ff_AVERROR_EOF {
        isDrained = true
      } else if status == ff_AVERROR_EAGAIN {
        try feed(codec, packet)
      } else {
        count(status)
        if readEnd != nil { isDrained = true }
      }
    }
    try judgeEnd()
    return false
  }

  /// Gives the decoder one more packet, or tells it that there are no more.
  private func feed(
    _ codec: UnsafeMutablePointer<AVCodecContext>, _ packet: UnsafeMutablePointer<AVPacket>
  ) throws(MediaError) {
    guard readEnd == nil else {
      isDrained = true
      return
    }
    while true {
      let status = av_read_frame(format, packet)
      guard status >= 0 else {
        readEnd = status == ff_AVERROR_EOF ? readerFault : status
        avcodec_send_packet(codec, nil)
        return
      }
      defer { av_packet_unref(packet) }
      guard packet.pointee.stream_index == streamIndex else { continue }
      packets += 1
      isLastCut = packet.pointee.flags & AV_PKT_FLAG_CORRUPT != 0
      let sent = avcodec_send_packet(codec, packet)
      if sent == ff_AVERROR_ENOMEM { throw MediaError(sent, "decoding") }
      if sent < 0 { count(sent) }
      return
    }
  }

  /// What the byte reader met before the end: 0 for nothing.
  private var readerFault: Int32 {
    guard let reader = format?.pointee.pb else { return 0 }
    return reader.pointee.error < 0 && reader.pointee.error != ff_AVERROR_EOF
      ? reader.pointee.error : 0
  }

  private func count(_ status: Int32) {
    statistics.errors += 1
    guard statistics.errors == 1 else { return }
    let text = "packet \(packets) after \(place): \(MediaError.text(status))"
    withUnsafeMutableBytes(of: &statistics.first_error) { copy(text, to: $0) }
  }

  private func hand(
    _ frame: UnsafeMutablePointer<AVFrame>, to target: inout apus_media_frame
  ) throws(MediaError) {
    try limits.check(width: frame.pointee.width, height: frame.pointee.height)
    if frame.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0 || frame.pointee.decode_error_flags != 0 {
      statistics.damaged += 1
    }
    target = apus_media_frame()
    try converter.export(frame, to: &target)
    let time = frame.pointee.best_effort_timestamp
    if time != ff_AV_NOPTS_VALUE {
      lastTime = av_rescale_q(
        time &- startTime, timeBase, AVRational(num: 1, den: 1_000_000))
      target.has_time = 1
      target.time_us = lastTime
    }
    statistics.frames += 1
  }

  /// Where decoding stands, in words.
  private var place: String {
    "frame \(statistics.frames) (\(Double(lastTime / 1000) / 1000) s)"
  }

  /// Throws where the file ended before it should have.
  private func judgeEnd() throws(MediaError) {
    let total =
      declaredFrames > 0
      ? " of \(declaredFrames) (\(Double(declaredDuration / 1000) / 1000) s)" : ""
    if let readEnd, readEnd < 0 {
      throw MediaError(readEnd, "reading stopped after \(place)\(total)")
    }
    if isLastCut || (declaredFrames > 0 && packets < declaredFrames) {
      throw MediaError(
        APUS_MEDIA_CORRUPT,
        "the file is cut off: it ends after \(place)\(total)")
    }
    if statistics.frames == 0 {
      let first = withUnsafeBytes(of: &statistics.first_error) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      throw MediaError(
        APUS_MEDIA_CORRUPT,
        "none of \(packets) packets could be decoded" + (first.isEmpty ? "" : ": \(first)"))
    }
  }
}
