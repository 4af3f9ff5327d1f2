import Accuracy
import Options
import Texts

/// A folder of YOLO texts, one per picture: a line per object, `class cx cy w h`, as fractions of
/// the picture's sides. A picture without a text, or with an empty one, shows no objects.
enum YOLOAnnotations {
  /// The largest text that is read, in bytes.
  private static let maximumByteCount = 64 << 20
  /// Rounding may bring a box this far over the picture's edge.
  private static let slack = 1e-3

  static func read(_ folder: String, for tree: PictureTree) throws -> LabelledPictures {
    let texts = try PictureTree(folder)
    let index = PictureIndex(tree.pictures, byStem: true)
    var known: [Int: (objects: [KnownObjects.Object], path: String)] = [:]
    var missing: [String] = []
    for name in texts.texts {
      let stem = PictureTree.stem(of: name)
      guard let picture = index[stem] else {
        // Labelling tools leave the names of the classes beside the texts.
        if PictureTree.base(of: name) != "classes.txt" { missing.append(name) }
        continue
      }
      let path = texts.path(of: name)
      if let other = known[picture] {
        throw VerbError(
          .badInput, "\(path) and \(other.path) both belong to \(tree.pictures[picture])")
      }
      known[picture] = (try objects(in: path), path)
    }
    guard !known.isEmpty else {
      throw VerbError(
        .badInput,
        texts.texts.isEmpty
          ? "\(folder) holds no .txt files; YOLO annotations are one per picture"
          : "no .txt file of \(folder) belongs to a picture of \(tree.folder): there are "
            + "\(texts.texts[0]) and \(tree.pictures[0])")
    }
    var set = DataSet<KnownObjects>()
    for (picture, name) in tree.pictures.enumerated() {
      set.items.append(
        .init(
          path: tree.path(of: name),
          truth: KnownObjects(objects: known[picture]?.objects ?? [], isNormalised: true)))
    }
    set.note(
      tree.pictures.indices.filter { known[$0] == nil }.map { tree.pictures[$0] },
      "picture has no annotation and counts as one without objects",
      "pictures have no annotation and count as ones without objects")
    set.note(
      missing, "annotation belongs to no picture of \(tree.folder)",
      "annotations belong to no picture of \(tree.folder)")
    return .objects(set, categories: nil)
  }

  /// Reads one text.
  static func objects(in path: String) throws -> [KnownObjects.Object] {
    let bytes = try AnnotationFile.bytes(of: path, limit: maximumByteCount)
    var objects: [KnownObjects.Object] = []
    for (offset, line) in try AnnotationFile.lines(of: bytes, path).enumerated() {
      let number = offset + 1
      let words = line.split(whereSeparator: \.isWhitespace)
      if words.isEmpty { continue }
      guard words.count == 5 else {
        let remedy =
          words.count > 5 && words.count % 2 == 1
          ? "; outlines of segments are no boxes" : ""
        throw AnnotationFile.error(
          path, line: number, "has \(words.count) numbers; an object is class cx cy w h\(remedy)")
      }
      guard let category = Int(words[0]), category >= 0 else {
        throw AnnotationFile.error(
          path, line: number, "'\(words[0])' is no class index; it is a whole number from 0")
      }
      var sides: [Double] = []
      for word in words[1...] {
        guard let value = Double(word), value.isFinite else {
          throw AnnotationFile.error(path, line: number, "'\(word)' is no number")
        }
        guard value >= -slack, value <= 1 + slack else {
          throw AnnotationFile.error(
            path, line: number,
            "\(word) is not within 0 and 1; boxes are fractions of the picture's width and height")
        }
        sides.append(value)
      }
      let (width, height) = (max(sides[2], 0), max(sides[3], 0))
      objects.append(
        .init(
          category: category,
          box: .init(
            x: sides[0] - width / 2, y: sides[1] - height / 2, width: width, height: height),
          place: "\(path): line \(number)"))
    }
    return objects
  }
}
