internal import CMedia
internal import Files

/// Encodes frames as H.264 in an MP4 file.
///
/// The file bears a temporary name until `finish`; a sink that is dropped before leaves nothing
/// behind. Frames take their place by their time where they have one, else one after the other.
public final class VideoSink: FrameSink {
  public let name: String
  private var file: PendingFile
  private let rate: FrameRate
  private let quality: Int
  private let threads: Int
  private let library: MediaLibrary
  private var encoder: UnsafeMutableRawPointer?
  private var first: Frame?
  private var isFinished = false

  /// Prepares a file; it is created with the first frame, which fixes size and colour tags.
  ///
  /// - Parameters:
  ///   - rate: the frames per second.
  ///   - quality: the constant rate factor, 0 (lossless) to 51.
  ///   - threads: the encoding threads.
  /// - Throws: `mediaLibrary`, or `notWritable` where the folder cannot take the file.
  public init(
    _ path: String, rate: FrameRate, quality: Int = 23, threads: Int = 1
  ) throws(ImagingError) {
    library = try MediaLibrary.shared()
    name = path
    do throws(FileError) {
      file = try PendingFile(replacing: path)
    } catch {
      throw ImagingError(error)
    }
    self.rate = rate
    self.quality = min(max(quality, 0), 51)
    self.threads = threads
  }

  deinit {
    if let encoder { library.table.destroy?(encoder) }
  }

  /// Encodes one frame of any pixel format; all have the first one's size.
  ///
  /// - Throws: `ImagingError` naming the file: `diskFull`, `notWritable`, `unsupported`.
  public func write(_ frame: Frame) throws(ImagingError) {
    do throws(ImagingError) {
      try encode(try frame.converted(to: .i420))
    } catch {
      throw error.at(name)
    }
  }

  private func encode(_ frame: Frame) throws(ImagingError) {
    guard !isFinished else { throw ImagingError(.internal, "a frame after the end of the video") }
    if encoder == nil { try create(for: frame) }
    guard let first, frame.size == first.size else {
      throw ImagingError(
        .unsupported,
        "the video has frames of \(first?.size.description ?? "?"), but the next one is "
          + "\(frame.size)")
    }
    var raw = apus_media_frame()
    raw.format = Int32(APUS_MEDIA_I420.rawValue)
    raw.width = Int32(frame.width)
    raw.height = Int32(frame.height)
    raw.has_time = frame.timeMs == nil ? 0 : 1
    raw.time_us = frame.timeMs.map { Int64(min(max($0 * 1000, 0), 9e15)) } ?? 0
    let planes = frame.planes.map { UnsafePointer($0.base.assumingMemoryBound(to: UInt8.self)) }
    raw.planes = (planes[0], planes[1], planes[2])
    raw.strides = (
      Int64(frame.planes[0].stride), Int64(frame.planes[1].stride), Int64(frame.planes[2].stride)
    )
    var fault = apus_media_error()
    guard let write = library.table.write else { throw library.missing("write") }
    guard write(encoder, &raw, &fault) == Int32(APUS_MEDIA_OK.rawValue) else {
      throw MediaLibrary.error(fault, place: name)
    }
  }

  private func create(for frame: Frame) throws(ImagingError) {
    var settings = apus_media_encoding(
      width: Int32(frame.width), height: Int32(frame.height),
      rate_numerator: Int32(rate.numerator), rate_denominator: Int32(rate.denominator),
      quality: Int32(quality), threads: Int32(clamping: threads), matrix: frame.matrix.rawValue,
      range: frame.range.rawValue)
    var fault = apus_media_error()
    guard let create = library.table.create else { throw library.missing("create") }
    let status = create(file.temporaryPath, &settings, &encoder, &fault)
    guard status == Int32(APUS_MEDIA_OK.rawValue) else {
      throw MediaLibrary.error(fault, place: name)
    }
    first = frame
  }

  /// Writes what is left and gives the file its name.
  ///
  /// - Throws: `ImagingError` naming the file; a video without frames is `unsupported`.
  public func finish() throws(ImagingError) {
    guard !isFinished else { return }
    isFinished = true
    guard let encoder, let finish = library.table.finish else {
      throw ImagingError(.unsupported, "a video without a frame cannot be written", place: name)
    }
    var fault = apus_media_error()
    guard finish(encoder, &fault) == Int32(APUS_MEDIA_OK.rawValue) else {
      throw MediaLibrary.error(fault, place: name)
    }
    do throws(FileError) {
      try file.commit()
    } catch {
      throw ImagingError(error)
    }
  }
}
