import CFFmpeg
import CMedia

#if canImport(Glibc)
  import Glibc
#endif

/// Decodes the best video stream of a file or an address.
final class Decoder {
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private var file: UnsafeMutablePointer<AVIOContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var packet = av_packet_alloc()
  private var frame = av_frame_alloc()
  private let converter: PictureConverter
  private let limits: DecodingLimits
  private let address: MediaAddress
  private let watch: Watch
  private let buffers: PooledBuffers
  private var streamIndex: Int32 = -1
  private var timeBase = AVRational(num: 1, den: 1)
  /// The presentation time of the first frame; of a live stream nil until a frame tells.
  private var startTime: Int64?
  private var packets: Int64 = 0
  private var passFrames: Int64 = 0
  private var declaredFrames: Int64 = 0
  private var declaredDuration: Int64 = 0
  private var lastTime: Int64 = 0
  /// Whether this is an address without a known end: neither a duration nor a size is declared.
  private var isLive = false
  /// Whether the last packet read is not whole.
  private var isLastCut = false
  /// Why no more packets come: nil while they do, 0 at the proper end.
  private var readEnd: Int32?
  private var isDrained = false
  private var counts = apus_media_statistics()

  /// Opens a file or an address and finds its video.
  init(_ url: String, _ limits: DecodingLimits) throws(MediaError) {
    self.limits = limits
    watch = Watch(limits)
    buffers = PooledBuffers(limits.memory)
    converter = PictureConverter(buffers)
    address = try MediaAddress(url)
    try open()
  }

  deinit {
    close()
    av_packet_free(&packet)
    av_frame_free(&frame)
  }

  private func open() throws(MediaError) {
    try address.checkFile()
    watch.begin(limits.openTimeout)
    if let host = address.host {
      try HostLookup.check(host, watch)
      try waited(0, "cannot be opened")
    }
    var options = address.options(limits)
    defer { av_dict_free(&options) }
    format = avformat_alloc_context()
    guard let format else { throw MediaError(APUS_MEDIA_NO_MEMORY, "no memory for a decoder") }
    format.pointee.interrupt_callback = watch.callback
    if !address.isAddress {
      // The file is opened here, so that its contents may open nothing at all.
      try waited(
        avio_open2(&file, address.url, AVIO_FLAG_READ, &format.pointee.interrupt_callback, nil),
        "cannot be opened")
      format.pointee.pb = file
    }
    try waited(
      avformat_open_input(&self.format, address.url, nil, &options),
      address.isAddress ? "cannot be opened" : "cannot be read as a video")
    try waited(avformat_find_stream_info(self.format, nil), "holds no readable streams")
    try openStream()
  }

  private func close() {
    avcodec_free_context(&codec)
    // Saying goodbye to a server may not take long.
    watch.begin(1_000_000)
    avformat_close_input(&format)
    avio_closep(&file)
  }

  /// Throws where a call that may wait for a network failed, by what ended the wait.
  private func waited(_ result: Int32, _ what: String) throws(MediaError) {
    if result >= 0, !watch.mustStop() { return }
    switch watch.verdict {
    case .interrupted:
      throw MediaError(
        APUS_MEDIA_INTERRUPTED, "opening was interrupted after \(watch.elapsed)")
    case .timedOut:
      throw MediaError(
        APUS_MEDIA_TIMED_OUT,
        "did not deliver a video within \(watch.allowed); check the address and the server, or "
          + "raise the time limit for opening")
    case nil where address.isAddress:
      throw MediaError(network: result, what, watch)
    case nil:
      throw MediaError(result, what)
    }
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
    readDeclarations(stream)
    for index in 0..<Int(clamping: format?.pointee.nb_streams ?? 0) where index != streamIndex {
      format?.pointee.streams?[index]?.pointee.discard = AVDISCARD_ALL
    }
    codec = avcodec_alloc_context3(decoder)
    guard let codec else { throw MediaError(APUS_MEDIA_NO_MEMORY, "no memory for a decoder") }
    try require(
      avcodec_parameters_to_context(codec, parameters), "the video's parameters are damaged")
    codec.pointee.thread_count = limits.threads
    // Threads that share one frame add no delay; threads with a frame each do.
    if isLive { codec.pointee.thread_type = FF_THREAD_SLICE }
    buffers.attach(to: codec)
    codec.pointee.max_pixels = limits.pixels
    codec.pointee.pkt_timebase = stream.pointee.time_base
    try require(avcodec_open2(codec, decoder, nil), "the video decoder cannot start")
  }

  /// Takes over what the container says of the stream's times.
  private func readDeclarations(_ stream: UnsafeMutablePointer<AVStream>) {
    timeBase = stream.pointee.time_base
    declaredFrames = max(stream.pointee.nb_frames, 0)
    declaredDuration = 0
    let micro = AVRational(num: 1, den: 1_000_000)
    if stream.pointee.duration != ff_AV_NOPTS_VALUE, stream.pointee.duration > 0 {
      declaredDuration = av_rescale_q(stream.pointee.duration, timeBase, micro)
    } else if let format, format.pointee.duration != ff_AV_NOPTS_VALUE {
      declaredDuration = max(format.pointee.duration, 0)
    }
    isLive = address.isAddress && declaredDuration == 0 && !hasKnownSize
    let start = stream.pointee.start_time
    startTime = isLive ? nil : start == ff_AV_NOPTS_VALUE ? 0 : start
  }

  /// Whether the bytes that come have a known number; playlists tell of their own bytes only.
  private var hasKnownSize: Bool {
    guard let reader = format?.pointee.pb, let name = format?.pointee.iformat?.pointee.name,
      !["hls", "dash"].contains(String(cString: name))
    else { return false }
    return avio_size(reader) > 0
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
    info.is_live = isLive ? 1 : 0
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

  /// What has been met so far.
  var statistics: apus_media_statistics {
    var counts = counts
    counts.unpooled = buffers.unpooled
    return counts
  }

  /// Decodes the next frame; false after the last.
  func next(_ target: inout apus_media_frame) throws(MediaError) -> Bool {
    guard let codec, let frame, let packet else {
      throw MediaError(APUS_MEDIA_NO_MEMORY, "no memory for a decoder")
    }
    watch.begin(limits.readTimeout)
    let begin = Watch.now
    while !isDrained {
      let status = avcodec_receive_frame(codec, frame)
      if status >= 0 {
        defer { av_frame_unref(frame) }
        try hand(frame, to: &target)
        return true
      }
      if status == ff_AVERROR_EOF {
        isDrained = true
      } else if status == ff_AVERROR_EAGAIN {
        try feed(codec, packet)
        if isLive, limits.readTimeout > 0, Watch.now - begin > 4 * limits.readTimeout {
          throw MediaError(
            APUS_MEDIA_TIMED_OUT,
            "packets come, but no frame could be decoded from them for "
              + "\(Watch.seconds(Watch.now - begin)) after \(place)")
        }
      } else {
        try count(status)
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
    watch.begin(limits.readTimeout)
    while true {
      let status = av_read_frame(format, packet)
      guard status >= 0, !watch.mustStop() else {
        if status >= 0 { av_packet_unref(packet) }
        try checkWait()
        readEnd = status == ff_AVERROR_EOF ? readerFault : status
        avcodec_send_packet(codec, nil)
        return
      }
      defer { av_packet_unref(packet) }
      guard packet.pointee.stream_index == streamIndex else { continue }
      packets += 1
      isLastCut = packet.pointee.flags & AV_PKT_FLAG_CORRUPT != 0
      let sent = avcodec_send_packet(codec, packet)
      if sent == ff_AVERROR_ENOMEM, buffers.refusal == nil { throw MediaError(sent, "decoding") }
      if sent < 0 { try count(sent) }
      return
    }
  }

  /// Throws where the wait for a packet was ended by time or by the caller.
  private func checkWait() throws(MediaError) {
    switch watch.verdict {
    case .timedOut:
      throw MediaError(
        APUS_MEDIA_TIMED_OUT,
        "nothing came for \(watch.allowed) after \(place); check the camera or server, or raise "
          + "the time limit for reading")
    case .interrupted:
      throw MediaError(APUS_MEDIA_INTERRUPTED, "reading was interrupted after \(place)")
    case nil: break
    }
  }

  /// What the byte reader met before the end: 0 for nothing.
  private var readerFault: Int32 {
    guard let reader = format?.pointee.pb else { return 0 }
    return reader.pointee.error < 0 && reader.pointee.error != ff_AVERROR_EOF
      ? reader.pointee.error : 0
  }

  /// Counts a packet that could not be decoded; throws where memory was refused.
  private func count(_ status: Int32) throws(MediaError) {
    if let refusal = buffers.takeRefusal() { throw refusal }
    counts.errors += 1
    guard counts.errors == 1 else { return }
    let text = "packet \(packets) after \(place): \(MediaError.text(status))"
    withUnsafeMutableBytes(of: &counts.first_error) { copy(text, to: $0) }
  }

  private func hand(
    _ frame: UnsafeMutablePointer<AVFrame>, to target: inout apus_media_frame
  ) throws(MediaError) {
    try limits.check(width: frame.pointee.width, height: frame.pointee.height)
    if frame.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0 || frame.pointee.decode_error_flags != 0 {
      counts.damaged += 1
    }
    target = apus_media_frame()
    try converter.export(frame, to: &target)
    if let time = time(of: frame) {
      lastTime = time
      target.has_time = 1
      target.time_us = lastTime
    }
    counts.frames += 1
    passFrames += 1
  }

  /// The time of a frame from the start of the stream, in microseconds.
  ///
  /// A live stream starts with its first frame, whose time servers often leave out.
  private func time(of frame: UnsafeMutablePointer<AVFrame>) -> Int64? {
    let micro = AVRational(num: 1, den: 1_000_000)
    let time = frame.pointee.best_effort_timestamp
    if time != ff_AV_NOPTS_VALUE, let startTime {
      return av_rescale_q(time &- startTime, timeBase, micro)
    }
    guard isLive, let stream else { return nil }
    let rate = av_guess_frame_rate(format, stream, nil)
    let period = rate.num > 0 && rate.den > 0 ? AVRational(num: rate.den, den: rate.num) : micro
    let guess = startTime == nil ? av_rescale_q(passFrames, period, micro) : nil
    if time != ff_AV_NOPTS_VALUE {
      startTime = time &- av_rescale_q(guess ?? 0, micro, timeBase)
    }
    return guess
  }

  /// Where decoding stands, in words.
  private var place: String {
    "frame \(passFrames) (\(Double(lastTime / 1000) / 1000) s)"
  }

  /// Throws where the file ended before it should have.
  private func judgeEnd() throws(MediaError) {
    let total =
      declaredFrames > 0
      ? " of \(declaredFrames) (\(Double(declaredDuration / 1000) / 1000) s)" : ""
    if isLive {
      throw MediaError(network: readEnd ?? 0, "the stream ended after \(place)", watch)
    }
    if let readEnd, readEnd < 0 {
      if address.isAddress {
        throw MediaError(network: readEnd, "reading stopped after \(place)\(total)", watch)
      }
      throw MediaError(readEnd, "reading stopped after \(place)\(total)")
    }
    if isLastCut || (declaredFrames > 0 && packets < declaredFrames) {
      throw MediaError(
        APUS_MEDIA_CORRUPT,
        "the file is cut off: it ends after \(place)\(total)")
    }
    if passFrames == 0 {
      let first = withUnsafeBytes(of: &counts.first_error) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      throw MediaError(
        APUS_MEDIA_CORRUPT,
        "none of \(packets) packets could be decoded" + (first.isEmpty ? "" : ": \(first)"))
    }
  }

  /// Goes back to before the first frame: seeks, or opens again what cannot seek.
  func rewind() throws(MediaError) {
    guard !isLive else {
      throw MediaError(APUS_MEDIA_USAGE, "a live stream cannot be played from its beginning")
    }
    watch.begin(limits.openTimeout)
    if let codec, let stream, seeksExactly {
      let start =
        stream.pointee.start_time == ff_AV_NOPTS_VALUE ? 0 : stream.pointee.start_time
      if avformat_seek_file(format, streamIndex, Int64.min, start, start, 0) >= 0 {
        avcodec_flush_buffers(codec)
        restart()
        return
      }
    }
    close()
    restart()
    try open()
  }

  /// Whether a seek to the first frame leads to the same frames as opening does.
  private var seeksExactly: Bool {
    guard let name = format?.pointee.iformat?.pointee.name else { return false }
    return ["mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"].contains(String(cString: name))
  }

  private func restart() {
    packets = 0
    passFrames = 0
    lastTime = 0
    isLastCut = false
    readEnd = nil
    isDrained = false
  }
}
