import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// An output file that appears under its name only when it is complete.
///
/// Writers (libraries that want a name, too) write to `temporaryPath`, in the same directory and
/// with the same extension; `commit` renames it. A pending file that goes away uncommitted is
/// removed. Where the destination is no regular file (a pipe, a device), there is nothing to
/// rename: `temporaryPath` is the destination itself. A symbolic link is followed, not replaced.
package struct PendingFile: ~Copyable {
  /// The destination as the user gave it.
  package let path: String
  /// Where to write until `commit`.
  package private(set) var temporaryPath = ""
  /// Says whether the destination is written directly, because it is no regular file.
  package private(set) var isInPlace = false
  private var destination = ""
  private var isPending = false

  /// Chooses the temporary name; creates nothing yet.
  ///
  /// - Throws: `FileError` where the destination is a directory or its directory is missing.
  package init(replacing path: String) throws(FileError) {
    self.path = path
    guard !path.isEmpty, !path.utf8.contains(0) else { throw FileError.writing(path, ENOENT) }
    var resolved = path
    if let real = realpath(path, nil) {
      resolved = String(cString: real)
      free(real)
    }
    destination = resolved
    var status = stat()
    if stat(resolved, &status) == 0 {
      let kind = status.st_mode & S_IFMT
      guard kind != S_IFDIR else { throw FileError.writing(path, EISDIR) }
      if kind != S_IFREG {
        temporaryPath = resolved
        isInPlace = true
        return
      }
    }
    let directory = resolved.lastIndex(of: "/").map { String(resolved[...$0]) } ?? "."
    guard access(directory, W_OK | X_OK) == 0 else { throw FileError.writing(path, errno) }
    let temporaryPath = PendingFile.temporaryName(for: resolved)
    self.temporaryPath = temporaryPath
    isPending = true
    registry.withLock { _ = $0.insert(temporaryPath) }
  }

  deinit {
    if isPending {
      unlink(temporaryPath)
      let name = temporaryPath
      registry.withLock { _ = $0.remove(name) }
    }
  }

  /// Gives the file its name, replacing what stood there.
  package mutating func commit() throws(FileError) {
    guard isPending else { return }
    guard rename(temporaryPath, destination) == 0 else { throw FileError.writing(path, errno) }
    isPending = false
    let name = temporaryPath
    registry.withLock { _ = $0.remove(name) }
  }

  /// Removes every file that is still pending; for a process that is about to end on a signal.
  package static func removeAll() {
    for name in registry.withLock({ $0 }) { unlink(name) }
  }

  /// A hidden name beside the destination that keeps the extension and cannot collide.
  private static func temporaryName(for destination: String) -> String {
    let number = counter.add(1, ordering: .relaxed).newValue
    let slash = destination.lastIndex(of: "/").map { destination.index(after: $0) }
    let start = slash ?? destination.startIndex
    return "\(destination[..<start]).pending-\(getpid())-\(number)-\(destination[start...])"
  }
}

private let counter = Atomic<Int>(0)
private let registry = Mutex<Set<String>>([])
