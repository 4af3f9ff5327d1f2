import Glibc

/// A file that is written under a temporary name and appears under its own when it is complete;
/// given up, it disappears.
struct PendingFile: ~Copyable {
  private let path: String
  private let temporaryPath: String
  private var descriptor: Int32 = -1

  /// - Throws: `ModelFileError` where the place cannot be written to.
  init(replacing path: String) throws(ModelFileError) {
    self.path = path
    temporaryPath = "\(path).\(getpid()).partial"
    var info = stat()
    if stat(path, &info) == 0, info.st_mode & S_IFMT != S_IFREG {
      throw ModelFileError(.notWritable, "it exists and is no regular file")
    }
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw PendingFile.failure(errno) }
  }

  deinit {
    if descriptor >= 0 {
      close(descriptor)
      unlink(temporaryPath)
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(ModelFileError) {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let count = pwrite(descriptor, base + done, bytes.count - done, off_t(offset + done))
      if count > 0 {
        done += count
      } else if errno != EINTR {
        throw PendingFile.failure(count == 0 ? ENOSPC : errno)
      }
    }
  }

  /// Puts the file in its place.
  consuming func commit() throws(ModelFileError) {
    // A full disk may show up only here.
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw PendingFile.failure(errno) }
    guard rename(temporaryPath, path) == 0 else { throw PendingFile.failure(errno) }
    close(descriptor)
    descriptor = -1
  }

  private static func failure(_ number: Int32) -> ModelFileError {
    let reason = String(cString: strerror(number))
    switch number {
    case ENOSPC, EDQUOT, EFBIG:
      return ModelFileError(.diskFull, "\(reason); nothing was written")
    default:
      return ModelFileError(.notWritable, "it cannot be written: \(reason)")
    }
  }
}
