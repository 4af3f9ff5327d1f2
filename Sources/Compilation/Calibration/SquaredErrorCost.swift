/// The expected squared error of quantisation: Σ (x − q(x))² over the elements, each taken to be in
/// the middle of its bin.
///
/// For one level with value v the sum is Σx² − 2vΣx + v²Σ1 over the bins that round to it, so that
/// three prefix sums give a grid's cost in 256 steps. What lies beyond the ends counts with the
/// outermost levels: that is the cost of clipping.
struct SquaredErrorCost: RangeCost {
  private let counts: PrefixSums
  private let sums: PrefixSums
  private let squares: PrefixSums

  init(_ histogram: RangeHistogram) {
    counts = PrefixSums(histogram) { _, count in count }
    sums = PrefixSums(histogram) { bin, count in count * bin }
    squares = PrefixSums(histogram) { bin, count in count * bin * bin }
  }

  func cost(of grid: QuantizedGrid) -> Double {
    var total = 0.0
    var first = 0
    for level in 0..<256 {
      let end = level == 255 ? RangeHistogram.binCount : grid.firstBin(level + 1)
      guard end > first else { continue }
      let value = grid.number(level)
      total +=
        squares(first, end) - 2 * value * sums(first, end)
        + value * value * counts(first, end)
      first = end
    }
    return total
  }
}
