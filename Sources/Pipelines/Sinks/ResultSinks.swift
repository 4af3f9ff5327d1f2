public import Imaging

#if canImport(Glibc)
  import Glibc
#endif

/// Opens what writes the results of a stream.
public enum ResultSinks {
  /// The frames per second of a video whose source does not say its own.
  public static let assumedRate = 25

  /// Opens a sink for one stream; folders that are missing are made.
  ///
  /// - Parameter rate: the frames per second of the source; nil where it does not say.
  /// - Throws: `sink`, naming the file; `unavailable` without the media library.
  public static func open(
    _ sink: PipelineConfiguration.Sink, stream: String, rate: FrameRate?
  ) throws(PipelineError) -> any ResultSink {
    let path = sink.path(for: stream)
    switch sink.kind {
    case .jsonl:
      try OutputFolder.make(above: path)
      return try JSONLinesSink(path)
    case .mp4:
      try OutputFolder.make(above: path)
      return try AnnotatedVideoSink(path, rate: rate)
    case .images:
      return try PictureFolderSink(path, isNumbered: true)
    }
  }
}

extension PipelineConfiguration.Sink {
  /// What stands for the name of the stream in a path.
  public static let placeholder = "{stream}"

  /// Where the results of a stream go.
  public func path(for stream: String) -> String {
    let parts = path.split(separator: Self.placeholder, omittingEmptySubsequences: false)
    return parts.joined(separator: stream)
  }
}

/// Folders that outputs need.
package enum OutputFolder {
  /// Makes a folder and those above it, where they are missing.
  ///
  /// - Throws: `sink` where it cannot be made.
  package static func make(_ path: String) throws(PipelineError) {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      made += "\(part)/"
      guard mkdir(made, 0o777) != 0 else { continue }
      let reason = errno
      guard reason == EEXIST, isFolder(made) else {
        throw PipelineError(
          .sink, "the folder cannot be made: \(String(cString: strerror(reason)))", place: made)
      }
    }
  }

  /// Makes the folder in which a file is to stand.
  package static func make(above path: String) throws(PipelineError) {
    guard let slash = path.lastIndex(of: "/") else { return }
    try make(String(path[..<slash]))
  }

  /// Says whether a path names a folder.
  package static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
