/// Predictions of A anchors with a number of channels each, in either order in memory.
struct PredictionLayout {
  let values: [Float]
  let anchors: Int
  let channels: Int
  let isChannelsFirst: Bool

  private func index(_ anchor: Int, _ channel: Int) -> Int {
    isChannelsFirst ? channel * anchors + anchor : anchor * channels + channel
  }

  subscript(anchor: Int, channel: Int) -> Float { values[index(anchor, channel)] }

  /// Calls `found` for every score above the threshold, in the order of memory.
  ///
  /// - Parameters:
  ///   - weight: the channel of an objectness that multiplies every score, if there is one; only
  ///     where an anchor's channels lie together.
  ///   - isMultiLabel: whether an anchor is reported for each class above the threshold, or only
  ///     for its best (the first of equals).
  ///   - invalid: makes the error for a score that is not finite, from its element's index.
  func scan(
    firstClass: Int, threshold: Float, isMultiLabel: Bool, weight: Int?,
    invalid: (Int) -> DetectionError, found: (_ anchor: Int, _ class: Int, _ score: Float) -> Void
  ) throws(DetectionError) {
    var best = [(classIndex: Int, score: Float)](
      repeating: (-1, -.infinity), count: isMultiLabel ? 0 : anchors)
    func visit(_ anchor: Int, _ channel: Int, _ score: Float) throws(DetectionError) {
      guard score.isFinite else { throw invalid(index(anchor, channel)) }
      if isMultiLabel {
        found(anchor, channel - firstClass, score)
      } else if score > best[anchor].score {
        best[anchor] = (channel - firstClass, score)
      }
    }
    if isChannelsFirst {
      for channel in firstClass..<channels {
        for anchor in 0..<anchors {
          let score = values[channel * anchors + anchor]
          if score <= threshold { continue }
          try visit(anchor, channel, score)
        }
      }
    } else {
      for anchor in 0..<anchors {
        let objectness = weight.map { self[anchor, $0] } ?? 1
        // Class scores are at most 1, so that a low objectness decides alone.
        if objectness <= threshold, threshold >= 0 { continue }
        for channel in firstClass..<channels {
          let score = values[anchor * channels + channel] * objectness
          if score <= threshold { continue }
          try visit(anchor, channel, score)
        }
      }
    }
    for anchor in best.indices where best[anchor].classIndex >= 0 {
      found(anchor, best[anchor].classIndex, best[anchor].score)
    }
  }
}
