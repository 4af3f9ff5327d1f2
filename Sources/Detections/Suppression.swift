/// Non-maximum suppression: of boxes that overlap by more than a limit, the best remains.
struct Suppression {
  /// The candidates that are looked at, best first: bounds the time on outputs full of noise.
  static let maximumCandidates = 30_000

  /// The intersection over union above which the lesser box is dropped.
  let limit: Float
  /// Whether boxes of different classes suppress each other.
  let isAgnostic: Bool

  /// Returns the indices that remain, best first, at most `maximum`.
  func keep(_ candidates: Candidates, maximum: Int) -> [Int] {
    var kept: [Int] = []
    var keptByClass: [Int: [Int]] = [:]
    for index in candidates.ranked().prefix(Suppression.maximumCandidates) {
      guard kept.count < maximum else { break }
      let box = candidates.boxes[index]
      let group = isAgnostic ? 0 : candidates.classes[index]
      let isCovered = keptByClass[group, default: []].contains {
        candidates.boxes[$0].overlap(with: box) > limit
      }
      guard !isCovered else { continue }
      kept.append(index)
      keptByClass[group, default: []].append(index)
    }
    return kept
  }
}
