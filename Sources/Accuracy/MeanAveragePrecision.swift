// Average precision of boxes as COCO defines it (Lin et al., "Microsoft COCO: Common Objects in
// Context", and the rules of its server):
//
// Per category and threshold of the intersection over union (IoU), detections are taken best first
// and each claims the truth that it covers most among those still free; what reaches the threshold
// is right, everything else is wrong. Over the whole data set, in order of score, that gives
// precision as a function of recall. Made monotone, it is read at 101 recalls; their mean is the
// average precision (AP) at this threshold. The headline is the mean over ten thresholds, 0.5 to
// 0.95, and over the categories that have objects.
//
// A crowd region stands for many objects: it may be claimed any number of times, by the share of
// the detection that lies in it, and neither it nor what claims it counts. At most 100 detections
// per picture and category are looked at. Equal scores keep the order of pictures, then their own.

/// Average precision of boxes, COCO's way: add picture after picture, then ask.
public struct MeanAveragePrecision: Sendable {
  /// A rectangle in pixels of the picture: left, top, width, height.
  public struct Rectangle: Sendable, Hashable {
    public var x: Double
    public var y: Double
    public var width: Double
    public var height: Double

    public init(x: Double, y: Double, width: Double, height: Double) {
      self.x = x
      self.y = y
      self.width = width
      self.height = height
    }

    var area: Double { width * height }

    /// The share of the union that both cover; with a crowd, the share of `self` that it covers.
    func overlap(with truth: Rectangle, isCrowd: Bool) -> Double {
      let across = min(width + x, truth.width + truth.x) - max(x, truth.x)
      let down = min(height + y, truth.height + truth.y) - max(y, truth.y)
      guard across > 0, down > 0 else { return 0 }
      let common = across * down
      return common / (isCrowd ? area : area + truth.area - common)
    }
  }

  /// An object that is in a picture.
  public struct Truth: Sendable, Hashable {
    public var category: Int
    public var box: Rectangle
    /// Whether the box holds many objects that nobody counted.
    public var isCrowd: Bool
    /// The object's area in square pixels; that of the box where nobody measured it.
    public var area: Double

    public init(category: Int, box: Rectangle, isCrowd: Bool = false, area: Double? = nil) {
      self.category = category
      self.box = box
      self.isCrowd = isCrowd
      self.area = area ?? box.area
    }
  }

  /// An object that a model says is in a picture.
  public struct Found: Sendable, Hashable {
    public var category: Int
    /// A finite number; only the order counts.
    public var score: Double
    public var box: Rectangle

    public init(category: Int, score: Double, box: Rectangle) {
      self.category = category
      self.score = score
      self.box = box
    }
  }

  /// The thresholds of the IoU: 0.5, 0.55, … 0.95.
  static let thresholds: [Double] = (0..<10).map { 0.5 + Double($0) * ((0.95 - 0.5) / 9) }
  /// The recalls at which precision is read: 0, 0.01, … 1.
  static let recalls: [Double] = (0...100).map { $0 == 100 ? 1 : Double($0) * 0.01 }
  /// The most detections per picture and category.
  static let maximumFound = 100
  /// Areas in square pixels that count.
  private static let areas = 0.0...1e10

  /// A detection after matching; a bit per threshold.
  private struct Outcome {
    var score: Double
    var isMatched: UInt16
    var isIgnored: UInt16
  }

  /// What is known of a category so far.
  private struct Tally {
    var outcomes: [Outcome] = []
    /// Truths that count: no crowds.
    var truthCount = 0
    var foundCount = 0
  }

  private var tallies: [Tally]
  /// The pictures added.
  public private(set) var pictureCount = 0

  /// Begins with nothing; categories are 0..<`categoryCount`.
  public init(categoryCount: Int) {
    tallies = Array(repeating: Tally(), count: categoryCount)
  }

  /// Adds a picture. Add pictures in the order of their numbers: it decides between equal scores.
  ///
  /// Programmer error (precondition): a category out of range.
  public mutating func add(truths: [Truth], found: [Found]) {
    pictureCount += 1
    let truthsByCategory = Dictionary(grouping: truths, by: \.category)
    let foundByCategory = Dictionary(grouping: found, by: \.category)
    for category in Set(truthsByCategory.keys).union(foundByCategory.keys) {
      precondition(
        tallies.indices.contains(category), "category \(category) of \(tallies.count)")
      match(
        truthsByCategory[category] ?? [], foundByCategory[category] ?? [], &tallies[category])
    }
  }

  // MARK: Matching

  private func match(_ truths: [Truth], _ found: [Found], _ tally: inout Tally) {
    func isIgnored(_ truth: Truth) -> Bool {
      truth.isCrowd || !MeanAveragePrecision.areas.contains(truth.area)
    }
    let ordered = truths.filter { !isIgnored($0) } + truths.filter(isIgnored)
    let ignored = ordered.map(isIgnored)
    tally.truthCount += ignored.count { !$0 }
    tally.foundCount += found.count
    let ranked = MeanAveragePrecision.ranked(found, by: \.score)
      .prefix(MeanAveragePrecision.maximumFound).map { found[$0] }
    let overlaps = ranked.map { object in
      ordered.map { object.box.overlap(with: $0.box, isCrowd: $0.isCrowd) }
    }
    var outcomes = ranked.map { Outcome(score: $0.score, isMatched: 0, isIgnored: 0) }
    for (bit, threshold) in MeanAveragePrecision.thresholds.enumerated() {
      var isTaken = [Bool](repeating: false, count: ordered.count)
      for index in ranked.indices {
        let claimed = claim(overlaps[index], ordered, ignored, isTaken, threshold)
        if let claimed {
          isTaken[claimed] = true
          outcomes[index].isMatched |= 1 << bit
        }
        let isOutside = !MeanAveragePrecision.areas.contains(ranked[index].box.area)
        if claimed.map({ ignored[$0] }) ?? isOutside { outcomes[index].isIgnored |= 1 << bit }
      }
    }
    tally.outcomes += outcomes
  }

  /// The truth that a detection claims: the one covered most, the last of equals; truths that do
  /// not count stand at the end and get it only where no other does.
  private func claim(
    _ overlaps: [Double], _ truths: [Truth], _ ignored: [Bool], _ isTaken: [Bool],
    _ threshold: Double
  ) -> Int? {
    var best = min(threshold, 1 - 1e-10)
    var claimed: Int?
    for index in truths.indices {
      if isTaken[index], !truths[index].isCrowd { continue }
      if let claimed, !ignored[claimed], ignored[index] { break }
      if overlaps[index] < best { continue }
      best = overlaps[index]
      claimed = index
    }
    return claimed
  }

  /// The indices in falling order of a number; equals keep their order.
  private static func ranked<T>(_ items: [T], by number: (T) -> Double) -> [Int] {
    let numbers = items.map(number)
    return items.indices.sorted { a, b in
      numbers[a] != numbers[b] ? numbers[a] > numbers[b] : a < b
    }
  }

  // MARK: Results

  /// The figures of one category.
  public struct CategoryResult: Sendable, Hashable {
    /// Mean over the thresholds 0.5 to 0.95; nil for a category without objects.
    public var ap: Double?
    /// At the threshold 0.5.
    public var ap50: Double?
    /// At the threshold 0.75.
    public var ap75: Double?
    /// Objects that count.
    public var truthCount: Int
    public var foundCount: Int
  }

  /// The figures of all.
  public struct Result: Sendable, Hashable {
    /// Mean over thresholds and categories; nil where no category has objects.
    public var ap: Double?
    public var ap50: Double?
    public var ap75: Double?
    public var categories: [CategoryResult]
  }

  /// The figures of what was added so far.
  public var result: Result {
    let curves = tallies.map(averages)
    func mean(_ values: [Double]) -> Double? {
      values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
    // 0.75 is the sixth of the thresholds.
    func all(_ choose: ([Double]) -> [Double]) -> Double? {
      mean(curves.compactMap { $0.map(choose) }.flatMap { $0 })
    }
    return Result(
      ap: all { $0 }, ap50: all { [$0[0]] }, ap75: all { [$0[5]] },
      categories: zip(tallies, curves).map { tally, curve in
        CategoryResult(
          ap: curve.flatMap(mean), ap50: curve?[0], ap75: curve?[5],
          truthCount: tally.truthCount, foundCount: tally.foundCount)
      })
  }

  /// The average precision of a category at each threshold; nil where it has no objects.
  private func averages(_ tally: Tally) -> [Double]? {
    guard tally.truthCount > 0 else { return nil }
    let order = MeanAveragePrecision.ranked(tally.outcomes, by: \.score)
    return MeanAveragePrecision.thresholds.indices.map { bit in
      var recall: [Double] = []
      var precision: [Double] = []
      var (right, wrong) = (0.0, 0.0)
      for index in order {
        let outcome = tally.outcomes[index]
        if outcome.isIgnored & (1 << bit) == 0 {
          if outcome.isMatched & (1 << bit) != 0 { right += 1 } else { wrong += 1 }
        }
        recall.append(right / Double(tally.truthCount))
        precision.append(right / (wrong + right + Double.ulpOfOne))
      }
      for index in precision.indices.dropFirst().reversed()
      where precision[index] > precision[index - 1] {
        precision[index - 1] = precision[index]
      }
      var sum = 0.0
      var index = 0
      for wanted in MeanAveragePrecision.recalls {
        while index < recall.count, recall[index] < wanted { index += 1 }
        if index < recall.count { sum += precision[index] }
      }
      return sum / Double(MeanAveragePrecision.recalls.count)
    }
  }
}
