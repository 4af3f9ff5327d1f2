import FoundationEssentials

/// The project's own files, as the tidy tests read them.
enum SourceTree {
  /// The folder that holds `Package.swift`.
  static let root: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/")
  }()

  /// One file: its path from the root and its lines.
  struct File: Sendable {
    let path: String
    let lines: [String]

    var name: String { path.split(separator: "/").last.map(String.init) ?? path }
    /// The room (folder under `Sources`), or nil.
    var room: String? {
      let parts = path.split(separator: "/")
      return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }
    var isSwift: Bool { path.hasSuffix(".swift") }
    var isC: Bool { path.hasSuffix(".c") || path.hasSuffix(".h") }
  }

  /// Every source file under `Sources` and `Tests`, and the manifest, in a fixed order.
  static let files: [File] = {
    var paths = ["Package.swift"]
    for folder in ["Sources", "Tests"] {
      let inside = (try? FileManager.default.subpathsOfDirectory(atPath: "\(root)/\(folder)")) ?? []
      paths += inside.map { "\(folder)/\($0)" }
    }
    return paths.sorted().compactMap { path in
      let endings = [".swift", ".c", ".h", ".inc"]
      guard endings.contains(where: path.hasSuffix) else { return nil }
      return text(path).map { File(path: path, lines: lines(of: $0)) }
    }
  }()

  /// The folders under `Sources`.
  static var rooms: Set<String> { Set(files.compactMap(\.room)) }

  /// The contents of a file, or nil where there is none.
  static func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: "\(root)/\(path)").map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  static func lines(of text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }
}

extension SourceTree.File {
  /// The lines with the contents of comments and string literals blanked out.
  var code: [String] {
    var scanner = CodeScanner(lines.joined(separator: "\n"))
    return SourceTree.lines(of: scanner.blanked())
  }
}

/// Blanks out comments and string literals of Swift; good enough for C too.
private struct CodeScanner {
  private let text: [Character]
  private var index = 0
  private var result: [Character] = []

  init(_ text: String) { self.text = Array(text) }

  mutating func blanked() -> String {
    while index < text.count {
      if starts(with: "//") {
        while index < text.count, text[index] != "\n" { index += 1 }
      } else if starts(with: "/*") {
        skip(until: "*/")
      } else if text[index] == "\"" || text[index] == "#" && isRawString {
        skipString()
        result.append("\"")
      } else {
        result.append(text[index])
        index += 1
      }
    }
    return String(result)
  }

  private func starts(with word: String) -> Bool {
    let word = Array(word)
    return index + word.count <= text.count && Array(text[index..<(index + word.count)]) == word
  }

  private var isRawString: Bool {
    let rest = text[index...].prefix(8).drop { $0 == "#" }
    return rest.first == "\""
  }

  private mutating func skip(until end: String) {
    while index < text.count, !starts(with: end) { step() }
    index = min(index + end.count, text.count)
  }

  /// Moves on, keeping line breaks so that line numbers stay.
  private mutating func step() {
    if text[index] == "\n" { result.append("\n") }
    index += 1
  }

  private mutating func skipString() {
    var hashes = 0
    while text[index] == "#" {
      hashes += 1
      index += 1
    }
    let quote = starts(with: "\"\"\"") ? "\"\"\"" : "\""
    let end = quote + String(repeating: "#", count: hashes)
    let escape = "\\" + String(repeating: "#", count: hashes)
    index += quote.count
    while index < text.count, !starts(with: end) {
      if quote.count == 1, text[index] == "\n" { return }
      if starts(with: escape + "(") {
        index += escape.count + 1
        skipInterpolation()
      } else if starts(with: escape) {
        index += escape.count
        if index < text.count { step() }
      } else {
        step()
      }
    }
    index = min(index + end.count, text.count)
  }

  private mutating func skipInterpolation() {
    var depth = 1
    while index < text.count, depth > 0 {
      switch text[index] {
      case "(": depth += 1
      case ")": depth -= 1
      case "\"":
        skipString()
        continue
      default: break
      }
      step()
    }
  }
}
