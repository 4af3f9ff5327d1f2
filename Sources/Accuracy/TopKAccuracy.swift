/// How often the right class is the model's first choice, or among its first five.
///
/// Equal scores rank by class index, the lower first, as an arg-max does.
public struct TopKAccuracy: Sendable {
  /// The counts of one class, or of all.
  public struct Counts: Sendable, Hashable {
    public var pictureCount = 0
    /// Pictures whose right class came first.
    public var firstCount = 0
    /// Pictures whose right class was among the first five.
    public var fifthCount = 0

    public init() {}

    /// The share of right first choices; nil without pictures.
    public var top1: Double? { share(firstCount) }
    /// The share of pictures with the right class among the first five; nil without pictures.
    public var top5: Double? { share(fifthCount) }

    private func share(_ count: Int) -> Double? {
      pictureCount > 0 ? Double(count) / Double(pictureCount) : nil
    }
  }

  public private(set) var total = Counts()
  /// By class.
  public private(set) var classes: [Counts]

  /// Begins with nothing; classes are 0..<`classCount`.
  public init(classCount: Int) {
    classes = Array(repeating: Counts(), count: classCount)
  }

  /// Adds a picture.
  ///
  /// Programmer error (precondition): a class out of range.
  /// - Parameters:
  ///   - truth: the right class.
  ///   - rank: its place among the model's choices, from 0; nil: not among those that are known.
  public mutating func add(truth: Int, rank: Int?) {
    precondition(classes.indices.contains(truth), "class \(truth) of \(classes.count)")
    for path in [\TopKAccuracy.total, \TopKAccuracy.classes[truth]] {
      self[keyPath: path].pictureCount += 1
      if let rank, rank < 1 { self[keyPath: path].firstCount += 1 }
      if let rank, rank < 5 { self[keyPath: path].fifthCount += 1 }
    }
  }

  /// The place of a class among scores, from 0: how many others come before it.
  ///
  /// Nil for a class that has no score, and where its score is no number.
  public static func rank(of index: Int, in scores: [Float]) -> Int? {
    guard scores.indices.contains(index), !scores[index].isNaN else { return nil }
    return scores.indices.count { other in
      scores[other] > scores[index] || (scores[other] == scores[index] && other < index)
    }
  }
}
