internal import CMedia
public import ModelFile

/// Decodes a video from a file or a network address, frame by frame.
///
/// Addresses are those that FFmpeg reads: rtsp, http(s), rtmp, srt, udp and more; RTSP goes over
/// TCP unless told otherwise. No network content can make it open local files. A packet that cannot
/// be decoded is counted and skipped; a file that ends too early is an error that names the place,
/// thrown after the last frame that could be read. The end of a live stream is an error, too.
public final class VideoSource: FrameSource {
  /// How a video is opened and read.
  public struct Options: Sendable {
    /// The longest wait for opening an address; nil for an endless one. Files do not wait.
    public var openTimeout: Duration? = .seconds(10)
    /// The longest wait for the next packet of an address; nil for an endless one.
    public var readTimeout: Duration? = .seconds(5)
    /// Where frames lie; nil for memory of the decoder's own.
    public var pool: FramePool?
    /// What ends a wait from outside; nil for one of the source's own.
    public var interruption: MediaInterruption?
    /// Whether RTSP takes its packets over UDP.
    public var rtspOverUDP = false

    public init() {}
  }

  /// What the decoder has met so far.
  public struct Statistics: Sendable, Hashable {
    /// Frames handed out.
    public var frames = 0
    /// Packets that could not be decoded.
    public var errors = 0
    /// Frames that the decoder patched up.
    public var damaged = 0
    /// Buffers of pixel formats or decoders that cannot use the pool.
    public var unpooled = 0
    /// The first of the errors, in words.
    public var firstError = ""
  }

  /// The file or address, without a password.
  public let name: String
  /// The size of the frames as stored, before rotation.
  public let size: Preprocessing.Size
  /// Frames per second as the file says; nil where it says nothing.
  public let rate: FrameRate?
  /// The number of frames as the file says; nil where it says nothing.
  public let frameCount: Int?
  /// The duration in seconds as the file says; nil where it says nothing.
  public let duration: Double?
  /// The clockwise turn, in degrees, that shows the stored frames upright; frames come upright.
  public let rotation: Int
  public let codec: String
  public let container: String
  /// Says whether this is an address without a known end: a camera, not a recording.
  public let isLive: Bool
  /// What ends the waits of this source, from any thread.
  public let interruption: MediaInterruption
  private let pool: FramePool?
  private let library: MediaLibrary
  private var decoder: UnsafeMutableRawPointer?
  private var last = Statistics()

  /// Opens a file, or an address where the name holds "://".
  ///
  /// - Parameter threads: the decoding threads.
  /// - Throws: `ImagingError` naming the file or the address (without its password): `timedOut`,
  ///   `interrupted` and `connection` for addresses.
  public init(
    _ name: String, threads: Int = 1, options: Options = Options()
  ) throws(ImagingError) {
    library = try MediaLibrary.shared()
    self.name = MediaAddress.masked(name)
    interruption = options.interruption ?? MediaInterruption()
    pool = options.pool
    var limits = apus_media_limits()
    limits.threads = Int32(clamping: threads)
    limits.maximum_side = 16384
    limits.maximum_pixels = Int64(Frame.maximumPixels)
    limits.rtsp_over_udp = options.rtspOverUDP ? 1 : 0
    if MediaAddress.isAddress(name) {
      limits.open_timeout_us = VideoSource.microseconds(options.openTimeout)
      limits.read_timeout_us = VideoSource.microseconds(options.readTimeout)
    }
    interruption.fill(&limits)
    pool?.fill(&limits)
    var info = apus_media_info()
    var fault = apus_media_error()
    guard let open = library.table.open else { throw library.missing("open") }
    guard open(name, &limits, &decoder, &info, &fault) == Int32(APUS_MEDIA_OK.rawValue) else {
      throw MediaLibrary.error(fault, place: MediaAddress.masked(name))
    }
    isLive = info.is_live == 1
    size = Preprocessing.Size(width: Int(info.width), height: Int(info.height))
    rate = FrameRate(Int(info.rate_numerator), Int(info.rate_denominator))
    frameCount = info.frame_count > 0 ? Int(info.frame_count) : nil
    duration = info.duration_us > 0 ? Double(info.duration_us) / 1e6 : nil
    rotation = Int(info.rotation)
    codec = withUnsafeBytes(of: &info.codec) { text in
      String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
    container = withUnsafeBytes(of: &info.container) { text in
      String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  deinit { close() }

  /// A time limit in microseconds, at least 1; 0 for none.
  private static func microseconds(_ duration: Duration?) -> Int64 {
    guard let (seconds, attoseconds) = duration?.components else { return 0 }
    guard seconds < 1 << 32 else { return 0 }
    return max(seconds * 1_000_000 + attoseconds / 1_000_000_000_000, 1)
  }

  /// Makes a call that waits for the network return with `interrupted`; for any thread.
  public func interrupt() { interruption.interrupt() }

  /// Goes back to before the first frame, by a seek where the file allows one.
  ///
  /// - Throws: `ImagingError` where a file cannot be opened again, or for a live stream.
  public func rewind() throws(ImagingError) {
    guard let decoder, let rewind = library.table.rewind else {
      throw ImagingError(.internal, "a closed video cannot be rewound", place: name)
    }
    var fault = apus_media_error()
    guard rewind(decoder, &fault) == Int32(APUS_MEDIA_OK.rawValue) else {
      throw MediaLibrary.error(fault, place: name)
    }
  }

  public func next() throws(ImagingError) -> Frame? {
    guard let decoder, let next = library.table.next else { return nil }
    var raw = apus_media_frame()
    var fault = apus_media_error()
    let status = next(decoder, &raw, &fault)
    if status == Int32(APUS_MEDIA_END.rawValue) { return nil }
    guard status == Int32(APUS_MEDIA_OK.rawValue) else {
      throw MediaLibrary.error(fault, place: name)
    }
    do throws(ImagingError) {
      return try library.frame(raw).turned(clockwise: rotation, in: pool)
    } catch {
      throw error.at(name)
    }
  }

  /// What the decoder has met so far, or until it was closed.
  public var statistics: Statistics {
    guard let decoder else { return last }
    var raw = apus_media_statistics()
    library.table.statistics?(decoder, &raw)
    let text = withUnsafeBytes(of: &raw.first_error) { text in
      String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
    return Statistics(
      frames: Int(raw.frames), errors: Int(raw.errors), damaged: Int(raw.damaged),
      unpooled: Int(raw.unpooled), firstError: text)
  }

  /// Closes the file; frames that were handed out stay valid.
  public func close() {
    last = statistics
    if let decoder { library.table.close?(decoder) }
    decoder = nil
  }
}

/// Frames per second as a fraction.
public struct FrameRate: Sendable, Hashable, CustomStringConvertible {
  public let numerator: Int
  public let denominator: Int

  /// Makes a rate; nil where a part is not above 0.
  public init?(_ numerator: Int, _ denominator: Int = 1) {
    guard numerator > 0, denominator > 0, numerator <= Int(Int32.max),
      denominator <= Int(Int32.max)
    else { return nil }
    self.numerator = numerator
    self.denominator = denominator
  }

  /// In frames per second.
  public var value: Double { Double(numerator) / Double(denominator) }

  public var description: String {
    denominator == 1 ? "\(numerator)" : "\(numerator)/\(denominator)"
  }
}
