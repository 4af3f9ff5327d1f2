import Texts

/// The small pieces that tables are written with.
enum RangesSyntax {
  /// The shortest text that reads back as the same float32.
  static func number(_ value: Float) -> String {
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// A name as it stands in a table: in quotes where it would otherwise be misread.
  static func quoted(_ name: String) -> String {
    // By scalars, as the reader goes: a combining mark makes another character of a "#".
    let isPlain =
      !name.isEmpty && name.unicodeScalars.first != "#" && name.unicodeScalars.last != ":"
      && name.unicodeScalars.allSatisfy {
        !$0.properties.isWhitespace && $0 != "\"" && $0 != "\\"
          && $0.properties.generalCategory != .control
      }
    if isPlain { return name }
    var text = "\""
    for scalar in name.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      default:
        if scalar == " "
          || !scalar.properties.isWhitespace
            && scalar.properties.generalCategory != .control
        {
          text.unicodeScalars.append(scalar)
        } else {
          text += "\\u{\(String(scalar.value, radix: 16))}"
        }
      }
    }
    return text + "\""
  }

  /// The beginning of a text, for a message.
  static func shown(_ text: some StringProtocol) -> String {
    text.count > 40 ? "\(text.prefix(40))…" : String(text)
  }

  static func question(_ word: String, in candidates: [String]) -> String {
    Suggestion.question(word, in: candidates)
  }
}

/// One line of a table, read word by word.
struct RangesLine {
  let place: String
  /// Says whether the first word ended with a colon outside quotes.
  private(set) var isSetting = false
  private let scalars: [Unicode.Scalar]
  private var index = 0

  init(_ line: String, place: String) {
    scalars = Array(line.unicodeScalars)
    self.place = place
  }

  func error(_ message: String) -> CompileError {
    CompileError(.invalidData, message, place: place)
  }

  /// The first word; nil for a line that is empty or a comment.
  mutating func name() throws(CompileError) -> String? {
    skipSpace()
    guard index < scalars.count, scalars[index] != "#" else { return nil }
    let isQuoted = scalars[index] == "\""
    guard var name = try word() else { return nil }
    if !isQuoted, name.unicodeScalars.last == ":" {
      name.unicodeScalars.removeLast()
      isSetting = true
    }
    guard !name.isEmpty || !isSetting else { throw error("a setting without a name") }
    return name
  }

  /// The next word, without its quotes; nil at the end of the line or before a comment.
  mutating func word() throws(CompileError) -> String? {
    skipSpace()
    guard index < scalars.count, scalars[index] != "#" else { return nil }
    if scalars[index] == "\"" { return try quotedWord() }
    var word = String.UnicodeScalarView()
    while index < scalars.count, !scalars[index].properties.isWhitespace {
      guard scalars[index] != "\"" else {
        throw error(
          "'\(RangesSyntax.shown(String(word)))' is followed by a quote; a name with quotes in it "
            + "stands in quotes, with \\\" for each")
      }
      word.append(scalars[index])
      index += 1
    }
    return String(word)
  }

  /// Makes sure that nothing is left.
  mutating func end() throws(CompileError) {
    guard let rest = try word() else { return }
    throw error("'\(RangesSyntax.shown(rest))' is not expected at the end of the line")
  }

  /// Two numbers, the first not above the second.
  func range(
    _ low: String, _ high: String, of what: String
  ) throws(CompileError) -> (low: Float, high: Float) {
    let (lowest, highest) = (try number(low, what), try number(high, what))
    guard lowest <= highest else {
      throw error(
        "\(what): the lowest number \(low) is above the highest \(high); exchange them or correct "
          + "one")
    }
    return (lowest, highest)
  }

  private func number(_ text: String, _ what: String) throws(CompileError) -> Float {
    let isPlain = text.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
    let lower = text.lowercased()
    if lower.contains("nan") || lower.contains("inf") {
      throw error("\(what): '\(RangesSyntax.shown(text))' is no finite number")
    }
    guard isPlain, let value = Float(text) else {
      throw error("\(what): '\(RangesSyntax.shown(text))' is not a number")
    }
    guard value.isFinite else {
      throw error(
        "\(what): \(RangesSyntax.shown(text)) is too large; float32 ends at 3.4028235e+38")
    }
    return value
  }

  private mutating func skipSpace() {
    while index < scalars.count, scalars[index].properties.isWhitespace { index += 1 }
  }

  private mutating func quotedWord() throws(CompileError) -> String {
    index += 1
    var word = String.UnicodeScalarView()
    while index < scalars.count, scalars[index] != "\"" {
      if scalars[index] == "\\" {
        word.append(try escape())
      } else {
        word.append(scalars[index])
        index += 1
      }
    }
    guard index < scalars.count else { throw error("a quote is not closed") }
    index += 1
    guard index == scalars.count || scalars[index].properties.isWhitespace else {
      throw error("a space is missing behind \"\(RangesSyntax.shown(String(word)))\"")
    }
    return String(word)
  }

  private mutating func escape() throws(CompileError) -> Unicode.Scalar {
    index += 1
    let letter = index < scalars.count ? scalars[index] : " "
    index += 1
    switch letter {
    case "\"", "\\": return letter
    case "n": return "\n"
    case "t": return "\t"
    case "u":
      let end = scalars[min(index, scalars.count)...].firstIndex(of: "}") ?? scalars.count
      if end < scalars.count, end - index <= 8, scalars[index] == "{" {
        let digits = String(String.UnicodeScalarView(scalars[(index + 1)..<end]))
        if let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value) {
          index = end + 1
          return scalar
        }
      }
      throw error("\\u needs a character's number in braces, as in \\u{e4}")
    default:
      throw error("'\\\(letter)' is unknown in quotes; known are \\\" \\\\ \\n \\t \\u{…}")
    }
  }
}
