/// Why a model file cannot be read or written.
public struct ModelFileError: Error, Sendable, CustomStringConvertible {
  /// What kind of failure it is. More may come.
  public struct Code: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// There is no such file.
    public static let notFound = Code(description: "not found")
    /// The file exists and cannot be read.
    public static let unreadable = Code(description: "unreadable")
    /// The file is something else.
    public static let notAModel = Code(description: "not a model file")
    /// The file was written by a newer release.
    public static let newerVersion = Code(description: "newer version")
    /// The file ends before what it says it holds.
    public static let truncated = Code(description: "truncated")
    /// The file contradicts itself.
    public static let corrupt = Code(description: "corrupt")
    /// The contents are not those that were written.
    public static let hashMismatch = Code(description: "hash mismatch")
    /// The place cannot be written to.
    public static let notWritable = Code(description: "not writable")
    /// The disk is full, or a quota is reached.
    public static let diskFull = Code(description: "disk full")
    /// The contents cannot be expressed in a file.
    public static let invalidContents = Code(description: "invalid contents")
  }

  public var code: Code
  /// What is wrong, with the numbers, and the remedy.
  public var message: String
  /// The file; empty while the error is on its way to whoever knows the name.
  public var path = ""
  /// The section and byte offset that are concerned; nil if none is.
  public var place: String?

  package init(_ code: Code, _ message: String, path: String = "", place: String? = nil) {
    self.code = code
    self.message = message
    self.path = path
    self.place = place
  }

  /// The same error with the name of the file.
  package func at(_ path: String) -> ModelFileError {
    var error = self
    if error.path.isEmpty { error.path = path }
    return error
  }

  public var description: String {
    [path, place ?? "", message].filter { !$0.isEmpty }.joined(separator: ": ")
  }
}
