import Texts

// One HTML page without scripts or other files. The same report gives the same bytes.

extension CompilationReport {
  /// Layers that the chart names.
  private static let namedCount = 5
  /// Histograms that are drawn.
  private static let drawnCount = 24

  /// The report as a self-contained HTML page.
  public func html() -> String {
    let worst = worst(Self.namedCount)
    let title = "\(model): \(precision)"
    var page = """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8">
      <meta name="viewport" content="width=device-width,initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <title>\(HTMLText.escaped(title))</title>
      <style>
      \(Self.style)
      </style></head><body><main>
      <h1>\(HTMLText.escaped(model)) <small>\(HTMLText.escaped(precision))</small></h1>

      """
    for line in [proof, calibration] where !line.isEmpty {
      page += "<p>\(HTMLText.escaped(line))</p>\n"
    }
    page += cards(worst) + similaritySection(worst) + proofSection + sizeSection + noteSection
    return page + histogramSection + layerSection + "</main></body></html>\n"
  }

  private static let style = """
    :root{color-scheme:light dark;--text:#1c2430;--soft:#5a6675;--back:#fff;--card:#f3f5f8;
    --line:#d5dae1;--int8:#2f6fb7;--bf16:#6b57b5;--float:#8a94a3;--bad:#b3261e;--good:#1b6e35}
    @media (prefers-color-scheme:dark){:root{--text:#e4e8ee;--soft:#a3adba;--back:#14181e;
    --card:#1f252e;--line:#39424f;--int8:#6ba6ea;--bf16:#a996f0;--float:#78838f;--bad:#ff8a80;
    --good:#7fd598}}
    body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);margin:0}
    main{max-width:72rem;margin:auto;padding:1.5rem}h1 small{color:var(--soft);font-weight:400}
    h2{margin:2.2rem 0 .6rem}svg{display:block;width:100%;height:auto}
    .cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.8rem;
    padding:0;list-style:none}.cards li,figure{background:var(--card);border-radius:.5rem;
    padding:.7rem .9rem;margin:0;overflow-wrap:anywhere}.cards b{display:block;font-size:1.35rem}
    .cards span,figcaption{color:var(--soft)}
    .histograms{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.8rem}
    figcaption b{color:var(--text)}
    .scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
    caption{text-align:left;color:var(--soft);padding-bottom:.4rem}
    th,td{text-align:left;padding:.25rem .7rem .25rem 0;border-bottom:1px solid var(--line);
    vertical-align:top}tbody th{overflow-wrap:anywhere;min-width:9rem}
    .n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
    .good{color:var(--good)}.bad,tr.low th{color:var(--bad)}
    .int8{fill:var(--int8)}.bf16{fill:var(--bf16)}.float{fill:var(--float)}.worst{fill:var(--bad)}
    .bin{fill:var(--int8)}.grid,.base{stroke:var(--line)}
    .clip{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:4 2}
    .axis,.rank{font-size:11px;fill:var(--soft)}.rank{fill:var(--bad);font-weight:700}
    .key{white-space:nowrap;margin-left:.9em}.key i{display:inline-block;width:.8em;height:.8em;
    border-radius:.2em;margin-right:.3em}
    """

  // MARK: Sections

  private func cards(_ worst: [Int]) -> String {
    var cards: [(value: String, text: String)] = []
    if let isProven {
      let failed = proofSteps.count { !$0.isPassed }
      cards.append(
        isProven
          ? ("proven", "all \(proofSteps.count) comparisons pass")
          : ("not proven", "\(failed) of \(proofSteps.count) comparisons fail"))
    }
    let quantised = layers.count { $0.precision == precision }
    if !layers.isEmpty {
      cards.append(("\(quantised) of \(layers.count)", "layers in \(precision)"))
    }
    for size in sizes.prefix(3) {
      let change = Self.change(size).map { ", \($0)" } ?? ""
      cards.append((NumberText.bytes(size.byteCount), size.name + change))
    }
    if let first = worst.first {
      let layer = layers[first]
      cards.append(
        (
          (layer.sqnr ?? layer.cosine.map(Self.decibels)).map(Self.sqnr) ?? "",
          "the lowest: \(layer.name)"
        ))
    }
    guard !cards.isEmpty else { return "" }
    let items = cards.map { card in
      let state = card.value == "proven" ? "good" : card.value == "not proven" ? "bad" : ""
      return "<li><b class=\"\(state)\">\(HTMLText.escaped(card.value))</b>"
        + "<span>\(HTMLText.escaped(card.text))</span></li>\n"
    }
    return "<ul class=\"cards\">\n\(items.joined())</ul>\n"
  }

  private func similaritySection(_ worst: [Int]) -> String {
    let chart = similarityChart(naming: worst)
    guard !chart.isEmpty else { return "" }
    let keys = [("int8", "int8"), ("bf16", "bf16"), ("float", "float"), ("bad", "the lowest")]
      .map { "<span class=\"key\"><i style=\"background:var(--\($0))\"></i>\($1)</span>" }
      .joined(separator: "\n")
    var section = """
      <h2>Similarity by layer</h2>
      <p>Signal to quantisation noise against the float program, in dB, in the order of execution;
      higher is better. \(keys)</p>

      """
    section += chart
    guard !worst.isEmpty else { return section }
    let items = worst.map { index in
      let layer = layers[index]
      let figures = [
        layer.sqnr.map(Self.sqnr),
        layer.cosine.map { "cosine \(NumberText.fixed($0, decimals: 5))" },
      ].compactMap { $0 }.joined(separator: ", ")
      return "<li><b>\(HTMLText.escaped(layer.name))</b> "
        + "(\(HTMLText.escaped(layer.operatorName)), \(HTMLText.escaped(layer.precision))): "
        + "\(figures)</li>\n"
    }
    return section + "<ol>\n\(items.joined())</ol>\n"
  }

  private var proofSection: String {
    guard !proofSteps.isEmpty else { return "" }
    let rows = proofSteps.map { step in
      "<tr><th scope=\"row\">\(HTMLText.escaped(step.name))</th>"
        + "<td class=\"\(step.isPassed ? "good" : "bad")\">"
        + "\(step.isPassed ? "passed" : "failed")</td>"
        + "<td>\(HTMLText.escaped(step.detail))</td></tr>\n"
    }
    return "<h2>Proof</h2>\n"
      + Self.table("What was compared", ["comparison", "result", "figures"], rows)
  }

  private var sizeSection: String {
    guard !sizes.isEmpty else { return "" }
    let rows = sizes.map { size in
      "<tr><th scope=\"row\">\(HTMLText.escaped(size.name))</th>"
        + "<td class=\"n\">\(NumberText.bytes(size.byteCount))</td>"
        + "<td class=\"n\">\(size.floatByteCount.map(NumberText.bytes) ?? "")</td>"
        + "<td class=\"n\">\(Self.change(size) ?? "")</td></tr>\n"
    }
    return "<h2>Sizes and memory</h2>\n"
      + Self.table(
        "Bytes of this program and of the float one", ["", precision, "fp32", "change"], rows,
        numbers: 1...3)
  }

  /// How a size differs from the float program's, e.g. `−74 %`.
  private static func change(_ size: Size) -> String? {
    guard let float = size.floatByteCount, float > 0 else { return nil }
    let percent = (Double(size.byteCount) / Double(float) - 1) * 100
    let sign = percent.rounded() < 0 ? "−" : percent.rounded() > 0 ? "+" : "±"
    return "\(sign)\(NumberText.fixed(percent.magnitude, decimals: 0)) %"
  }

  private var noteSection: String {
    guard !notes.isEmpty else { return "" }
    let items = notes.map { note in
      let subject = note.subject.isEmpty ? "" : "<b>\(HTMLText.escaped(note.subject))</b>: "
      return "<li>\(subject)\(HTMLText.escaped(note.text))</li>\n"
    }
    return "<h2>What stayed float, and other notes</h2>\n<ul>\n\(items.joined())</ul>\n"
  }

  private var histogramSection: String {
    guard !histograms.isEmpty else { return "" }
    // Tensors without a figure come last; equals keep their order.
    let order = histograms.indices.sorted { a, b in
      let (first, second) = (
        histograms[a].sqnr ?? .infinity, histograms[b].sqnr ?? .infinity
      )
      return first != second ? first < second : a < b
    }
    let figures = order.prefix(Self.drawnCount).map { index in
      let histogram = histograms[index]
      return
        "<figure>\(histogram.drawing)\n<figcaption><b>\(HTMLText.escaped(histogram.name))</b>: "
        + "\(HTMLText.escaped(histogram.caption))</figcaption></figure>\n"
    }
    let shown =
      histograms.count > Self.drawnCount
      ? "The \(Self.drawnCount) tensors with the lowest SQNR of \(histograms.count)"
      : "Values of calibrated tensors"
    return """
      <h2>Histograms</h2>
      <p>\(shown); counts are on a logarithmic scale, dashed lines are the thresholds beyond which
      values are clipped.</p>
      <div class="histograms">
      \(figures.joined())</div>

      """
  }

  private var layerSection: String {
    guard !layers.isEmpty else {
      return "<h2>Layers</h2>\n<p>The program has no layers.</p>\n"
    }
    let low = Set(worst(Self.namedCount))
    let rows = layers.enumerated().map { index, layer in
      let cells = [
        layer.cosine.map { NumberText.fixed($0, decimals: 6) } ?? "",
        layer.sqnr.map { $0 == .infinity ? "∞" : NumberText.fixed($0, decimals: 1) } ?? "",
        Self.range(layer.scales) { NumberText.significant($0, digits: 4) },
        Self.range(layer.zeroPoints.map(Double.init)) { NumberText.fixed($0, decimals: 0) },
      ]
      return "<tr\(low.contains(index) ? " class=\"low\"" : "")>"
        + "<th scope=\"row\">\(HTMLText.escaped(layer.name))</th>"
        + "<td>\(HTMLText.escaped(layer.operatorName))</td>"
        + "<td>\(HTMLText.escaped(layer.precision))</td>"
        + cells.map { "<td class=\"n\">\($0)</td>" }.joined() + "</tr>\n"
    }
    return "<h2>Layers</h2>\n"
      + Self.table(
        "In the order of execution; scale and zero point are those of the result",
        ["layer", "operator", "precision", "cosine", "SQNR dB", "scale", "zero point"], rows,
        numbers: 3...6)
  }

  /// One number, or the least and the greatest of several with their count.
  private static func range(_ values: [Double], _ text: (Double) -> String) -> String {
    guard let least = values.min(), let most = values.max() else { return "" }
    if values.count == 1 { return text(least) }
    let span = least == most ? text(least) : "\(text(least)) … \(text(most))"
    return "\(span) (\(values.count))"
  }

  private static func table(
    _ caption: String, _ headings: [String], _ rows: [String], numbers: ClosedRange<Int>? = nil
  ) -> String {
    let cells = headings.enumerated().map { index, heading in
      let style = numbers?.contains(index) == true ? " class=\"n\"" : ""
      return "<th scope=\"col\"\(style)>\(HTMLText.escaped(heading))</th>"
    }
    return """
      <div class="scroll" role="region" tabindex="0" aria-label="\(HTMLText.escaped(caption))">
      <table><caption>\(HTMLText.escaped(caption))</caption>
      <thead><tr>\(cells.joined())</tr></thead>
      <tbody>
      \(rows.joined())</tbody></table></div>

      """
  }
}
