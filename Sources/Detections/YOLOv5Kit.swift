import ModelFile

/// YOLOv5: one output [N, A, 5 + C] of centre x, centre y, width, height in input pixels,
/// objectness and C class scores; an object's score is objectness · class score.
struct YOLOv5Kit: DetectionKit {
  let specification: Postprocessing
  let expectation =
    "one output [N,A,5+C]: cx, cy, w, h in input pixels, objectness and C scores for A anchors"

  init(_ specification: Postprocessing) { self.specification = specification }

  func candidates(
    in outputs: [KitOutput], sample: Int, mapping: InputMapping
  ) throws(DetectionError) -> Candidates {
    let choice = OutputChoice(kit: "yolov5", expectation: expectation, outputs: outputs)
    let (output, extents) = try choice.output(
      named: specification.output, key: "output", rank: 2
    ) { $0[0] >= 1 && $0[1] >= 6 }
    let layout = PredictionLayout(
      values: try choice.values(of: output, sample: sample), anchors: extents[0],
      channels: extents[1], isChannelsFirst: false)
    var result = Candidates(classCount: extents[1] - 5)
    try layout.scan(
      firstClass: 5, threshold: Float(specification.score ?? 0.25),
      isMultiLabel: specification.multiLabel ?? true, weight: 4,
      invalid: { choice.notFinite(output, at: $0) },
      found: { anchor, classIndex, score in
        let width = layout[anchor, 2]
        let height = layout[anchor, 3]
        let x = layout[anchor, 0] - width / 2
        let y = layout[anchor, 1] - height / 2
        result.append(
          Box(x1: x, y1: y, x2: x + width, y2: y + height), score: score, class: classIndex)
      })
    return result
  }
}
