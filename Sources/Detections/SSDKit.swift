import ModelFile

#if canImport(Glibc)
  import Glibc
#endif

/// SSD: boxes [N, A, 4] and scores [N, A, K], K counting the background class where there is one.
///
/// Boxes are corners (the default), centre and size, or offsets to priors:
/// centre = prior centre + offset · variance₀ · prior size, size = prior size · exp(offset ·
/// variance₁). Priors come from an output [A, 4] of centres and sizes, an output [N, 2, 4·A] as
/// Caffe's PriorBox makes (corners, then variances), or from `min-sizes` and `strides`: squares at
/// cell centres.
struct SSDKit: DetectionKit {
  let specification: Postprocessing

  init(_ specification: Postprocessing) { self.specification = specification }

  private var hasPriors: Bool {
    specification.boxForm == .priors || specification.minSizes != nil
  }

  var expectation: String {
    "boxes [N,A,4] and scores [N,A,K]"
      + (hasPriors && specification.minSizes == nil ? " and priors [A,4] or [N,2,4*A]" : "")
  }

  func candidates(
    in outputs: [KitOutput], sample: Int, mapping: InputMapping
  ) throws(DetectionError) -> Candidates {
    let choice = OutputChoice(kit: "ssd", expectation: expectation, outputs: outputs)
    let (boxes, scores, anchors, classes) = try boxesAndScores(choice)
    let boxValues = try choice.values(of: boxes, sample: sample)
    let layout = PredictionLayout(
      values: try choice.values(of: scores, sample: sample), anchors: anchors, channels: classes,
      isChannelsFirst: false)
    let priors = try self.priors(choice, boxes: boxes, scores: scores, anchors, sample, mapping)
    let background = specification.background ?? 0
    guard background < classes else {
      throw choice.mismatch("scores \(scores.text) have no class \(background) (background=)")
    }
    let scale: (x: Float, y: Float) =
      specification.normalised ?? true
      ? (Float(mapping.input.width), Float(mapping.input.height)) : (1, 1)
    var result = Candidates(classCount: background < 0 ? classes : classes - 1)
    let threshold = Float(specification.score ?? 0.25)
    let isMultiLabel = specification.multiLabel ?? true
    for anchor in 0..<anchors {
      var best: (classIndex: Int, score: Float)?
      let box = Box(
        x1: boxValues[anchor * 4], y1: boxValues[anchor * 4 + 1], x2: boxValues[anchor * 4 + 2],
        y2: boxValues[anchor * 4 + 3])
      for classIndex in 0..<classes where classIndex != background {
        let score = layout[anchor, classIndex]
        if score <= threshold { continue }
        guard score.isFinite else {
          throw choice.notFinite(scores, at: anchor * classes + classIndex)
        }
        let index = background >= 0 && classIndex > background ? classIndex - 1 : classIndex
        if isMultiLabel {
          result.append(
            corners(box, prior: priors?[anchor], scale), score: score, class: index)
        } else if score > best?.score ?? -.infinity {
          best = (index, score)
        }
      }
      if let best {
        result.append(
          corners(box, prior: priors?[anchor], scale), score: best.score, class: best.classIndex)
      }
    }
    return result
  }

  /// Finds the two outputs by name or, where only one pairing is possible, by shape.
  private func boxesAndScores(
    _ choice: OutputChoice
  ) throws(DetectionError) -> (boxes: KitOutput, scores: KitOutput, anchors: Int, classes: Int) {
    let byName = { (key: String) in choice.outputs.contains { $0.name == key } ? key : nil }
    let priorName = specification.priors ?? byName("priors")
    let rest = OutputChoice(
      kit: choice.kit, expectation: choice.expectation,
      outputs: choice.outputs.filter { !hasPriors || $0.name != priorName })
    let (boxes, extents) = try rest.output(
      named: specification.boxes ?? byName("boxes"), key: "boxes", rank: 2
    ) { $0[1] == 4 && $0[0] >= 1 }
    let others = OutputChoice(
      kit: choice.kit, expectation: choice.expectation,
      outputs: rest.outputs.filter { $0.name != boxes.name })
    let (scores, scoreExtents) = try others.output(
      named: specification.scores ?? byName("scores"), key: "scores", rank: 2
    ) { $0[0] == extents[0] && $0[1] >= 1 }
    return (boxes, scores, extents[0], scoreExtents[1])
  }

  /// A prior's centre and size, and its variances.
  private struct Prior {
    let x: Float
    let y: Float
    let width: Float
    let height: Float
    var variances: (Float, Float, Float, Float)
  }

  private func priors(
    _ choice: OutputChoice, boxes: KitOutput, scores: KitOutput, _ anchors: Int, _ sample: Int,
    _ mapping: InputMapping
  ) throws(DetectionError) -> [Prior]? {
    guard hasPriors else { return nil }
    let given = (specification.variances ?? [0.1, 0.2]).map { Float($0) }
    let variances = (given[0], given[0], given[1], given[1])
    if let minSizes = specification.minSizes {
      let made = squares(minSizes, mapping, variances)
      guard made.count == anchors else {
        throw choice.mismatch(
          "boxes \(boxes.text) have \(anchors) anchors, but min-sizes and strides make "
            + "\(made.count) priors for an input of \(mapping.input)")
      }
      return made
    }
    let rest = OutputChoice(
      kit: choice.kit, expectation: choice.expectation,
      outputs: choice.outputs.filter { $0.name != boxes.name && $0.name != scores.name })
    let named = specification.priors.flatMap { name in rest.outputs.first { $0.name == name } }
    guard let output = named ?? (rest.outputs.count == 1 ? rest.outputs[0] : nil),
      output.tensor.type.isFloat, let values = output.tensor.floats()
    else { throw choice.mismatch("the priors are not among the outputs; choose with priors=NAME") }
    if values.count == anchors * 4 {
      return (0..<anchors).map { i in
        Prior(
          x: values[i * 4], y: values[i * 4 + 1], width: values[i * 4 + 2],
          height: values[i * 4 + 3], variances: variances)
      }
    }
    guard values.count == anchors * 8, output.tensor.shape.dimensions.last == anchors * 4 else {
      throw choice.mismatch("priors \(output.text) do not fit \(anchors) anchors")
    }
    return (0..<anchors).map { i in
      let (x1, y1) = (values[i * 4], values[i * 4 + 1])
      let (x2, y2) = (values[i * 4 + 2], values[i * 4 + 3])
      let v = anchors * 4 + i * 4
      return Prior(
        x: (x1 + x2) / 2, y: (y1 + y2) / 2, width: x2 - x1, height: y2 - y1,
        variances: (values[v], values[v + 1], values[v + 2], values[v + 3]))
    }
  }

  /// Makes square priors at the cells' centres, several per cell, as fractions of the input's
  /// sides (or in pixels).
  private func squares(
    _ minSizes: [[Double]], _ mapping: InputMapping, _ variances: (Float, Float, Float, Float)
  ) -> [Prior] {
    let isNormalised = specification.normalised ?? true
    let width = isNormalised ? Float(mapping.input.width) : 1
    let height = isNormalised ? Float(mapping.input.height) : 1
    var result: [Prior] = []
    for (stride, sides) in zip(specification.strides ?? [], minSizes) {
      for cell in Grid.cells(strides: [stride], of: mapping.input) {
        for side in sides {
          result.append(
            Prior(
              x: (cell.x + 0.5) * cell.stride / width, y: (cell.y + 0.5) * cell.stride / height,
              width: Float(side) / width, height: Float(side) / height, variances: variances))
        }
      }
    }
    return result
  }

  /// Returns the corners in input pixels of a box as the model writes it.
  private func corners(_ box: Box, prior: Prior?, _ scale: (x: Float, y: Float)) -> Box {
    var (x, y, width, height) = (box.x1, box.y1, box.x2, box.y2)
    if let prior {
      x = prior.x + box.x1 * prior.variances.0 * prior.width
      y = prior.y + box.y1 * prior.variances.1 * prior.height
      width = prior.width * expf(box.x2 * prior.variances.2)
      height = prior.height * expf(box.y2 * prior.variances.3)
    } else if specification.boxForm != .center {
      return Box(
        x1: box.x1 * scale.x, y1: box.y1 * scale.y, x2: box.x2 * scale.x, y2: box.y2 * scale.y)
    }
    return Box(
      x1: (x - width / 2) * scale.x, y1: (y - height / 2) * scale.y,
      x2: (x + width / 2) * scale.x, y2: (y + height / 2) * scale.y)
  }
}
