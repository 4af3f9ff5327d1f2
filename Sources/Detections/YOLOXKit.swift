import ModelFile

#if canImport(Glibc)
  import Glibc
#endif

/// YOLOX: one output [N, A, 5 + C] of box, objectness and C class scores, for the cells of one grid
/// per stride, row by row, finest grid first.
///
/// Raw boxes are offsets: centre = (cell + offset) · stride, size = exp(offset) · stride. With
/// `decoded=true` they are centre x, centre y, width, height in input pixels already.
struct YOLOXKit: DetectionKit {
  let specification: Postprocessing

  init(_ specification: Postprocessing) { self.specification = specification }

  private var strides: [Int] { specification.strides ?? [8, 16, 32] }

  var expectation: String {
    specification.decoded == true
      ? "one output [N,A,5+C]: cx, cy, w, h in input pixels, objectness and C scores"
      : "one output [N,A,5+C] with A = the cells of the grids of strides "
        + strides.map(String.init).joined(separator: "/")
  }

  func candidates(
    in outputs: [KitOutput], sample: Int, mapping: InputMapping
  ) throws(DetectionError) -> Candidates {
    let choice = OutputChoice(kit: "yolox", expectation: expectation, outputs: outputs)
    let (output, extents) = try choice.output(
      named: specification.output, key: "output", rank: 2
    ) { $0[0] >= 1 && $0[1] >= 6 }
    let isDecoded = specification.decoded ?? false
    let cells = isDecoded ? [] : Grid.cells(strides: strides, of: mapping.input)
    guard isDecoded || cells.count == extents[0] else {
      throw choice.mismatch(
        "output \(output.text) has \(extents[0]) anchors, but the grids of an input of "
          + "\(mapping.input) have \(cells.count)")
    }
    let layout = PredictionLayout(
      values: try choice.values(of: output, sample: sample), anchors: extents[0],
      channels: extents[1], isChannelsFirst: false)
    var result = Candidates(classCount: extents[1] - 5)
    try layout.scan(
      firstClass: 5, threshold: Float(specification.score ?? 0.25),
      isMultiLabel: specification.multiLabel ?? true, weight: 4,
      invalid: { choice.notFinite(output, at: $0) },
      found: { anchor, classIndex, score in
        var (x, y) = (layout[anchor, 0], layout[anchor, 1])
        var (width, height) = (layout[anchor, 2], layout[anchor, 3])
        if !isDecoded {
          let cell = cells[anchor]
          x = (x + cell.x) * cell.stride
          y = (y + cell.y) * cell.stride
          width = expf(width) * cell.stride
          height = expf(height) * cell.stride
        }
        result.append(
          Box(x1: x - width / 2, y1: y - height / 2, x2: x + width / 2, y2: y + height / 2),
          score: score, class: classIndex)
      })
    return result
  }
}

/// The cells of feature maps.
enum Grid {
  /// Column and row of a cell, and the pixels from cell to cell.
  struct Cell {
    let x: Float
    let y: Float
    let stride: Float
  }

  /// Returns the cells of one grid per stride, row by row; a partial cell at the edge counts.
  static func cells(strides: [Int], of input: Preprocessing.Size) -> [Cell] {
    var cells: [Cell] = []
    for stride in strides {
      for y in 0..<((input.height + stride - 1) / stride) {
        for x in 0..<((input.width + stride - 1) / stride) {
          cells.append(Cell(x: Float(x), y: Float(y), stride: Float(stride)))
        }
      }
    }
    return cells
  }
}
