#if canImport(Glibc)
  import Glibc
#endif

/// A file opened for reading, closed with its last owner.
///
/// Reads never trust the size that the file system reports: what is allocated grows with what was
/// read.
package struct ReadableFile: ~Copyable {
  package let path: String
  private var descriptor: Int32 = -1
  /// The size at opening; nil for what has none, such as a pipe.
  package private(set) var byteCount: Int? = nil

  /// Opens a file or a pipe.
  package init(_ path: String) throws(FileError) {
    self.path = path
    guard !path.utf8.contains(0) else { throw FileError.reading(path, ENOENT) }
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError.reading(path, errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError.reading(path, errno) }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: throw FileError.reading(path, EISDIR)
    case S_IFREG: byteCount = Int(status.st_size)
    default: break
    }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  /// Fills `buffer` from where the last read ended; returns fewer bytes only at the end.
  package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
    guard let base = buffer.baseAddress else { return 0 }
    var count = 0
    while count < buffer.count {
      let got = Glibc.read(descriptor, base + count, buffer.count - count)
      if got == 0 { break }
      if got < 0 {
        if errno == EINTR { continue }
        throw FileError.reading(path, errno)
      }
      count += got
    }
    return count
  }
}

/// Reading small files whole.
package enum FileContents {
  /// Returns the bytes of the file at `path`, at most `limit` of them.
  ///
  /// - Throws: `FileError` where the file is missing, unreadable or larger than `limit`.
  package static func bytes(of path: String, limit: Int) throws(FileError) -> [UInt8] {
    var file = try ReadableFile(path)
    if let size = file.byteCount, size > limit { throw tooLarge(path, limit) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(file.byteCount ?? 0, limit))
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = try chunk.withUnsafeMutableBufferPointer { (buffer) throws(FileError) in
        try file.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
      guard count <= limit - bytes.count else { throw tooLarge(path, limit) }
      bytes.append(contentsOf: chunk[..<count])
      if count < chunk.count { return bytes }
    }
  }

  /// Returns the text of the file at `path`; bytes that are not UTF-8 are an error.
  package static func text(of path: String, limit: Int) throws(FileError) -> String {
    let bytes = try bytes(of: path, limit: limit)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw FileError(.unreadable, path, "\(path): is not UTF-8 text; save it as UTF-8")
    }
    return text
  }

  private static func tooLarge(_ path: String, _ limit: Int) -> FileError {
    FileError(
      .tooLarge, path, "\(path): is larger than the \(limit) bytes that are accepted here")
  }
}
