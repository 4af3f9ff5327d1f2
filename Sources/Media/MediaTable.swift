// The C door: the table of functions that libApusMedia.so hands out. Nothing else is exported, and
// no Swift type passes through.
import CFFmpeg
import CMedia

/// Returns the table, or null where the caller speaks another version.
@c(apus_media_api) public func mediaTable(_ version: UInt32) -> UnsafeRawPointer? {
  guard version == UInt32(APUS_MEDIA_VERSION) else { return nil }
  return UnsafeRawPointer(SharedTable.pointer)
}

/// The one table, made at the first call and never changed.
private enum SharedTable {
  nonisolated(unsafe) static let pointer: UnsafeMutablePointer<apus_media_table> = {
    av_log_set_level(AV_LOG_QUIET)
    let table = UnsafeMutablePointer<apus_media_table>.allocate(capacity: 1)
    table.initialize(
      to: apus_media_table(
        version: UInt32(APUS_MEDIA_VERSION),
        byte_count: UInt32(MemoryLayout<apus_media_table>.size), describe: describe,
        open: openDecoder, next: nextFrame, rewind: rewindDecoder, statistics: decoderStatistics,
        close: closeDecoder,
        release_frame: releaseFrame, decode_image: decodeImage, create: createEncoder,
        write: writeFrame, finish: finishEncoder, destroy: destroyEncoder))
    return table
  }()
}

/// Runs `body`, stores its error, and returns a status.
private func status(
  _ target: UnsafeMutablePointer<apus_media_error>?, _ body: () throws(MediaError) -> Void
) -> Int32 {
  do throws(MediaError) {
    try body()
    return Int32(APUS_MEDIA_OK.rawValue)
  } catch {
    error.store(in: target)
    return Int32(bitPattern: error.code.rawValue)
  }
}

/// Returns the object behind a handle, or throws where there is none.
private func object<Object: AnyObject>(
  _ handle: UnsafeMutableRawPointer?, _ type: Object.Type
) throws(MediaError) -> Object {
  guard let handle else { throw MediaError(APUS_MEDIA_USAGE, "there is no \(type)") }
  return Unmanaged<Object>.fromOpaque(handle).takeUnretainedValue()
}

private func describe(_ text: UnsafeMutablePointer<CChar>?, _ capacity: Int64) {
  guard let text, capacity > 0 else { return }
  let versions = [
    ("libavcodec", avcodec_version()), ("libavformat", avformat_version()),
    ("libavutil", avutil_version()), ("libswscale", swscale_version()),
  ].map { "\($0.0) \($0.1 >> 16).\($0.1 >> 8 & 255).\($0.1 & 255)" }.joined(separator: ", ")
  copy(versions, to: UnsafeMutableRawBufferPointer(start: text, count: Int(capacity)))
}

private func openDecoder(
  _ url: UnsafePointer<CChar>?, _ limits: UnsafePointer<apus_media_limits>?,
  _ handle: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ info: UnsafeMutablePointer<apus_media_info>?, _ error: UnsafeMutablePointer<apus_media_error>?
) -> Int32 {
  status(error) { () throws(MediaError) in
    guard let url, let handle else { throw MediaError(APUS_MEDIA_USAGE, "open without a name") }
    let decoder = try Decoder(String(cString: url), DecodingLimits(limits?.pointee))
    info?.pointee = decoder.info
    handle.pointee = Unmanaged.passRetained(decoder).toOpaque()
  }
}

private func nextFrame(
  _ handle: UnsafeMutableRawPointer?, _ frame: UnsafeMutablePointer<apus_media_frame>?,
  _ error: UnsafeMutablePointer<apus_media_error>?
) -> Int32 {
  var isEnd = false
  let result = status(error) { () throws(MediaError) in
    guard let frame else { throw MediaError(APUS_MEDIA_USAGE, "next without a frame") }
    isEnd = try !object(handle, Decoder.self).next(&frame.pointee)
  }
  return isEnd ? Int32(APUS_MEDIA_END.rawValue) : result
}

private func rewindDecoder(
  _ handle: UnsafeMutableRawPointer?, _ error: UnsafeMutablePointer<apus_media_error>?
) -> Int32 {
  status(error) { () throws(MediaError) in try object(handle, Decoder.self).rewind() }
}

private func decoderStatistics(
  _ handle: UnsafeMutableRawPointer?, _ statistics: UnsafeMutablePointer<apus_media_statistics>?
) {
  guard let handle, let statistics else { return }
  statistics.pointee = Unmanaged<Decoder>.fromOpaque(handle).takeUnretainedValue().statistics
}

private func closeDecoder(_ handle: UnsafeMutableRawPointer?) {
  if let handle { Unmanaged<Decoder>.fromOpaque(handle).release() }
}

private func releaseFrame(_ frame: UnsafeMutablePointer<apus_media_frame>?) {
  guard let frame, let owner = frame.pointee.owner else { return }
  var owned: UnsafeMutablePointer<AVFrame>? = owner.assumingMemoryBound(to: AVFrame.self)
  av_frame_free(&owned)
  frame.pointee.owner = nil
}

private func decodeImage(
  _ bytes: UnsafePointer<UInt8>?, _ count: Int64, _ limits: UnsafePointer<apus_media_limits>?,
  _ frame: UnsafeMutablePointer<apus_media_frame>?, _ error: UnsafeMutablePointer<apus_media_error>?
) -> Int32 {
  status(error) { () throws(MediaError) in
    guard let bytes, count >= 0, let frame else {
      throw MediaError(APUS_MEDIA_USAGE, "decode_image without bytes or frame")
    }
    try StillDecoder.decode(
      UnsafeBufferPointer(start: bytes, count: Int(count)), DecodingLimits(limits?.pointee),
      into: &frame.pointee)
  }
}

private func createEncoder(
  _ path: UnsafePointer<CChar>?, _ settings: UnsafePointer<apus_media_encoding>?,
  _ handle: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ error: UnsafeMutablePointer<apus_media_error>?
) -> Int32 {
  status(error) { () throws(MediaError) in
    guard let path, let settings, let handle else {
      throw MediaError(APUS_MEDIA_USAGE, "create without a path or settings")
    }
    let encoder = try Encoder(String(cString: path), settings.pointee)
    handle.pointee = Unmanaged.passRetained(encoder).toOpaque()
  }
}

private func writeFrame(
  _ handle: UnsafeMutableRawPointer?, _ frame: UnsafePointer<apus_media_frame>?,
  _ error: UnsafeMutablePointer<apus_media_error>?
) -> Int32 {
  status(error) { () throws(MediaError) in
    guard let frame else { throw MediaError(APUS_MEDIA_USAGE, "write without a frame") }
    try object(handle, Encoder.self).write(frame.pointee)
  }
}

private func finishEncoder(
  _ handle: UnsafeMutableRawPointer?, _ error: UnsafeMutablePointer<apus_media_error>?
) -> Int32 {
  status(error) { () throws(MediaError) in try object(handle, Encoder.self).finish() }
}

private func destroyEncoder(_ handle: UnsafeMutableRawPointer?) {
  if let handle { Unmanaged<Encoder>.fromOpaque(handle).release() }
}
