import Imaging

#if canImport(Glibc)
  import Glibc
#endif

/// Delivers the frames of one source.
///
/// Belongs to one thread at a time; dropping it closes the source.
protocol StreamDecoder: AnyObject {
  /// Whether it has no end of its own.
  var isLive: Bool { get }
  /// Frames per second as the source says; nil where it says nothing.
  var rate: FrameRate? { get }
  /// What could not be decoded so far, in a sentence; nil for nothing.
  var damage: String? { get }

  /// Returns the next frame, or nil after the last.
  func next() throws(ImagingError) -> Frame?

  /// Begins again with the first frame.
  func rewind() throws(ImagingError)
}

/// Ends a decoder's call from another thread.
protocol StreamInterruption: AnyObject, Sendable {
  func interrupt()
}

/// Opens the decoders of sources.
protocol StreamOpener: Sendable {
  func interruption() -> any StreamInterruption
  /// - Parameters:
  ///   - limit: how long opening may take.
  ///   - silence: how long a read may take.
  func open(
    _ source: PipelineConfiguration.Source, within limit: Duration, silence: Duration,
    _ interruption: any StreamInterruption
  ) throws(ImagingError) -> any StreamDecoder
}

/// Opens files, folders and addresses.
struct SourceOpener: StreamOpener {
  private final class NoInterruption: StreamInterruption {
    func interrupt() {}
  }

  func interruption() -> any StreamInterruption { NoInterruption() }

  func open(
    _ source: PipelineConfiguration.Source, within limit: Duration, silence: Duration,
    _ interruption: any StreamInterruption
  ) throws(ImagingError) -> any StreamDecoder {
    if source.isNetwork { return try VideoDecoder(source.url) }
    var status = stat()
    if stat(source.url, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      return try PictureDecoder { () throws(ImagingError) in try PictureSource(folder: source.url) }
    }
    if Picture.isPicture(source.url) {
      return try PictureDecoder { () throws(ImagingError) in PictureSource([source.url]) }
    }
    return try VideoDecoder(source.url)
  }
}

extension PipelineConfiguration.Source {
  /// Whether it is reached through a network.
  var isNetwork: Bool { url.contains("://") && !url.hasPrefix("file://") }
}

/// A video file or an address.
private final class VideoDecoder: StreamDecoder {
  private let url: String
  private var source: VideoSource
  /// What was met before the source began again.
  private var errorCount = 0
  private var damagedCount = 0
  private var firstError = ""

  init(_ url: String) throws(ImagingError) {
    self.url = url
    source = try VideoSource(url)
  }

  var isLive: Bool { url.contains("://") && source.duration == nil }
  var rate: FrameRate? { source.rate }

  var damage: String? {
    let statistics = source.statistics
    let errors = errorCount + statistics.errors
    let damaged = damagedCount + statistics.damaged
    guard errors > 0 || damaged > 0 else { return nil }
    let first = firstError.isEmpty ? statistics.firstError : firstError
    return "\(errors) packets could not be decoded, \(damaged) frames are damaged"
      + (first.isEmpty ? "" : "; first: \(first)")
  }

  func next() throws(ImagingError) -> Frame? { try source.next() }

  func rewind() throws(ImagingError) {
    let statistics = source.statistics
    errorCount += statistics.errors
    damagedCount += statistics.damaged
    if firstError.isEmpty { firstError = statistics.firstError }
    source.close()
    source = try VideoSource(url)
  }
}

/// Picture files; one that cannot be read is passed over and counted.
private final class PictureDecoder: StreamDecoder {
  private let open: () throws(ImagingError) -> PictureSource
  private var source: PictureSource
  private var unreadable = 0
  private var first: ImagingError?

  init(_ open: @escaping () throws(ImagingError) -> PictureSource) throws(ImagingError) {
    self.open = open
    source = try open()
  }

  var isLive: Bool { false }
  var rate: FrameRate? { nil }

  var damage: String? {
    first.map { "\(unreadable) pictures could not be read; first: \($0.description)" }
  }

  func next() throws(ImagingError) -> Frame? {
    while true {
      do throws(ImagingError) {
        return try source.next()
      } catch {
        unreadable += 1
        first = first ?? error
      }
    }
  }

  func rewind() throws(ImagingError) { source = try open() }
}
