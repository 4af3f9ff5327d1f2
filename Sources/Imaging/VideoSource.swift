internal import CMedia
public import ModelFile

/// Decodes a video file, frame by frame.
///
/// A packet that cannot be decoded is counted and skipped; a file that ends too early is an error
/// that names the place, thrown after the last frame that could be read.
public final class VideoSource: FrameSource {
  /// What the decoder has met so far.
  public struct Statistics: Sendable, Hashable {
    /// Frames handed out.
    public var frames = 0
    /// Packets that could not be decoded.
    public var errors = 0
    /// Frames that the decoder patched up.
    public var damaged = 0
    /// The first of the errors, in words.
    public var firstError = ""
  }

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
  private let library: MediaLibrary
  private var decoder: UnsafeMutableRawPointer?

  /// Opens a file, or an address where the name holds "://".
  ///
  /// - Parameter threads: the decoding threads.
  /// - Throws: `ImagingError` naming the file.
  public init(_ name: String, threads: Int = 1) throws(ImagingError) {
    library = try MediaLibrary.shared()
    self.name = name
    var limits = apus_media_limits(
      threads: Int32(clamping: threads), maximum_side: 16384,
      maximum_pixels: Int64(Frame.maximumPixels))
    var info = apus_media_info()
    var fault = apus_media_error()
    guard let open = library.table.open else { throw library.missing("open") }
    guard open(name, &limits, &decoder, &info, &fault) == Int32(APUS_MEDIA_OK.rawValue) else {
      throw MediaLibrary.error(fault, place: name)
    }
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

  public func next() throws(ImagingError) -> Frame? {
    guard let decoder, let next = library.table.next else { return nil }
    var raw = apus_media_frame()
    var fault = apus_media_error()
    let status = next(decoder, &raw, &fault)
    if status == Int32(APUS_MEDIA_END.rawValue) { return nil }
    guard status == Int32(APUS_MEDIA_OK.rawValue) else {
      throw MediaLibrary.error(fault, place: name)
    }
    return try library.frame(raw).turned(clockwise: rotation)
  }

  /// What the decoder has met so far.
  public var statistics: Statistics {
    guard let decoder else { return Statistics() }
    var raw = apus_media_statistics()
    library.table.statistics?(decoder, &raw)
    let text = withUnsafeBytes(of: &raw.first_error) { text in
      String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
    return Statistics(
      frames: Int(raw.frames), errors: Int(raw.errors), damaged: Int(raw.damaged),
      firstError: text)
  }

  /// Closes the file; frames that were handed out stay valid.
  public func close() {
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
