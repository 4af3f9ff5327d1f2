import ModelFile

#if canImport(Glibc)
  import Glibc
#endif

/// Classification: one output [N, K] (or [N, K, 1, 1]) of scores, one per class.
///
/// `offset` classes stand before the first real one (a background class) and are left out;
/// `softmax=true` turns logits into probabilities over all K. A quantised model that has no float
/// output may write its scores as bytes; they are taken as they are.
struct ClassificationKit: DetectionKit {
  let specification: Postprocessing
  let expectation = "one output [N,K] with a score for each of K classes"
  let defaultMaximum = 5

  init(_ specification: Postprocessing) { self.specification = specification }

  func candidates(
    in outputs: [KitOutput], sample: Int, mapping: InputMapping
  ) throws(DetectionError) -> Candidates {
    let choice = OutputChoice(kit: "classification", expectation: expectation, outputs: outputs)
    let hasFloats = outputs.contains { $0.tensor.type.isFloat }
    let (output, extents) = try choice.output(
      named: specification.output, key: "output", rank: 1,
      of: { $0.isFloat || (!hasFloats && ($0 == .uint8 || $0 == .int8)) },
      where: { $0[0] >= 1 })
    var scores = try choice.values(of: output, sample: sample)
    let offset = specification.offset ?? 0
    guard offset < extents[0] else {
      throw choice.mismatch("output \(output.text) has no class after offset=\(offset)")
    }
    if let bad = scores.firstIndex(where: { !$0.isFinite }) {
      throw choice.notFinite(output, at: bad)
    }
    if specification.softmax ?? false { softmax(&scores) }
    var result = Candidates(classCount: extents[0] - offset)
    let threshold = specification.score.map { Float($0) } ?? -.infinity
    for index in offset..<extents[0] where scores[index] > threshold {
      result.scores.append(scores[index])
      result.classes.append(index - offset)
    }
    return result
  }

  private func softmax(_ values: inout [Float]) {
    let highest = values.max() ?? 0
    var total: Double = 0
    for index in values.indices {
      values[index] = expf(values[index] - highest)
      total += Double(values[index])
    }
    for index in values.indices { values[index] = Float(Double(values[index]) / total) }
  }
}
