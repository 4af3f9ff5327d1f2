/// The pauses between attempts to connect: growing, capped, and spread, so that many sources that
/// were lost together do not come back at the same moment.
struct RetryDelay: Sendable {
  let first: Duration
  let longest: Duration
  /// The share of a pause by which it varies in both directions.
  let spread: Double
  private var next: Duration
  private var random: UInt64

  init(
    first: Duration = .milliseconds(500), longest: Duration = .seconds(30), spread: Double = 0.2,
    seed: UInt64
  ) {
    self.first = first
    self.longest = longest
    self.spread = spread
    next = first
    random = seed
  }

  /// The next pause, at most `longest` and its spread.
  mutating func pause() -> Duration {
    let pause = next * (1 + spread * (2 * unit() - 1))
    next = min(next * 2, longest)
    return pause
  }

  /// Begins again with the first pause.
  mutating func reset() { next = first }

  /// A number from 0 to 1, by SplitMix64 (Steele, Lea and Flood 2014).
  private mutating func unit() -> Double {
    random &+= 0x9E37_79B9_7F4A_7C15
    var bits = random
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    bits ^= bits >> 31
    return Double(bits >> 11) / Double(UInt64(1) << 53)
  }
}
