/// The real numbers that the 256 values of an unsigned 8-bit tensor stand for, in bins of a
/// histogram: what `Quantization(low:high:symmetric:)` makes of a range.
struct QuantizedGrid {
  /// The step in bins.
  let step: Double
  let zeroPoint: Double

  /// - Parameters:
  ///   - low: at most 0, in bins from zero; `high`: at least 0.
  init(low: Double, high: Double, symmetric: Bool) {
    if symmetric {
      step = max(-low, high) / 127
      zeroPoint = 128
    } else {
      step = (high - low) / 255
      zeroPoint = min(max((-low / step).rounded(.toNearestOrEven), 0), 255)
    }
  }

  /// The number that `level` (0 to 255) stands for, in bins from zero.
  func number(_ level: Int) -> Double { (Double(level) - zeroPoint) * step }

  /// The first bin whose middle rounds to `level` (0 to 256) or above.
  func firstBin(_ level: Int) -> Int {
    let edge = (Double(level) - 0.5 - zeroPoint) * step + Double(RangeHistogram.sideCount)
    return min(max(Int((edge - 0.5).rounded(.up)), 0), RangeHistogram.binCount)
  }
}

/// What a range costs; the methods search the range that costs least.
protocol RangeCost {
  /// The cost of a grid; comparable only among grids of one histogram.
  func cost(of grid: QuantizedGrid) -> Double
}

/// Sums over the bins of a histogram, from which a grid's cost follows in 256 steps.
struct PrefixSums {
  private var sums: [Double] = [0]

  init(_ histogram: RangeHistogram, _ term: (_ bin: Double, _ count: Double) -> Double) {
    sums.reserveCapacity(RangeHistogram.binCount + 1)
    var sum = 0.0
    for (bin, count) in histogram.countsWithoutZeros.enumerated() {
      if count > 0 { sum += term(Double(bin - RangeHistogram.sideCount) + 0.5, count) }
      sums.append(sum)
    }
  }

  /// The sum over the bins from `first` up to `end`.
  @inline(__always)
  func callAsFunction(_ first: Int, _ end: Int) -> Double { sums[end] - sums[first] }
}

extension RangeHistogram {
  /// The counts without the zeros, which every grid represents exactly: after a ReLU they are most
  /// of the elements, and would drown what the rest says.
  var countsWithoutZeros: [Double] {
    var result = counts.map { Double($0) }
    result[RangeHistogram.sideCount] -= Double(zeroCount)
    return result
  }
}
