/// How a range is chosen from what calibration has seen of a value.
public enum RangeMethod: String, Sendable, Hashable, CaseIterable {
  /// The extremes: nothing is clipped.
  case minmax
  /// The range that keeps 99.99 % of the elements: where a value has both signs, half of the rest
  /// is clipped at each end; otherwise all of it at the end away from zero.
  case percentile
  /// The range whose 8-bit numbers tell the distribution with the least loss of information:
  /// minimal Kullback–Leibler divergence (`KLCost`).
  case kl
  /// The range with the least expected squared error of quantisation (`SquaredErrorCost`).
  case mse

  /// The share of elements that `percentile` keeps.
  package static let keptShare = 0.9999

  /// The range for a histogram that is not empty.
  package func range(
    of histogram: RangeHistogram, symmetric: Bool = false
  ) -> (low: Float, high: Float) {
    let (low, high) = (histogram.low, histogram.high)
    guard low < high else { return (low, high) }
    switch self {
    case .minmax:
      return (low, high)
    case .percentile:
      return RangeMethod.percentile(of: histogram)
    case .kl:
      return ClipSearch(histogram, symmetric: symmetric).best(KLCost(histogram))
    case .mse:
      return ClipSearch(histogram, symmetric: symmetric).best(SquaredErrorCost(histogram))
    }
  }

  private static func percentile(of histogram: RangeHistogram) -> (low: Float, high: Float) {
    let rest = Double(histogram.count) * (1 - keptShare)
    let isTwoSided = histogram.low < 0 && histogram.high > 0
    var (low, high) = (histogram.low, histogram.high)
    if low < 0 {
      let place = histogram.place(after: isTwoSided ? rest / 2 : rest)
      low = min(max(Float(place), low), min(high, 0))
    }
    if high > 0 {
      let place = histogram.place(after: Double(histogram.count) - (isTwoSided ? rest / 2 : rest))
      high = max(min(Float(place), high), max(low, 0))
    }
    return (low, high)
  }
}

extension RangeHistogram {
  /// The number below which `wanted` elements lie, those of a bin taken as evenly spread.
  fileprivate func place(after wanted: Double) -> Double {
    var below = 0.0
    for (bin, count) in counts.enumerated() where count > 0 {
      let inside = Double(count)
      if below + inside >= wanted {
        let share = min(max((wanted - below) / inside, 0), 1)
        return (Double(bin - RangeHistogram.sideCount) + share) * binWidth
      }
      below += inside
    }
    return Double(high)
  }
}
