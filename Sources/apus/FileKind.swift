#if canImport(Glibc)
  import Glibc
#endif

/// What a path names.
enum FileKind {
  static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
