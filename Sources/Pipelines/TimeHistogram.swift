/// Collects times in memory that does not grow, for means and percentiles.
///
/// A bucket is the exponent and the first 6 bits of the fraction of a time in nanoseconds, so that
/// its middle is within 0.8 % of every time in it. Times from 1 ns to 2⁴² ns (73 minutes) have
/// buckets of their own; others count as these.
struct TimeHistogram: Sendable {
  private static let fractionBits = 6
  private static let octaves = 42
  private static let lowest = 1023 << fractionBits

  private(set) var count = 0
  private var sum = Duration.zero
  private var buckets: [UInt32] = []

  mutating func add(_ time: Duration) {
    if buckets.isEmpty {
      buckets = [UInt32](repeating: 0, count: TimeHistogram.octaves << TimeHistogram.fractionBits)
    }
    count += 1
    sum += time
    let bits = max(1, time / .nanoseconds(1)).bitPattern >> (52 - TimeHistogram.fractionBits)
    let index = min(max(0, Int(bits) - TimeHistogram.lowest), buckets.count - 1)
    buckets[index] &+= 1
  }

  /// Adds all times of another one.
  mutating func add(_ other: TimeHistogram) {
    guard other.count > 0 else { return }
    count += other.count
    sum += other.sum
    if buckets.isEmpty {
      buckets = other.buckets
    } else {
      for index in buckets.indices { buckets[index] &+= other.buckets[index] }
    }
  }

  /// The exact mean in milliseconds; 0 without times.
  var mean: Double { count == 0 ? 0 : sum / .milliseconds(1) / Double(count) }

  /// The exact sum in milliseconds.
  var total: Double { sum / .milliseconds(1) }

  /// The time that this share of all times does not exceed, in milliseconds; 0 without times.
  ///
  /// - Parameter share: 0...1.
  func percentile(_ share: Double) -> Double {
    let rank = min(max(1, Int((share * Double(count)).rounded(.up))), count)
    var seen = 0
    for (index, number) in buckets.enumerated() {
      seen += Int(number)
      if seen >= rank, number > 0 { return TimeHistogram.middle(of: index) }
    }
    return 0
  }

  private static func middle(of index: Int) -> Double {
    func edge(_ index: Int) -> Double {
      Double(bitPattern: UInt64(index + lowest) << (52 - fractionBits))
    }
    return (edge(index) + edge(index + 1)) / 2 / 1e6
  }
}
