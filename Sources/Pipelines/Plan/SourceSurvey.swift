// What is known of a source before it starts. Files are opened for a moment: they tell size, rate
// and codec, and how long decoding takes. Addresses are left alone, since looking at a camera
// may cost a connection it allows once; they count as 1920x1080.
public import Imaging
public import ModelFile
internal import Pictures

#if canImport(Glibc)
  import Glibc
#endif

/// What a source is.
public struct SourceSurvey: Sendable {
  /// What its frames come from.
  public enum Kind: Sendable, Hashable { case video, pictures, address }

  public var kind: Kind
  public var size: Preprocessing.Size
  /// Whether the size is a guess.
  public var isAssumed = false
  public var codec = ""
  /// Frames per second that it says; nil where it does not.
  public var rate: FrameRate?
  /// Processor time of decoding a frame, in milliseconds; nil where it was not measured.
  public var decode: Double?
  /// A frame, where some were decoded to measure.
  public var frame: Frame?
  /// Why a file cannot be used; nil where it can or where it was not looked at.
  public var fault: ImagingError?

  static let assumedSize = Preprocessing.Size(width: 1920, height: 1080)
  /// The frames that are decoded to measure.
  static let measuredFrames = 12

  /// Looks at a source.
  ///
  /// - Parameter measures: whether to decode some frames.
  public init(_ url: String, measures: Bool) {
    if url.contains("://") {
      kind = .address
      size = SourceSurvey.assumedSize
      isAssumed = true
      return
    }
    kind = OutputFolder.isFolder(url) || Picture.isPicture(url) ? .pictures : .video
    size = SourceSurvey.assumedSize
    do throws(ImagingError) {
      if kind == .video {
        try lookAtVideo(url, measures)
      } else {
        try lookAtPictures(url)
      }
    } catch {
      fault = error
      isAssumed = true
    }
  }

  private mutating func lookAtVideo(_ url: String, _ measures: Bool) throws(ImagingError) {
    let video = try VideoSource(url)
    defer { video.close() }
    (size, rate, codec) = (video.size, video.rate, video.codec)
    guard measures else { return }
    // The first frame has the decoder's preparations in it.
    frame = try video.next()
    let start = SourceSurvey.processorTime
    var count = 0
    while count < SourceSurvey.measuredFrames, try video.next() != nil { count += 1 }
    if count > 0 { decode = (SourceSurvey.processorTime - start) / Double(count) }
  }

  private mutating func lookAtPictures(_ url: String) throws(ImagingError) {
    let pictures =
      OutputFolder.isFolder(url) ? try PictureSource(folder: url) : PictureSource([url])
    let start = SourceSurvey.processorTime
    guard let first = try pictures.next() else { return }
    decode = SourceSurvey.processorTime - start
    size = first.size
    codec = "pictures"
    frame = first
  }

  /// The processor time of the calling thread, in milliseconds.
  static var processorTime: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1000 + Double(time.tv_nsec) / 1e6
  }

  /// The source for people, e.g. `h264 1920x1080, 25 fps`.
  var text: String {
    if fault != nil { return "cannot be read" }
    var text = kind == .address ? "address" : codec
    text += " \(size.width)x\(size.height)"
    if let rate { text += ", \(rate) fps" }
    return text
  }

  /// The bytes of a decoded frame.
  var frameByteCount: Int {
    let pixels = (size.width + 63) / 64 * 64 * size.height
    return kind == .pictures ? pixels * 3 : pixels * 3 / 2
  }
}
