import ModelFile

/// YOLOv8 and its heirs: one output [N, 4 + C, A] or [N, A, 4 + C] of centre x, centre y, width,
/// height in input pixels and C class scores within 0...1.
///
/// Anchors outnumber channels; where they do not, the number of labels decides.
struct YOLOv8Kit: DetectionKit {
  let specification: Postprocessing
  let expectation =
    "one output [N,4+C,A] or [N,A,4+C]: cx, cy, w, h in input pixels and C scores for A anchors"

  init(_ specification: Postprocessing) { self.specification = specification }

  func candidates(
    in outputs: [KitOutput], sample: Int, mapping: InputMapping
  ) throws(DetectionError) -> Candidates {
    let choice = OutputChoice(kit: "yolov8", expectation: expectation, outputs: outputs)
    let (output, extents) = try choice.output(
      named: specification.output, key: "output", rank: 2
    ) { min($0[0], $0[1]) >= 1 && max($0[0], $0[1]) >= 5 }
    let labels = specification.labels.count
    let isChannelsFirst: Bool
    if labels > 0, extents[0] == labels + 4 || extents[1] == labels + 4 {
      isChannelsFirst = extents[0] == labels + 4
    } else {
      isChannelsFirst = extents[0] <= extents[1]
    }
    let channels = isChannelsFirst ? extents[0] : extents[1]
    let anchors = isChannelsFirst ? extents[1] : extents[0]
    guard channels >= 5 else { throw choice.mismatch("output \(output.text) has no class scores") }
    let layout = PredictionLayout(
      values: try choice.values(of: output, sample: sample), anchors: anchors, channels: channels,
      isChannelsFirst: isChannelsFirst)
    var result = Candidates(classCount: channels - 4)
    let threshold = Float(specification.score ?? 0.25)
    let isMultiLabel = specification.multiLabel ?? true
    try layout.scan(
      firstClass: 4, threshold: threshold, isMultiLabel: isMultiLabel, weight: nil,
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
