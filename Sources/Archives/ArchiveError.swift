import Files

/// Why an `.npy` or `.npz` file could not be read or written.
public struct ArchiveError: Error, Sendable, CustomStringConvertible {
  /// What kind of failure it was. More kinds may come.
  public struct Code: Sendable, Hashable {
    package let name: String

    /// Nothing stands at the path.
    public static let notFound = Code(name: "not found")
    /// Something stands there that cannot be read.
    public static let unreadable = Code(name: "unreadable")
    /// The contents are damaged, contradict themselves or are of a kind that is not supported.
    public static let badData = Code(name: "bad data")
    /// The output cannot be written.
    public static let notWritable = Code(name: "not writable")
    /// The disk is full.
    public static let diskFull = Code(name: "disk full")
  }

  public var code: Code
  /// The file, as the caller named it.
  public var path: String
  /// The array inside an `.npz` file.
  public var member: String?
  /// What is wrong and what to do, in a sentence that begins with the file and the member.
  public var message: String

  public var description: String { message }
}

extension ArchiveError {
  package init(_ error: FileError) {
    let code: Code =
      switch error.code {
      case .notFound: .notFound
      case .tooLarge: .badData
      case .notWritable: .notWritable
      case .diskFull: .diskFull
      default: .unreadable
      }
    self.init(code: code, path: error.path, member: nil, message: error.message)
  }
}

/// A file and, within an `.npz`, one of its members: what errors point at.
struct ArchivePlace {
  var path: String
  var member: String?

  /// An error about the contents.
  func error(_ what: String) -> ArchiveError { error(.badData, what) }

  func error(_ code: ArchiveError.Code, _ what: String) -> ArchiveError {
    let place = member.map { "\(path), member \($0)" } ?? path
    return ArchiveError(code: code, path: path, member: member, message: "\(place): \(what)")
  }
}
