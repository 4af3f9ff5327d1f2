#if canImport(Glibc)
  import Glibc
#endif

/// A file that is written under a temporary name and renamed when it is complete.
///
/// Dropped before `commit`, it leaves nothing behind.
public final class OutputFile {
  /// The final name.
  public let path: String
  /// The name until `commit`: in the same folder, so that renaming is atomic.
  public let temporaryPath: String
  private var isDone = false

  /// Chooses the temporary name; creates nothing.
  public init(_ path: String) {
    self.path = path
    let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    temporaryPath = "\(path[..<slash]).\(path[slash...]).\(getpid()).part"
  }

  deinit {
    if !isDone { unlink(temporaryPath) }
  }

  /// Gives the file its final name.
  ///
  /// - Throws: `notWritable`, naming the file.
  public func commit() throws(ImagingError) {
    guard rename(temporaryPath, path) == 0 else {
      throw OutputFile.error(errno, path, doing: "renamed")
    }
    isDone = true
  }

  /// Writes bytes as the file `path`: all of them or nothing.
  ///
  /// - Throws: `diskFull` or `notWritable`, naming the file.
  public static func write(_ bytes: [UInt8], to path: String) throws(ImagingError) {
    let file = OutputFile(path)
    try write(bytes, directlyTo: file.temporaryPath, named: path)
    try file.commit()
  }

  /// Writes bytes to an existing or new file in place; `name` stands in messages.
  static func write(
    _ bytes: [UInt8], directlyTo path: String, named name: String
  ) throws(ImagingError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw error(errno, name, doing: "created") }
    var written = 0
    var fault: Int32 = 0
    while written < bytes.count, fault == 0 {
      let count = bytes.withUnsafeBytes { buffer in
        Glibc.write(descriptor, buffer.baseAddress.map { $0 + written }, bytes.count - written)
      }
      if count < 0 {
        if errno != EINTR { fault = errno }
      } else {
        written += count
      }
    }
    if close(descriptor) != 0, fault == 0 { fault = errno }
    guard fault == 0 else { throw error(fault, name, doing: "written") }
  }

  private static func error(_ number: Int32, _ path: String, doing what: String) -> ImagingError {
    let isFull = number == ENOSPC || number == EDQUOT || number == EFBIG
    return ImagingError(
      isFull ? .diskFull : .notWritable,
      "cannot be \(what): \(String(cString: strerror(number)))", place: path)
  }
}
