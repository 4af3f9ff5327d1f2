import Options
import Texts

/// A CSV table (RFC 4180) of `file,class_index`, with or without a line of headings.
enum ClassTable {
  static func read(
    _ bytes: [UInt8], _ path: String, for tree: PictureTree
  ) throws -> LabelledPictures {
    let index = PictureIndex(tree.pictures)
    var known: [Int: (classIndex: Int, line: Int)] = [:]
    var missing: [String] = []
    var isFirst = true
    for (offset, line) in try AnnotationFile.lines(of: bytes, path).enumerated() {
      let number = offset + 1
      if line.allSatisfy(\.isWhitespace) { continue }
      let fields = try fields(of: line, path, number)
      guard fields.count == 2 else {
        throw AnnotationFile.error(
          path, line: number,
          "has \(fields.count) field\(fields.count == 1 ? "" : "s"); a line is file,class_index")
      }
      let text = trimmed(fields[1])
      let isHeading = isFirst && text.first.map { $0.isLetter || $0 == "_" } ?? false
      isFirst = false
      if isHeading { continue }
      guard let classIndex = Int(text), classIndex >= 0 else {
        throw AnnotationFile.error(
          path, line: number, "'\(text)' is no class index; it is a whole number from 0")
      }
      let name = trimmed(fields[0])
      guard let picture = index[name] else {
        missing.append("\(name) (line \(number))")
        continue
      }
      if let other = known[picture] {
        throw AnnotationFile.error(
          path, line: number, "'\(name)' stands in line \(other.line) already; remove one of them")
      }
      known[picture] = (classIndex, number)
    }
    guard !known.isEmpty else {
      throw VerbError(
        .badInput,
        missing.isEmpty
          ? "\(path) holds no line file,class_index"
          : "\(path): none of its files is in \(tree.folder): it names \(missing[0]), and there is "
            + tree.pictures[0])
    }
    var set = DataSet<KnownClass>()
    for (picture, name) in tree.pictures.enumerated() {
      guard let (classIndex, line) = known[picture] else { continue }
      set.items.append(
        .init(
          path: tree.path(of: name),
          truth: KnownClass(classIndex: classIndex, place: "\(path): line \(line)")))
    }
    set.note(
      tree.pictures.indices.filter { known[$0] == nil }.map { tree.pictures[$0] },
      "picture has no annotation and is left out", "pictures have no annotation and are left out")
    set.note(
      missing, "annotated file is not in \(tree.folder)",
      "annotated files are not in \(tree.folder)")
    return .classes(set, names: nil)
  }

  /// Divides a line at its commas; a field in double quotes may hold commas, and quotes twice.
  static func fields(of line: String, _ path: String, _ number: Int) throws -> [String] {
    var fields: [String] = []
    var field = ""
    var isQuoted = false
    var wasQuoted = false
    var rest = Substring(line)
    while let character = rest.popFirst() {
      switch character {
      case "\"" where isQuoted:
        if rest.first == "\"" {
          field.append("\"")
          rest.removeFirst()
        } else {
          isQuoted = false
          wasQuoted = true
        }
      case _ where isQuoted: field.append(character)
      case "\"" where trimmed(field).isEmpty && !wasQuoted:
        field = ""
        isQuoted = true
      case ",":
        fields.append(field)
        (field, wasQuoted) = ("", false)
      case _ where wasQuoted && !character.isWhitespace:
        throw AnnotationFile.error(
          path, line: number, "something follows a closing quote; write a quote inside as \"\"")
      default: field.append(character)
      }
    }
    guard !isQuoted else {
      throw AnnotationFile.error(
        path, line: number, "the quotes are not closed; names of files have no line breaks")
    }
    return fields + [field]
  }

  private static func trimmed(_ text: String) -> String {
    var text = Substring(text)
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}
