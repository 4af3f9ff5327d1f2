import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// An output file that appears under its name only when it is complete.
///
/// Until `commit` the file has no name, so that nothing is left of it however the process ends;
/// writers (libraries that want a name, too) reach it by `temporaryPath`, which leads to the
/// process's own handle. Where the file system knows no nameless files, `temporaryPath` is a hidden
/// name in the same directory with the same extension, and a pending file that goes away
/// uncommitted is removed. Where the destination is no regular file (a pipe, a device), there is
/// nothing to rename: `temporaryPath` is the destination itself. A symbolic link is followed, not
/// replaced; a file that is replaced passes its permissions on.
package struct PendingFile: ~Copyable {
  /// The destination as the user gave it.
  package let path: String
  /// Where to write until `commit`.
  package private(set) var temporaryPath = ""
  /// Says whether the destination is written directly, because it is no regular file.
  package private(set) var isInPlace = false
  private var destination = ""
  private var isPending = false
  /// The file without a name; below 0 where there is none.
  private var nameless = OwnedDescriptor(number: -1)

  /// Makes the nameless file, or chooses the temporary name.
  ///
  /// - Throws: `FileError` where the destination is a directory or its directory is missing.
  package init(replacing path: String) throws(FileError) {
    try self.init(replacing: path, allowsNameless: true)
  }

  /// - Parameter allowsNameless: whether to try a file without a name first.
  init(replacing path: String, allowsNameless: Bool) throws(FileError) {
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
    isPending = true
    if allowsNameless {
      let number = open(directory, O_RDWR | O_CLOEXEC | PendingFile.withoutName, 0o666)
      nameless = OwnedDescriptor(number: number)
      temporaryPath = "/proc/self/fd/\(number)"
      if number >= 0, access(temporaryPath, R_OK | W_OK) == 0 { return }
      nameless = OwnedDescriptor(number: -1)
    }
    let temporaryPath = PendingFile.temporaryName(for: resolved)
    self.temporaryPath = temporaryPath
    registry.withLock { _ = $0.insert(temporaryPath) }
  }

  deinit {
    if isPending, nameless.number < 0 { PendingFile.remove(temporaryPath) }
  }

  /// The open file without a name, for reading and writing; nil where `temporaryPath` is a name.
  var descriptor: Int32? { nameless.number >= 0 ? nameless.number : nil }

  /// Linux's O_TMPFILE, which Swift does not import.
  private static let withoutName: Int32 = 0o20_000_000 | O_DIRECTORY

  /// Gives the file its name, replacing what stood there.
  package mutating func commit() throws(FileError) {
    guard isPending else { return }
    var status = stat()
    if stat(destination, &status) == 0 { chmod(temporaryPath, status.st_mode & 0o777) }
    if nameless.number >= 0 {
      try nameFile()
    } else {
      try rename(temporaryPath)
    }
    isPending = false
    nameless = OwnedDescriptor(number: -1)
  }

  private func rename(_ name: String) throws(FileError) {
    guard Glibc.rename(name, destination) == 0 else { throw FileError.writing(path, errno) }
    registry.withLock { _ = $0.remove(name) }
  }

  /// Gives the nameless file the destination's name; where that is taken, through another, since a
  /// link replaces nothing.
  private func nameFile() throws(FileError) {
    func link(_ name: String) -> Bool {
      linkat(AT_FDCWD, temporaryPath, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0
    }
    if link(destination) { return }
    guard errno == EEXIST else { throw FileError.writing(path, errno) }
    let name = PendingFile.temporaryName(for: destination)
    registry.withLock { _ = $0.insert(name) }
    guard link(name) else {
      let fault = errno
      registry.withLock { _ = $0.remove(name) }
      throw FileError.writing(path, fault)
    }
    do throws(FileError) {
      try rename(name)
    } catch {
      PendingFile.remove(name)
      throw error
    }
  }

  private static func remove(_ name: String) {
    unlink(name)
    registry.withLock { _ = $0.remove(name) }
  }

  /// Removes every file that is still pending under a name; for a process that is about to end on
  /// a signal.
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
