import Texts

/// The results of `apus eval` as text and JSON.
struct EvaluationReport {
  /// A program that was evaluated, or why it was not.
  struct Entry {
    var precision: String
    var result: EvaluationResult?
    /// Why there is no result.
    var reason: String?
  }

  var model: String
  var entries: [Entry]
  /// Whether several precisions stand side by side.
  var isTable: Bool

  private var results: [EvaluationResult] { entries.compactMap(\.result) }

  /// Classes up to this number are all listed; of more, as many of the worst.
  private static let maximumRows = 100

  // MARK: Text

  var text: String {
    guard let first = results.first else { return reasons }
    var text = isTable ? table : EvaluationReport.summary(of: first, model)
    text += "\n" + classTable + reasons
    for note in first.notes { text += "note: \(note)\n" }
    return text
  }

  private var reasons: String {
    entries.compactMap { entry in
      entry.reason.map { "\(entry.precision): not evaluated: \($0)\n" }
    }.joined()
  }

  private static func summary(of result: EvaluationResult, _ model: String) -> String {
    let figures = result.figures.map { "\(title($0.name)) \(share($0.value))" }
    let objects =
      result.metric == .map ? ", \(NumberText.grouped(result.truthCount)) objects" : ""
    return """
      \(model): \(result.precision), \(result.threadCount) thread\
      \(result.threadCount == 1 ? "" : "s"), \(result.isa)
      \(figures.joined(separator: ", ")) on \(NumberText.grouped(result.pictureCount)) \
      pictures\(objects)
      \(milliseconds(result)) ms per picture (mean of the runs alone: no decoding, pre- or \
      postprocessing)

      """
  }

  /// One row per precision.
  private var table: String {
    guard let first = results.first else { return "" }
    var table = TextTable(
      [(heading: "precision", alignment: .left)]
        + first.figures.map { (heading: EvaluationReport.title($0.name), alignment: .right) }
        + ["change", "ms", "weights", "memory"].map { (heading: $0, alignment: .right) })
    for entry in entries {
      guard let result = entry.result else {
        table.add([entry.precision] + first.figures.map { _ in "—" } + ["—", "—", "—", "—"])
        continue
      }
      let change = result.value - first.value
      table.add(
        [entry.precision] + result.figures.map { EvaluationReport.share($0.value) } + [
          (change > 0 ? "+" : "") + EvaluationReport.share(change),
          EvaluationReport.milliseconds(result), NumberText.bytes(result.weightByteCount),
          NumberText.bytes(result.memoryByteCount),
        ])
    }
    let objects = first.metric == .map ? ", \(NumberText.grouped(first.truthCount)) objects" : ""
    return """
      \(model): \(NumberText.grouped(first.pictureCount)) pictures\(objects), \
      \(first.threadCount) thread\(first.threadCount == 1 ? "" : "s"), \(first.isa)
      \(table.text)change: of \(EvaluationReport.title(EvaluationReport.main(first))) against \
      \(first.precision). ms: mean per picture of the runs alone. memory: arena, scratch, inputs \
      and outputs.

      """
  }

  /// Figures by class, of one program or, for several, the main figure of each.
  private var classTable: String {
    guard let first = results.first else { return "" }
    let main = EvaluationReport.main(first)
    func value(_ row: EvaluationResult.Row) -> Double {
      row.figures.first { $0.name == main }?.value ?? 2
    }
    var rows = first.rows
    let isCut = rows.count > EvaluationReport.maximumRows
    if isCut {
      rows = Array(
        rows.sorted { (value($0), $0.index) < (value($1), $1.index) }
          .prefix(EvaluationReport.maximumRows))
    }
    var headings = [(heading: "class", alignment: TextTable.Alignment.left)]
    headings.append((heading: first.metric == .map ? "objects" : "pictures", alignment: .right))
    if isTable {
      headings += results.map { (heading: $0.precision, alignment: .right) }
    } else {
      if first.metric == .map { headings.append((heading: "found", alignment: .right)) }
      headings += first.figures.map {
        (heading: EvaluationReport.title($0.name), alignment: .right)
      }
    }
    var table = TextTable(headings)
    for row in rows {
      var cells = [row.label.map { "\(row.index) \($0)" } ?? "\(row.index)"]
      cells.append(NumberText.grouped(row.truthCount))
      if isTable {
        cells += results.map { result in
          let figures = result.rows.first { $0.index == row.index }?.figures
          return EvaluationReport.share(figures?.first { $0.name == main }?.value)
        }
      } else {
        if let count = row.foundCount { cells.append(NumberText.grouped(count)) }
        cells += row.figures.map { EvaluationReport.share($0.value) }
      }
      table.add(cells)
    }
    let cut =
      isCut ? "the \(rows.count) worst of \(first.rows.count) classes; --json has all\n" : ""
    return table.text + cut
  }

  private static func main(_ result: EvaluationResult) -> String {
    result.metric == .map ? "ap" : result.metric.rawValue
  }

  private static func title(_ name: String) -> String {
    switch name {
    case "ap": "AP@[.50:.95]"
    case "ap50": "AP50"
    case "ap75": "AP75"
    case "top1": "top-1"
    default: "top-5"
    }
  }

  private static func share(_ value: Double?) -> String {
    value.map { NumberText.fixed($0, decimals: 4) } ?? "—"
  }

  private static func milliseconds(_ result: EvaluationResult) -> String {
    NumberText.fixed(result.milliseconds, decimals: 3)
  }

  // MARK: JSON

  var json: String {
    var writer = JSONWriter(isIndented: true)
    if !isTable, let result = results.first {
      writer.object { write(result, to: &$0) }
    } else {
      writer.object { object in
        object.field("model", model)
        object.field("metric", results.first?.metric.rawValue)
        object.array("precisions") { array in
          for entry in entries {
            array.object { row in
              row.field("precision", entry.precision)
              if let result = entry.result { write(result, to: &row) }
              if let reason = entry.reason { row.field("not_evaluated", reason) }
            }
          }
        }
      }
    }
    return writer.text + "\n"
  }

  private func write(_ result: EvaluationResult, to object: inout JSONWriter) {
    object.field("metric", result.metric.rawValue)
    object.field("value", result.value)
    for name in ["ap50", "ap75", "top1", "top5"] { object.field(name, result.figure(name)) }
    object.field("images", result.pictureCount)
    object.array("per_class") { array in
      for row in result.rows {
        array.object { item in
          item.field("class", row.index)
          item.field("label", row.label)
          for figure in row.figures { item.field(figure.name, figure.value) }
          item.field(result.metric == .map ? "objects" : "images", row.truthCount)
          if let count = row.foundCount { item.field("found", count) }
        }
      }
    }
    object.field("ms", result.milliseconds)
    object.field("threads", result.threadCount)
    object.field("isa", result.isa)
    object.field("weights_mb", Double(result.weightByteCount) / 1_048_576)
    object.field("memory_mb", Double(result.memoryByteCount) / 1_048_576)
    object.field("notes", result.notes)
    if !isTable {
      object.field("model", model)
      object.field("precision", result.precision)
    }
  }
}

/// Numbers in sentences.
enum NumberWords {
  /// A number without trailing zeros.
  static func plain(_ value: Double) -> String { NumberText.significant(value, digits: 6) }
}
