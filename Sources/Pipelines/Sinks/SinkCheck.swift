#if canImport(Glibc)
  import Glibc
#endif

extension PipelineConfiguration.Sink {
  /// Checks that the results of a stream could be written, without writing anything.
  ///
  /// - Throws: `sink`, naming the file or folder.
  func check(for stream: String) throws(PipelineError) {
    let path = self.path(for: stream)
    var status = stat()
    let exists = stat(path, &status) == 0
    let isFolder = exists && status.st_mode & S_IFMT == S_IFDIR
    if kind == .images {
      guard !exists || isFolder else {
        throw PipelineError(.sink, "is a file, where a folder of pictures is to be", place: path)
      }
      return try checkFolder(path)
    }
    guard !isFolder else {
      throw PipelineError(.sink, "is a directory; name a file", place: path)
    }
    // A pipe or a device is written in place.
    if exists, status.st_mode & S_IFMT != S_IFREG {
      guard access(path, W_OK) == 0 else { throw refused(path, errno) }
      return
    }
    try checkFolder(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".")
  }

  /// Checks that a folder can take files, or could be made.
  private func checkFolder(_ path: String) throws(PipelineError) {
    var folder = path.isEmpty ? "/" : path
    while access(folder, F_OK) != 0 {
      guard errno == ENOENT else { throw refused(folder, errno) }
      while folder.hasSuffix("/"), folder.count > 1 { folder.removeLast() }
      guard let slash = folder.lastIndex(of: "/") else {
        folder = "."
        break
      }
      folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
    }
    guard OutputFolder.isFolder(folder) else {
      throw PipelineError(.sink, "is not a folder, so nothing can be written below", place: folder)
    }
    guard access(folder, W_OK | X_OK) == 0 else { throw refused(folder, errno) }
  }

  private func refused(_ path: String, _ reason: Int32) -> PipelineError {
    PipelineError(
      .sink, "cannot be written (\(String(cString: strerror(reason)))); check the permissions",
      place: path)
  }
}
