import Glibc

/// A file mapped for reading. Sendable because the bytes do not change through it.
final class MappedFile: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer

  /// - Throws: `ModelFileError` for what is missing, unreadable, or no regular file.
  init(_ path: String) throws(ModelFileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      let number = errno
      throw ModelFileError(
        number == ENOENT || number == ENOTDIR ? .notFound : .unreadable,
        String(cString: strerror(number)))
    }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
      throw ModelFileError(.unreadable, "it is no regular file")
    }
    let byteCount = Int(info.st_size)
    guard byteCount > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let base = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0)
    guard let base, base != MAP_FAILED else {
      throw ModelFileError(
        .unreadable,
        "its \(byteCount) bytes cannot be mapped: \(String(cString: strerror(errno)))")
    }
    bytes = UnsafeRawBufferPointer(start: base, count: byteCount)
  }

  deinit {
    if let base = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
    }
  }
}
