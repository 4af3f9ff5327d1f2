#if canImport(Glibc)
  import Glibc
#endif

/// Why a file could not be read or written.
public struct FileError: Error, Sendable, CustomStringConvertible {
  /// What kind of failure it was. More kinds may come.
  public struct Code: Sendable, Hashable {
    package let name: String

    /// Nothing stands at the path.
    public static let notFound = Code(name: "not found")
    /// Something stands there that cannot be read: permissions, a directory, a device that fails.
    public static let unreadable = Code(name: "unreadable")
    /// The contents are larger than what the caller accepts.
    public static let tooLarge = Code(name: "too large")
    /// The file or its directory cannot be written.
    public static let notWritable = Code(name: "not writable")
    /// The disk or the user's share of it is full.
    public static let diskFull = Code(name: "disk full")
    /// This process or machine has no file handle left.
    public static let handles = Code(name: "no handles")
  }

  public var code: Code
  public var path: String
  /// What failed and what to do, in a sentence that begins with the path.
  public var message: String

  package init(_ code: Code, _ path: String, _ message: String) {
    self.code = code
    self.path = path
    self.message = message
  }

  public var description: String { message }
}

extension FileError {
  /// Makes the error of a failed read from the system's error number.
  package static func reading(_ path: String, _ errorNumber: Int32) -> FileError {
    let reason = systemMessage(errorNumber)
    switch errorNumber {
    case ENOENT, ENOTDIR:
      return FileError(.notFound, path, "\(path): not found (\(reason)); check the path")
    case EACCES, EPERM:
      return FileError(
        .unreadable, path, "\(path): cannot be read (\(reason)); check its permissions")
    case EISDIR:
      return FileError(.unreadable, path, "\(path): is a directory; name a file")
    case EMFILE, ENFILE:
      return FileError(
        .handles, path, "\(path): cannot be opened (\(reason)): \(OpenHandles.text)")
    default:
      return FileError(.unreadable, path, "\(path): cannot be read (\(reason))")
    }
  }

  /// Makes the error of a failed write from the system's error number.
  package static func writing(_ path: String, _ errorNumber: Int32) -> FileError {
    let reason = systemMessage(errorNumber)
    switch errorNumber {
    case ENOSPC, EDQUOT:
      return FileError(
        .diskFull, path,
        "\(path): cannot be written (\(reason)); free some space or name another place")
    case EFBIG:
      return FileError(
        .diskFull, path,
        "\(path): cannot be written (\(reason)); raise `ulimit -f` or name another file system")
    case EMFILE, ENFILE:
      return FileError(
        .handles, path, "\(path): cannot be opened (\(reason)): \(OpenHandles.text)")
    case ENOENT, ENOTDIR:
      return FileError(
        .notWritable, path,
        "\(path): cannot be written (\(reason)); create its directory first")
    case EACCES, EPERM, EROFS:
      return FileError(
        .notWritable, path,
        "\(path): cannot be written (\(reason)); check the permissions of its directory")
    case EISDIR:
      return FileError(.notWritable, path, "\(path): is a directory; name a file")
    default:
      return FileError(.notWritable, path, "\(path): cannot be written (\(reason))")
    }
  }

  private static func systemMessage(_ errorNumber: Int32) -> String {
    String(cString: strerror(errorNumber))
  }
}
