import Imaging
import Options
import Pictures

#if canImport(Glibc)
  import Glibc
#endif

/// The files below a folder, as paths relative to it, sorted by their bytes.
struct PictureTree {
  let folder: String
  /// The pictures.
  let pictures: [String]
  /// The text files.
  let texts: [String]
  /// The folders directly below.
  let folders: [String]

  /// Folders within folders that are looked into: ends circles of links.
  private static let maximumDepth = 32
  /// The most files that are listed.
  private static let maximumCount = 10_000_000

  /// Lists a folder; names that begin with a point are passed over.
  ///
  /// - Throws: exit 66 where it cannot be read, 65 where it is too deep.
  init(_ folder: String) throws {
    var base = folder
    while base.count > 1, base.hasSuffix("/") { base.removeLast() }
    self.folder = base
    var pictures: [String] = []
    var texts: [String] = []
    var folders: [String] = []
    var open: [(path: String, depth: Int)] = [("", 0)]
    while let (path, depth) = open.popLast() {
      guard depth <= PictureTree.maximumDepth else {
        throw VerbError(
          .badInput,
          "\(base)/\(path): more than \(PictureTree.maximumDepth) folders deep; is there a circle "
            + "of links?")
      }
      for name in try PictureTree.names(in: path.isEmpty ? base : base + "/" + path) {
        let inner = path.isEmpty ? name : path + "/" + name
        if Picture.isPicture(name) {
          pictures.append(inner)
        } else if name.lowercased().hasSuffix(".txt") {
          texts.append(inner)
        } else if FileKind.isDirectory(base + "/" + inner) {
          open.append((inner, depth + 1))
          if depth == 0 { folders.append(inner) }
        }
      }
      guard pictures.count + texts.count <= PictureTree.maximumCount else {
        throw VerbError(.badInput, "\(base): more than \(PictureTree.maximumCount) files")
      }
    }
    self.pictures = PictureTree.sorted(pictures)
    self.texts = PictureTree.sorted(texts)
    self.folders = PictureTree.sorted(folders)
  }

  /// The path of a file of the tree.
  func path(of name: String) -> String { folder + "/" + name }

  /// A name without the ending of its last part.
  static func stem(of name: String) -> String {
    let start = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
    guard let dot = name[start...].lastIndex(of: "."), dot > start else { return name }
    return String(name[..<dot])
  }

  /// The last part of a name.
  static func base(of name: String) -> String {
    name.lastIndex(of: "/").map { String(name[name.index(after: $0)...]) } ?? name
  }

  private static func names(in folder: String) throws -> [String] {
    guard let directory = opendir(folder) else {
      throw VerbError(
        .inputMissing, "\(folder): cannot be listed: \(String(cString: strerror(errno)))")
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }

  private static func sorted(_ names: [String]) -> [String] {
    names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}

/// Finds the pictures that annotations name.
struct PictureIndex {
  private var exact: [String: Int] = [:]
  /// By the last part of the name, or by it without ending; −1 where several share it.
  private var bases: [String: Int] = [:]
  private let byStem: Bool

  /// - Parameter byStem: whether annotations name pictures without their endings.
  init(_ pictures: [String], byStem: Bool = false) {
    self.byStem = byStem
    for (index, name) in pictures.enumerated() {
      let key = byStem ? PictureTree.stem(of: name) : name
      exact[key] = exact[key] == nil ? index : -1
      let base = PictureTree.base(of: key)
      bases[base] = bases[base] == nil ? index : -1
    }
  }

  /// The place of the picture that an annotation calls `name`: the same path from the folder, or
  /// else the only picture whose file is called so.
  subscript(name: String) -> Int? {
    var key = name
    while key.hasPrefix("./") { key.removeFirst(2) }
    let found = exact[key] ?? bases[PictureTree.base(of: key)] ?? -1
    return found < 0 ? nil : found
  }
}
