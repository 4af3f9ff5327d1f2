/// Searches the range that costs least, from the extremes down to a sixteenth of them.
///
/// Where a value has both signs the two ends are first tried together on a coarse lattice; then
/// each end by itself, finely, until neither moves. Where it has one sign only the other end moves;
/// a symmetric range has only one end.
struct ClipSearch {
  private let low: Double
  private let high: Double
  private let binWidth: Double
  private let symmetric: Bool

  /// Shares of the extremes that are tried, in falling order: 97 from 1 to 1/16, evenly by ratio.
  private static let shares: [Double] = {
    // 2^(−1/24)
    let ratio = 0.971_531_941_153_606
    var share = 1.0
    return (0...96).map { _ in
      defer { share *= ratio }
      return share
    }
  }()
  /// Every eighth of them is on the lattice.
  private static let latticeStep = 8

  init(_ histogram: RangeHistogram, symmetric: Bool) {
    low = Double(histogram.low)
    high = Double(histogram.high)
    binWidth = histogram.binWidth
    self.symmetric = symmetric
  }

  func best(_ cost: some RangeCost) -> (low: Float, high: Float) {
    let (below, above) = (min(low, 0) / binWidth, max(high, 0) / binWidth)
    let shares = ClipSearch.shares
    func price(_ i: Int, _ j: Int) -> Double {
      let grid = QuantizedGrid(
        low: below * shares[i], high: above * shares[j], symmetric: symmetric)
      return cost.cost(of: grid)
    }
    var best = (low: 0, high: 0)
    if symmetric {
      let limit = max(-below, above)
      let place = ClipSearch.cheapest { i in
        cost.cost(
          of: QuantizedGrid(low: -limit * shares[i], high: limit * shares[i], symmetric: true))
      }
      let clip = limit * shares[place] * binWidth
      return (Float(max(low, -clip)), Float(min(high, clip)))
    }
    if below == 0 {
      best.high = ClipSearch.cheapest { price(0, $0) }
    } else if above == 0 {
      best.low = ClipSearch.cheapest { price($0, 0) }
    } else {
      best = ClipSearch.lattice(price)
      for _ in 0..<4 {
        let before = best
        best.high = ClipSearch.cheapest { price(best.low, $0) }
        best.low = ClipSearch.cheapest { price($0, best.high) }
        if best == before { break }
      }
    }
    // An end that is not clipped stays exactly what was seen.
    let clippedLow = best.low == 0 ? low : below * shares[best.low] * binWidth
    let clippedHigh = best.high == 0 ? high : above * shares[best.high] * binWidth
    return (Float(min(clippedLow, max(clippedHigh, 0))), Float(max(clippedHigh, min(low, 0))))
  }

  private static func cheapest(_ price: (Int) -> Double) -> Int {
    var best = (place: 0, price: price(0))
    for place in 1..<shares.count {
      let price = price(place)
      if price < best.price { best = (place, price) }
    }
    return best.place
  }

  private static func lattice(_ price: (Int, Int) -> Double) -> (low: Int, high: Int) {
    var best = (low: 0, high: 0, price: price(0, 0))
    for low in stride(from: 0, to: shares.count, by: latticeStep) {
      for high in stride(from: 0, to: shares.count, by: latticeStep) {
        let price = price(low, high)
        if price < best.price { best = (low, high, price) }
      }
    }
    return (best.low, best.high)
  }
}
