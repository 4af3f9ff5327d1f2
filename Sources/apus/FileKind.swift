import Files
import Options

#if canImport(Glibc)
  import Glibc
#endif

/// What a path names.
enum FileKind {
  static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Makes a directory and those above it, where they are missing.
  ///
  /// - Throws: exit 74 where it cannot be made.
  static func makeDirectory(_ path: String) throws {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      made += "\(part)/"
      if mkdir(made, 0o777) != 0, errno != EEXIST || !isDirectory(made) {
        throw VerbError(
          .outputFailed, "the directory \(made) cannot be made: \(String(cString: strerror(errno)))"
        )
      }
    }
  }
}
