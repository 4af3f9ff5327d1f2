#if canImport(Glibc)
  import Glibc
#endif

/// The information lost by quantisation, after Migacz, "8-bit Inference with TensorRT" (2017): the
/// Kullback–Leibler divergence Σ p·ln(p/q).
///
/// p is the distribution over the bins inside the clipped range, with what lies beyond added to the
/// outermost bin on each side. q is what the 256 levels keep of the bins inside: each level's count
/// spread evenly over those of its bins that are not empty. Per level the sum needs only its count,
/// its bins that are not empty, and Σ c·ln c, so that three prefix sums give a grid's cost in 256
/// steps. Zeros are left out: every grid represents them exactly.
struct KLCost: RangeCost {
  private let counts: PrefixSums
  private let occupied: PrefixSums
  private let entropies: PrefixSums

  init(_ histogram: RangeHistogram) {
    counts = PrefixSums(histogram) { _, count in count }
    occupied = PrefixSums(histogram) { _, _ in 1 }
    entropies = PrefixSums(histogram) { _, count in count * log(count) }
  }

  /// A level of fewer bins says nothing about what is lost inside it.
  private static let narrowestStep = 2.0

  func cost(of grid: QuantizedGrid) -> Double {
    guard grid.step >= KLCost.narrowestStep else { return .infinity }
    let first = grid.firstBin(0)
    let end = grid.firstBin(256)
    let total = counts(0, RangeHistogram.binCount)
    let inside = counts(first, end)
    guard inside > 0, end > first else { return .infinity }
    var sum = entropies(first, end)
    var start = first
    for level in 0..<256 {
      let next = grid.firstBin(level + 1)
      let count = counts(start, next)
      if count > 0 { sum -= count * log(count / occupied(start, next)) }
      start = next
    }
    sum += outlierCost(counts(0, first), at: first, level: first..<grid.firstBin(1))
    sum += outlierCost(
      counts(end, RangeHistogram.binCount), at: end - 1, level: grid.firstBin(255)..<end)
    return sum / total - log(total) + log(inside)
  }

  /// What `count` elements from beyond the range add to the sum when they join `bin`.
  private func outlierCost(_ count: Double, at bin: Int, level: Range<Int>) -> Double {
    guard count > 0 else { return 0 }
    let own = counts(bin, bin + 1)
    // Where the outermost level is empty q would be 0 and the divergence infinite; half an element
    // keeps it comparable.
    let kept = max(counts(level.lowerBound, level.upperBound), 0.5)
    let share = kept / max(occupied(level.lowerBound, level.upperBound), 1)
    let before = own > 0 ? own * log(own) : 0
    return (own + count) * log(own + count) - before - count * log(share)
  }
}
