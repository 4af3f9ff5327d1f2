/// A table with aligned columns for a terminal or a log.
///
/// ```
/// layer    ms    share
/// conv1  0.42   12.5 %
/// ```
package struct TextTable: Sendable {
  /// Where the cells of a column stand.
  package enum Alignment: Sendable { case left, right }

  private let alignments: [Alignment]
  private var rows: [[String]]

  /// Makes a table with a heading per column.
  package init(_ columns: [(heading: String, alignment: Alignment)]) {
    alignments = columns.map(\.alignment)
    rows = [columns.map(\.heading)]
  }

  /// Appends a row; cells that are missing are empty.
  ///
  /// Programmer error (precondition): more cells than columns.
  package mutating func add(_ cells: [String]) {
    precondition(cells.count <= alignments.count, "a row of \(cells.count) cells")
    rows.append(cells + Array(repeating: "", count: alignments.count - cells.count))
  }

  /// The lines, without trailing spaces, each ended by a line break.
  package var text: String {
    var widths = [Int](repeating: 0, count: alignments.count)
    for row in rows {
      for (column, cell) in row.enumerated() {
        widths[column] = max(widths[column], TextWidth.columns(of: cell))
      }
    }
    var text = ""
    for row in rows {
      var line = ""
      for (column, cell) in row.enumerated() {
        if column > 0 { line += "  " }
        let gap = String(repeating: " ", count: widths[column] - TextWidth.columns(of: cell))
        line += alignments[column] == .left ? cell + gap : gap + cell
      }
      while line.last == " " { line.removeLast() }
      text += line + "\n"
    }
    return text
  }
}

/// How much room text takes on a terminal.
package enum TextWidth {
  /// Returns the columns that `text` takes: 2 for East Asian wide characters and emoji, 0 for marks
  /// that combine, 1 for the rest.
  package static func columns(of text: String) -> Int {
    text.reduce(0) { $0 + columns(of: $1) }
  }

  /// Returns the beginning of `text` that fits into `columns`, ended by `…` where it was cut.
  package static func truncated(_ text: String, to columns: Int) -> String {
    guard self.columns(of: text) > columns else { return text }
    var result = ""
    var used = 1
    for character in text {
      used += self.columns(of: character)
      if used > columns { break }
      result.append(character)
    }
    return columns > 0 ? result + "…" : ""
  }

  private static func columns(of character: Character) -> Int {
    guard let first = character.unicodeScalars.first else { return 0 }
    if first.value < 0x300 { return first.value < 0x20 ? 0 : 1 }
    switch first.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: break
    }
    if first.properties.isEmojiPresentation { return 2 }
    return wide.contains { $0.contains(first.value) } ? 2 : 1
  }

  /// Unicode's East Asian Wide and Fullwidth blocks.
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF,
    0xA000...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
    0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD,
  ]
}
