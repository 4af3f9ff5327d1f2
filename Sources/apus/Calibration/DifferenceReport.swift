import Compilation
import Texts

/// Two ranges tables side by side, for people and for scripts.
enum DifferenceReport {
  /// Rows that people look at.
  private static let shownCount = 40

  static func text(_ difference: RangesDifference, _ paths: [String]) -> String {
    var text = ""
    for (names, path) in [(difference.removed, paths[0]), (difference.added, paths[1])] {
      guard !names.isEmpty else { continue }
      text += "only in \(path): \(names.joined(separator: ", "))\n"
    }
    if !difference.moved.isEmpty {
      var table = TextTable([
        (heading: "value", alignment: .left), (heading: "before", alignment: .left),
        (heading: "after", alignment: .left), (heading: "moved", alignment: .right),
      ])
      for moved in difference.moved.prefix(shownCount) {
        table.add([
          moved.name, range(moved.before), range(moved.after),
          moved.share.isFinite ? "\(NumberText.significant(moved.share * 100, digits: 3)) %" : "∞",
        ])
      }
      text += table.text
    }
    let rest = difference.moved.count - shownCount
    if rest > 0 { text += "and \(rest) more that moved less\n" }
    return text + "\(difference.moved.count) ranges moved, \(difference.equalCount) are the same\n"
  }

  static func json(_ difference: RangesDifference) -> String {
    var writer = JSONWriter(isIndented: true)
    writer.object { object in
      object.field("only_in_first", difference.removed)
      object.field("only_in_second", difference.added)
      object.field("equal", difference.equalCount)
      object.array("moved") { array in
        for moved in difference.moved {
          array.object { row in
            row.field("name", moved.name)
            row.field("before", [Double(moved.before.low), Double(moved.before.high)])
            row.field("after", [Double(moved.after.low), Double(moved.after.high)])
            row.field("share", moved.share)
          }
        }
      }
    }
    return writer.text + "\n"
  }

  private static func range(_ range: ValueRange) -> String {
    guard range.low.isFinite, range.high.isFinite else { return "infinite" }
    return [range.low, range.high].map { NumberText.significant(Double($0), digits: 5) }
      .joined(separator: " … ")
  }
}
