import Testing

@testable import Accuracy

@Suite struct `A compilation report` {
  private typealias Report = CompilationReport

  private func report() -> Report {
    Report(
      model: "net", precision: "int8", proof: "proven on 4 samples", calibration: "kl, 100 samples",
      sizes: [
        .init(name: "weights", byteCount: 1 << 20, floatByteCount: 4 << 20),
        .init(name: "arena", byteCount: 2048),
      ],
      layers: [
        .init(
          name: "conv1", operatorName: "Conv", precision: "int8", cosine: 0.999, sqnr: 28,
          scales: [0.0125], zeroPoints: [128]),
        .init(
          name: "conv2", operatorName: "Conv", precision: "int8", cosine: 0.9, sqnr: 7.5,
          scales: [0.5, 0.25, 2], zeroPoints: [0, 10, 255]),
        .init(name: "softmax", operatorName: "Softmax", precision: "fp32", sqnr: .infinity),
        .init(name: "conv3", operatorName: "Conv", precision: "int8", cosine: 0.99),
      ],
      histograms: [
        .init(name: "h1", bounds: 0...10, counts: [100, 50, 0, 1], sqnr: 30),
        .init(name: "h2", bounds: -1...1, counts: [1, 9, 9, 1], thresholds: -0.5...0.5, sqnr: 7),
      ],
      notes: [.init(subject: "softmax", text: "stays float: it is the last")],
      proofSteps: [
        .init(name: "int8 against float", isPassed: true, detail: "cosine 0.99"),
        .init(name: "kernels", isPassed: false, detail: "differs"),
      ])
  }

  @Test func `names the worst layers first`() throws {
    #expect(report().worst(5) == [1, 3, 0])
    #expect(report().worst(1) == [1])
    let page = report().html()
    let list = try #require(page.firstRange(of: "<ol>"))
    let items = page[list.upperBound...].split(separator: "<li>").dropFirst()
    #expect(items.first?.hasPrefix("<b>conv2</b> (Conv, int8): 7.5 dB, cosine 0.90000") == true)
    #expect(page.contains("the lowest: conv2, conv3, conv1\""))
    #expect(page.contains("<span>the lowest: conv2</span>"))
  }

  @Test func `shows every layer with precision, similarity and quantisation`() {
    let page = report().html()
    #expect(page.contains("<td class=\"n\">0.0125</td><td class=\"n\">128</td>"))
    #expect(page.contains("0.25 … 2 (3)</td><td class=\"n\">0 … 255 (3)</td>"))
    #expect(page.contains("<td class=\"n\">∞</td>"))
    #expect(page.contains("<b class=\"bad\">not proven</b>"))
    #expect(page.contains("<b class=\"\">3 of 4</b><span>layers in int8</span>"))
    #expect(page.contains("−75 %") && page.contains("2.0 KiB"))
    #expect(page.contains("<b>softmax</b>: stays float: it is the last"))
    #expect(page.contains("proven on 4 samples") && page.contains("kl, 100 samples"))
  }

  @Test func `draws histograms with their thresholds, the worst first`() throws {
    let page = report().html()
    let first = try #require(page.firstRange(of: "<figcaption><b>h2</b>"))
    let second = try #require(page.firstRange(of: "<figcaption><b>h1</b>"))
    #expect(first.lowerBound < second.lowerBound)
    #expect(page.contains("kept from -0.5 to 0.5, 10 % clipped; 7.0 dB"))
    #expect(page.contains("<line class=\"clip\" x1=\"80\" x2=\"80\""))
    #expect(page.contains("<line class=\"clip\" x1=\"240\" x2=\"240\""))
    let drawing = report().histograms[0].drawing
    #expect(drawing.split(separator: "class=\"bin\"").count - 1 == 3)
  }

  @Test func `escapes every text that it is given`() {
    let evil = "<script>\"'&"
    let page = Report(
      model: evil, precision: evil, proof: evil, calibration: evil,
      sizes: [.init(name: evil, byteCount: 1, floatByteCount: 2)],
      layers: [.init(name: evil, operatorName: evil, precision: evil, cosine: 0.5, sqnr: 3)],
      histograms: [.init(name: evil, bounds: 0...1, counts: [1])],
      notes: [.init(subject: evil, text: evil)],
      proofSteps: [.init(name: evil, isPassed: true, detail: evil)]
    ).html()
    #expect(!page.contains("<script") && !page.contains(evil))
    let escaped = "&lt;script&gt;&quot;&#39;&amp;"
    #expect(page.split(separator: escaped, omittingEmptySubsequences: false).count > 16)
  }

  @Test func `needs nothing beside itself`() {
    let page = report().html()
    for word in ["http", "src=", "href=", "url(", "@import", "<script", "<link", "<iframe"] {
      #expect(!page.contains(word), "the page contains \(word)")
    }
    #expect(page.contains("prefers-color-scheme:dark") && page.contains("<html lang=\"en\">"))
    let drawings = page.split(separator: "<svg ").dropFirst()
    #expect(drawings.count == 3)
    #expect(drawings.allSatisfy { $0.contains("role=\"img\" aria-label=") })
  }

  @Test func `is the same for the same data`() {
    #expect(report().html() == report().html())
  }

  @Test func `closes what it opens`() {
    for page in [report().html(), Report(model: "x", precision: "fp32").html()] {
      for tag in ["main", "table", "tr", "td", "th", "ul", "ol", "li", "svg", "figure", "p", "h2"] {
        let opened =
          page.split(separator: "<\(tag)>", omittingEmptySubsequences: false).count
          + page.split(separator: "<\(tag) ", omittingEmptySubsequences: false).count - 2
        let closed = page.split(separator: "</\(tag)>", omittingEmptySubsequences: false).count - 1
        #expect(opened == closed, "\(tag): \(opened) opened, \(closed) closed")
      }
    }
  }

  @Test func `opens without layers, and with numbers that are none`() {
    let empty = Report(model: "empty", precision: "fp32").html()
    #expect(empty.contains("The program has no layers.") && !empty.contains("<svg"))
    let odd = Report(
      model: "odd", precision: "int8",
      layers: [
        .init(name: "a", operatorName: "Conv", precision: "int8", cosine: .nan, sqnr: .nan),
        .init(name: "b", operatorName: "Conv", precision: "int8", cosine: -1, sqnr: -.infinity),
      ],
      histograms: [
        .init(name: "c", bounds: 0...0, counts: [], thresholds: 0...0),
        .init(name: "d", bounds: 0...(.infinity), counts: [-1, 0], thresholds: 1...(.infinity)),
      ])
    #expect(odd.worst(3) == [0, 1])
    let page = odd.html()
    for attribute in ["x=\"", "y=\"", "width=\"", "height=\"", "x1=\""] {
      #expect(!page.contains("\(attribute)nan") && !page.contains("\(attribute)inf"))
      #expect(!page.contains("\(attribute)-inf"))
    }
  }
}
