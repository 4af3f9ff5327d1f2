public import Imaging

#if canImport(Glibc)
  import Glibc
#endif

/// Delivers picture files, one frame each, in order.
public final class PictureSource: FrameSource {
  public let name: String
  private let paths: [String]
  private var position = 0

  /// Lists files to be read when their turn comes.
  public init(_ paths: [String], name: String = "pictures") {
    self.paths = paths
    self.name = name
  }

  /// Lists the pictures of a folder, sorted by the bytes of their names.
  ///
  /// - Throws: `notFound` or `unreadable`, naming the folder; a folder without pictures is
  ///   `notFound`.
  public convenience init(folder: String) throws(ImagingError) {
    guard let directory = opendir(folder) else {
      throw ImagingError(
        errno == ENOENT ? .notFound : .unreadable,
        "cannot be listed: \(String(cString: strerror(errno)))", place: folder)
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix("."), Picture.isPicture(name) { names.append(name) }
    }
    guard !names.isEmpty else {
      throw ImagingError(
        .notFound,
        "holds no picture (\(Picture.extensions.map { "." + $0 }.joined(separator: ", ")))",
        place: folder)
    }
    names.sort { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    self.init(names.map { folder + "/" + $0 }, name: folder)
  }

  /// The file that the next call reads; nil after the last.
  public var nextPath: String? { position < paths.count ? paths[position] : nil }

  /// Reads the next picture. A picture that cannot be read is passed over by the call after.
  public func next() throws(ImagingError) -> Frame? {
    guard let path = nextPath else { return nil }
    position += 1
    return try Picture.read(path)
  }
}
