/// How often a value took which numbers: a histogram that grows while it is filled.
///
/// Bins have the width 2^e and edges at its multiples, 4096 of them on each side of zero. A number
/// beyond them makes e larger, and every two neighbouring bins become one: exactly the counts that
/// the coarser bins would have had from the beginning. So neither the order of the elements nor
/// their division among several histograms matters, and one pass is enough.
package struct RangeHistogram: Sendable, Equatable {
  /// The bins on each side of zero.
  package static let sideCount = 4096
  package static let binCount = 2 * sideCount

  /// The exact extremes; +∞ and −∞ before the first element.
  package private(set) var low = Float.infinity
  package private(set) var high = -Float.infinity
  /// The elements counted.
  package private(set) var count: UInt64 = 0
  /// The elements that are zero; they count in bin `sideCount` too.
  package private(set) var zeroCount: UInt64 = 0
  /// The binary logarithm of the width of a bin.
  package private(set) var exponent = smallestExponent
  /// The elements of each bin; bin i holds numbers from (i − sideCount)·2^exponent on. Empty
  /// before the first element.
  package private(set) var counts: [UInt64] = []

  /// Narrower bins would have widths whose inverse is infinite.
  private static let smallestExponent = -100

  package init() {}

  /// A histogram as it was saved; nil where the numbers contradict each other.
  init?(
    low: Float, high: Float, zeroCount: UInt64, exponent: Int, bins: [(bin: Int, count: UInt64)]
  ) {
    guard !bins.isEmpty else { return }
    guard low.isFinite, high.isFinite, low <= high else { return nil }
    widen(low: low, high: high)
    guard exponent == self.exponent else { return nil }
    for (bin, more) in bins {
      guard counts.indices.contains(bin), counts[bin] == 0, more > 0 else { return nil }
      let (sum, overflow) = count.addingReportingOverflow(more)
      guard !overflow, sum < 1 << 62 else { return nil }
      counts[bin] = more
      count = sum
    }
    guard zeroCount <= counts[RangeHistogram.sideCount] else { return nil }
    self.zeroCount = zeroCount
  }

  package var isEmpty: Bool { count == 0 }
  /// The width of a bin.
  package var binWidth: Double { Double(sign: .plus, exponent: exponent, significand: 1) }

  /// Makes room for numbers from `low` to `high`, which are finite.
  package mutating func widen(low: Float, high: Float) {
    self.low = min(self.low, low)
    self.high = max(self.high, high)
    if counts.isEmpty { counts = [UInt64](repeating: 0, count: RangeHistogram.binCount) }
    coarsen(to: max(RangeHistogram.exponent(for: low), RangeHistogram.exponent(for: high)))
  }

  /// Adds the counts of the bins `bins`, as `body` knows them, and that of the zeros among them.
  mutating func add(_ bins: Range<Int>, zeros: UInt64, _ body: (Int) -> UInt64) {
    for bin in bins {
      let more = body(bin)
      counts[bin] += more
      count += more
    }
    zeroCount += zeros
  }

  /// The bins that numbers from `low` to `high` lie in.
  func bins(low: Float, high: Float) -> Range<Int> {
    RangeHistogram.bin(low, exponent)..<RangeHistogram.bin(high, exponent) + 1
  }

  /// Adds the elements of another histogram.
  package mutating func merge(_ other: RangeHistogram) {
    guard !other.isEmpty else { return }
    widen(low: other.low, high: other.high)
    var other = other
    other.coarsen(to: exponent)
    for bin in counts.indices { counts[bin] += other.counts[bin] }
    count += other.count
    zeroCount += other.zeroCount
  }

  private mutating func coarsen(to wanted: Int) {
    guard wanted > exponent else { return }
    let shift = min(wanted - exponent, 14)
    exponent = wanted
    guard count > 0 else { return }
    let side = RangeHistogram.sideCount
    var merged = [UInt64](repeating: 0, count: counts.count)
    for bin in counts.indices { merged[(bin - side) >> shift + side] += counts[bin] }
    counts = merged
  }

  /// The smallest exponent whose bins reach beyond `number`.
  private static func exponent(for number: Float) -> Int {
    guard number != 0 else { return smallestExponent }
    return max(Int(number.exponent) - 11, smallestExponent)
  }

  private static func bin(_ number: Float, _ exponent: Int) -> Int {
    let place = (Double(number) * Double(sign: .plus, exponent: -exponent, significand: 1))
      .rounded(.down)
    return min(max(Int(place) + sideCount, 0), binCount - 1)
  }
}
