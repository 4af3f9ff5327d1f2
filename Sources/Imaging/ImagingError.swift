package import Files

/// Says what is wrong with a picture, a video or the place where one is written.
public struct ImagingError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of the fault; new kinds may come.
  public struct Code: Sendable, Hashable {
    /// The name as reports show it.
    public let name: String
    /// The exit status of the command line for this fault.
    public let exitStatus: Int32

    public static let notFound = Code(name: "notFound", exitStatus: 66)
    public static let unreadable = Code(name: "unreadable", exitStatus: 66)
    /// Damaged or cut off.
    public static let corrupt = Code(name: "corrupt", exitStatus: 65)
    /// A format, codec or size that cannot be read.
    public static let unsupported = Code(name: "unsupported", exitStatus: 65)
    /// Larger than the limits allow.
    public static let limit = Code(name: "limit", exitStatus: 65)
    public static let notWritable = Code(name: "notWritable", exitStatus: 74)
    public static let diskFull = Code(name: "diskFull", exitStatus: 74)
    /// This process or machine has no file handle left.
    public static let handles = Code(name: "handles", exitStatus: 71)
    /// The media library cannot be opened here.
    public static let mediaLibrary = Code(name: "mediaLibrary", exitStatus: 71)
    public static let memory = Code(name: "memory", exitStatus: 71)
    /// An address that refuses, cannot be reached, has no such stream, or went away.
    public static let connection = Code(name: "connection", exitStatus: 75)
    /// Nothing came within the time allowed.
    public static let timedOut = Code(name: "timedOut", exitStatus: 75)
    /// `MediaInterruption.interrupt` ended the wait.
    public static let interrupted = Code(name: "interrupted", exitStatus: 130)
    public static let `internal` = Code(name: "internal", exitStatus: 70)
  }

  public let code: Code
  /// What failed, with the numbers, and the remedy; without the place.
  public let message: String
  /// The file or address, where there is one.
  public var place: String?

  public init(_ code: Code, _ message: String, place: String? = nil) {
    self.code = code
    self.message = message
    self.place = place
  }

  public var description: String { place.map { "\($0): \(message)" } ?? message }

  /// Returns the same error at a place, unless it has one.
  package func at(_ place: String) -> ImagingError {
    ImagingError(code, message, place: self.place ?? place)
  }
}

extension ImagingError {
  /// Takes over an error of the file room, which names the file in its message.
  package init(_ error: FileError) {
    let code: Code =
      switch error.code {
      case .notFound: .notFound
      case .unreadable: .unreadable
      case .tooLarge: .limit
      case .diskFull: .diskFull
      case .handles: .handles
      default: .notWritable
      }
    let prefix = error.path + ": "
    let message =
      error.message.hasPrefix(prefix)
      ? String(error.message.dropFirst(prefix.count)) : error.message
    self.init(code, message, place: error.path)
  }
}
