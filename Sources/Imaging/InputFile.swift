#if canImport(Glibc)
  import Glibc
#endif

/// Reads whole files.
enum InputFile {
  /// The largest picture file that is read, in bytes.
  static let maximumBytes = 1 << 30

  /// Returns the bytes of a regular file.
  ///
  /// - Throws: `notFound`, `unreadable` or `limit`, naming the file.
  static func read(_ path: String) throws(ImagingError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw ImagingError(
        errno == ENOENT || errno == ENOTDIR ? .notFound : .unreadable,
        "cannot be opened: \(String(cString: strerror(errno)))", place: path)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw ImagingError(.unreadable, "is not a file", place: path)
    }
    guard status.st_size <= maximumBytes else {
      throw ImagingError(
        .limit, "has \(status.st_size) bytes; pictures may have \(maximumBytes)", place: path)
    }
    let size = Int(status.st_size)
    var fault: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      filled = 0
      while filled < size, let base = buffer.baseAddress {
        let count = Glibc.read(descriptor, base + filled, size - filled)
        if count < 0 {
          if errno == EINTR { continue }
          fault = errno
          break
        }
        if count == 0 { break }
        filled += count
      }
    }
    guard fault == 0 else {
      throw ImagingError(
        .unreadable, "cannot be read: \(String(cString: strerror(fault)))", place: path)
    }
    return bytes
  }
}
