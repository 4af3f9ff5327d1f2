/// The nearest known word to one that was mistyped.
package enum Suggestion {
  /// Returns the candidate nearest to `word`, or nil where none is near enough to be meant.
  ///
  /// Nearness is the number of letters to insert, delete, replace or swap with their neighbour
  /// (optimal string alignment), at most a third of the word and at least one; a candidate of
  /// which the word is the beginning counts as near. Case and `-` or `_` do not count.
  package static func nearest(_ word: String, in candidates: some Sequence<String>) -> String? {
    let wanted = folded(word)
    guard !wanted.isEmpty, wanted.count <= 256 else { return nil }
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
      let letters = folded(candidate)
      guard letters.count <= 256 else { continue }
      var distance = editDistance(wanted, letters)
      if wanted.count >= 3, letters.starts(with: wanted) { distance = 1 }
      if distance <= max(1, wanted.count / 3), distance < best?.distance ?? .max {
        best = (candidate, distance)
      }
    }
    return best?.candidate
  }

  /// Returns ` Did you mean 'x'?`, or an empty text where nothing is near.
  package static func question(_ word: String, in candidates: some Sequence<String>) -> String {
    nearest(word, in: candidates).map { " Did you mean '\($0)'?" } ?? ""
  }

  private static func folded(_ word: String) -> [Unicode.Scalar] {
    word.lowercased().unicodeScalars.map { $0 == "_" ? "-" : $0 }
  }

  static func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
      var current = [i + 1]
      for j in 0..<b.count {
        let replaced = last[j] + (a[i] == b[j] ? 0 : 1)
        var distance = min(replaced, last[j + 1] + 1, current[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
          distance = min(distance, beforeLast[j - 1] + 1)
        }
        current.append(distance)
      }
      beforeLast = last
      last = current
    }
    return last[b.count]
  }
}
