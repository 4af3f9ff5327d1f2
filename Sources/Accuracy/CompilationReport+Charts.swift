import Texts

#if canImport(Glibc)
  import Glibc
#endif

// The pictures of the page, as SVG inside it. Colours are classes, so that they follow the page's
// light or dark scheme; everything they show also stands in text.

extension CompilationReport {
  /// The highest SQNR that the chart tells apart, in dB.
  private static let mostDecibels = 60.0

  /// The SQNR in dB of a vector that differs from the reference in its direction alone.
  static func decibels(_ cosine: Double) -> Double {
    let distance = 2 - 2 * cosine
    return distance > 0 ? -10 * log10(distance) : .infinity
  }

  /// A bar per layer, in the order of execution; what falls is where accuracy is lost.
  func similarityChart(naming worst: [Int]) -> String {
    let levels = layers.map { layer in layer.sqnr ?? layer.cosine.map(Self.decibels) }
    guard levels.contains(where: { $0 != nil }) else { return "" }
    let (left, top, width, height) = (34.0, 16.0, 920.0, 180.0)
    let step = width / Double(layers.count)
    func y(_ level: Double) -> Double {
      let part = level.isNaN ? 0 : min(max(level, 0), Self.mostDecibels) / Self.mostDecibels
      return top + height * (1 - part)
    }
    let names = worst.map { layers[$0].name }.joined(separator: ", ")
    let label =
      "Signal to quantisation noise of \(layers.count) layers in the order of execution"
      + (names.isEmpty ? "" : "; the lowest: \(names)")
    var svg = """
      <svg viewBox="0 0 960 216" role="img" aria-label="\(HTMLText.escaped(label))">

      """
    for level in stride(from: 0.0, through: Self.mostDecibels, by: 20) {
      svg += "<line class=\"grid\" x1=\"\(Self.text(left))\" x2=\"\(Self.text(left + width))\" "
      svg += "y1=\"\(Self.text(y(level)))\" y2=\"\(Self.text(y(level)))\"/>"
      svg += "<text class=\"axis\" x=\"30\" y=\"\(Self.text(y(level) + 4))\" "
      svg += "text-anchor=\"end\">\(NumberText.fixed(level, decimals: 0))</text>\n"
    }
    for (index, layer) in layers.enumerated() {
      guard let level = levels[index] else { continue }
      let place = worst.firstIndex(of: index)
      let x = left + Double(index) * step
      let tall = max(top + height - y(level), 1)
      svg += Self.bar(
        x: x, y: top + height - tall, width: max(step * 0.85, 0.5), height: tall,
        style: place == nil ? Self.style(of: layer.precision) : "worst",
        title: "\(layer.name) (\(layer.operatorName), \(layer.precision)): \(Self.sqnr(level))")
      if let place {
        svg += "<text class=\"rank\" x=\"\(Self.text(x + step / 2))\" "
        svg += "y=\"\(Self.text(top + height - tall - 3))\" text-anchor=\"middle\">"
        svg += "\(place + 1)</text>\n"
      }
    }
    return svg + "</svg>\n"
  }

  /// The class of a bar by what the layer computes in.
  private static func style(of precision: String) -> String {
    switch precision {
    case "int8", "uint8": "int8"
    case "bf16": "bf16"
    default: "float"
    }
  }

  /// An SQNR as text.
  static func sqnr(_ value: Double) -> String {
    value == .infinity ? "no noise" : "\(NumberText.fixed(value, decimals: 1)) dB"
  }

  static func bar(
    x: Double, y: Double, width: Double, height: Double, style: String, title: String
  ) -> String {
    "<rect class=\"\(style)\" x=\"\(text(x))\" y=\"\(text(y))\" width=\"\(text(width))\" "
      + "height=\"\(text(height))\"><title>\(HTMLText.escaped(title))</title></rect>\n"
  }

  /// A coordinate.
  static func text(_ value: Double) -> String {
    NumberText.significant((value * 100).rounded() / 100, digits: 7)
  }
}

extension CompilationReport.Histogram {
  /// Columns of the drawing; bins are joined where there are more.
  private static let maximumColumns = 96

  private var span: Double { bounds.upperBound - bounds.lowerBound }

  /// The counts joined to at most `maximumColumns` columns; negative counts are none.
  private var columns: [Double] {
    guard !counts.isEmpty else { return [] }
    let join = (counts.count + Self.maximumColumns - 1) / Self.maximumColumns
    return stride(from: 0, to: counts.count, by: join).map { start in
      counts[start..<min(start + join, counts.count)].reduce(0.0) { $0 + Double(max($1, 0)) }
    }
  }

  /// The share of values in bins that lie beyond the thresholds.
  var clippedShare: Double? {
    guard let thresholds, span > 0, span.isFinite else { return nil }
    let total = counts.reduce(0.0) { $0 + Double(max($1, 0)) }
    guard total > 0 else { return nil }
    let width = span / Double(counts.count)
    var beyond = 0.0
    for (index, count) in counts.enumerated() where count > 0 {
      let middle = bounds.lowerBound + (Double(index) + 0.5) * width
      if !thresholds.contains(middle) { beyond += Double(count) }
    }
    return beyond / total
  }

  /// What the drawing shows, in a sentence.
  var caption: String {
    func number(_ value: Double) -> String { NumberText.significant(value, digits: 4) }
    var text = "values from \(number(bounds.lowerBound)) to \(number(bounds.upperBound))"
    if let thresholds {
      text +=
        ", kept from \(number(thresholds.lowerBound)) to \(number(thresholds.upperBound))"
      if let share = clippedShare {
        text += ", \(NumberText.significant(share * 100, digits: 3)) % clipped"
      }
    }
    if let sqnr { text += "; \(CompilationReport.sqnr(sqnr))" }
    return text
  }

  /// Bars of how often which values occur, on a logarithmic scale, with a line at each threshold.
  var drawing: String {
    let columns = columns
    let (width, height) = (320.0, 72.0)
    var svg = "<svg viewBox=\"0 0 320 84\" role=\"img\" "
    svg += "aria-label=\"\(HTMLText.escaped("Histogram of \(name): \(caption)"))\">\n"
    let highest = columns.map { log1p($0) }.max() ?? 0
    if highest > 0 {
      let step = width / Double(columns.count)
      for (index, count) in columns.enumerated() where count > 0 {
        let tall = max(log1p(count) / highest * height, 1)
        svg += "<rect class=\"bin\" x=\"\(CompilationReport.text(Double(index) * step))\" "
        svg += "y=\"\(CompilationReport.text(height - tall + 4))\" "
        svg += "width=\"\(CompilationReport.text(step * 0.9))\" "
        svg += "height=\"\(CompilationReport.text(tall))\"/>\n"
      }
    }
    svg += "<line class=\"base\" x1=\"0\" x2=\"320\" y1=\"76\" y2=\"76\"/>\n"
    if let thresholds, span > 0, span.isFinite {
      for threshold in [thresholds.lowerBound, thresholds.upperBound] where threshold.isFinite {
        let part = min(max((threshold - bounds.lowerBound) / span, 0), 1)
        let x = CompilationReport.text(part * width)
        svg += "<line class=\"clip\" x1=\"\(x)\" x2=\"\(x)\" y1=\"0\" y2=\"84\"/>\n"
      }
    }
    return svg + "</svg>"
  }
}
