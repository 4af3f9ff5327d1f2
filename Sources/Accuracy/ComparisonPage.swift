import Texts

#if canImport(Glibc)
  import Glibc
#endif

// One HTML page without scripts or other files: a chart over all tensors, then a row for each with
// a chart of where in the tensor it differs.

extension Comparison {
  /// The report as a self-contained HTML page.
  package func page(title: String) -> String {
    let good = tensors.count { $0.passes }
    let verdict = passes ? "passed" : "failed"
    var page = """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8"><title>\(HTMLText.escaped(title))</title>
      <style>\(Comparison.style)</style></head><body>
      <h1>\(HTMLText.escaped(title))</h1>
      <p class="\(verdict)"><b>\(verdict.uppercased())</b>: \(good) of \(tensors.count) tensors pass
      (\(HTMLText.escaped(tolerance.limits.isEmpty ? "equal or close" : "\(tolerance)"))).</p>

      """
    if let passing = passingTolerance {
      page += "<p>What was measured would pass with <code>--tolerance \(passing)</code>.</p>\n"
    }
    page += overviewChart
    page += """
      <table><thead><tr><th>tensor<th>type<th>shape<th>verdict<th>cosine<th>pearson
      <th>euclidean<th>SQNR dB<th>max |Δ|<th>where it differs</tr></thead><tbody>

      """
    for tensor in tensors { page += Comparison.row(of: tensor) }
    page += "</tbody></table>\n"
    page += Comparison.list(onlyInTarget, "Only in the target, not compared")
    page += Comparison.list(onlyInReference, "Only in the reference, not compared")
    page += Comparison.list(excepted, "Left out on request")
    return page + "</body></html>\n"
  }

  private static let style = """
    body{font:14px system-ui,sans-serif;margin:2em;color:#222;background:#fff}
    table{border-collapse:collapse}th,td{padding:.25em .7em;border-bottom:1px solid #ddd;
    text-align:left}td.n{text-align:right;font-variant-numeric:tabular-nums}
    .passed b,.equal,.close,.similar{color:#1a7f37}.failed b,.different,td.failed{color:#c62828}
    .reason{color:#c62828;font-size:12px}svg{background:#fafafa}
    """

  private static func list(_ names: [String], _ title: String) -> String {
    if names.isEmpty { return "" }
    return "<h2>\(title)</h2><p>\(HTMLText.escaped(names.joined(separator: ", ")))</p>\n"
  }

  // MARK: Charts

  /// Bars of the noise level of each tensor, in the order of the reference: what rises is where
  /// accuracy is lost.
  private var overviewChart: String {
    let bars = tensors.filter { $0.similarity != nil }
    guard !bars.isEmpty else { return "" }
    let (width, height) = (960.0, 160.0)
    let step = width / Double(bars.count)
    var svg = "<h2>SQNR by tensor (taller is better, 0 to 80 dB)</h2>\n"
    svg += "<svg viewBox=\"0 0 \(Int(width)) \(Int(height))\" width=\"100%\" height=\"160\" "
    svg += "preserveAspectRatio=\"none\">\n"
    for (index, tensor) in bars.enumerated() {
      let level = min(max(tensor.similarity?.sqnr ?? 0, 0), 80) / 80
      let tall = max(level * height, 1)
      svg += Comparison.bar(
        x: Double(index) * step, y: height - tall, width: step * 0.9, height: tall,
        colour: tensor.passes ? "#4c9f70" : "#c62828",
        title:
          "\(tensor.displayName): \(NumberText.fixed(tensor.similarity?.sqnr ?? 0, decimals: 1)) dB"
      )
    }
    return svg + "</svg>\n"
  }

  /// Bars of the largest difference in each part of one tensor, against its largest magnitude, on
  /// a logarithmic scale of six decades.
  private static func profileChart(of similarity: Similarity) -> String {
    let largest = similarity.profile.map(\.magnitude).max() ?? 0
    guard largest > 0, similarity.difference.value > 0 else { return "" }
    let (width, height) = (192.0, 32.0)
    let step = width / Double(similarity.profile.count)
    var svg = "<svg viewBox=\"0 0 192 32\" width=\"192\" height=\"32\">"
    for (index, part) in similarity.profile.enumerated() where part.difference > 0 {
      let decades = log10(part.difference / largest) + 6
      let tall = min(max(decades / 6, 0.03), 1) * height
      svg += bar(
        x: Double(index) * step, y: height - tall, width: step * 0.9, height: tall,
        colour: "#d08700",
        title: "part \(index): |Δ| up to \(NumberText.significant(part.difference, digits: 3))")
    }
    return svg + "</svg>"
  }

  private static func bar(
    x: Double, y: Double, width: Double, height: Double, colour: String, title: String
  ) -> String {
    func number(_ value: Double) -> String { NumberText.fixed(value, decimals: 2) }
    return "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" "
      + "height=\"\(number(height))\" fill=\"\(colour)\">"
      + "<title>\(HTMLText.escaped(title))</title></rect>"
  }

  private static func row(of tensor: TensorComparison) -> String {
    let verdict = tensor.verdict.rawValue
    var row = "<tr><td>\(HTMLText.escaped(tensor.displayName))"
    if let reason = tensor.reason {
      row += "<div class=\"reason\">\(HTMLText.escaped(reason))</div>"
    }
    row += "<td>\(tensor.type)<td>\(tensor.shape)<td class=\"\(verdict)\">\(verdict)"
    guard let similarity = tensor.similarity else {
      let share = tensor.equalShare.map { "\(NumberText.significant($0 * 100, digits: 6)) % equal" }
      return row + "<td colspan=\"6\">\(share ?? "")</tr>\n"
    }
    let numbers = [
      NumberText.fixed(similarity.cosine, decimals: 7),
      NumberText.fixed(similarity.pearson, decimals: 7),
      NumberText.fixed(similarity.euclidean, decimals: 6),
      NumberText.fixed(similarity.sqnr, decimals: 2),
      NumberText.significant(similarity.difference.value, digits: 3),
    ]
    row += numbers.map { "<td class=\"n\">\($0)" }.joined()
    return row + "<td>\(profileChart(of: similarity))</tr>\n"
  }
}
