import Imaging
internal import Pictures

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
  /// Where frames lie; nil: in memory of each decoder's own.
  let pool: FramePool?

  func interruption() -> any StreamInterruption { MediaInterruption() }

  func open(
    _ source: PipelineConfiguration.Source, within limit: Duration, silence: Duration,
    _ interruption: any StreamInterruption
  ) throws(ImagingError) -> any StreamDecoder {
    var options = VideoSource.Options()
    options.openTimeout = limit
    options.readTimeout = silence
    options.pool = pool
    options.interruption = interruption as? MediaInterruption
    if source.isNetwork { return try VideoDecoder(source.url, options) }
    var status = stat()
    if stat(source.url, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      return try PictureDecoder { () throws(ImagingError) in try PictureSource(folder: source.url) }
    }
    if Picture.isPicture(source.url) {
      return try PictureDecoder { () throws(ImagingError) in PictureSource([source.url]) }
    }
    return try VideoDecoder(source.url, options)
  }
}

extension PipelineConfiguration.Source {
  /// Whether it is reached through a network.
  var isNetwork: Bool { MediaAddress.isAddress(url) }
}

extension MediaInterruption: StreamInterruption {}

/// A video file or an address.
private final class VideoDecoder: StreamDecoder {
  private let source: VideoSource

  init(_ url: String, _ options: VideoSource.Options) throws(ImagingError) {
    source = try VideoSource(url, threads: 1, options: options)
  }

  var isLive: Bool { source.isLive }
  var rate: FrameRate? { source.rate }

  var damage: String? {
    let statistics = source.statistics
    guard statistics.errors > 0 || statistics.damaged > 0 else { return nil }
    return "\(statistics.errors) packets could not be decoded, \(statistics.damaged) frames are "
      + "damaged" + (statistics.firstError.isEmpty ? "" : "; first: \(statistics.firstError)")
  }

  func next() throws(ImagingError) -> Frame? { try source.next() }

  func rewind() throws(ImagingError) { try source.rewind() }
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
