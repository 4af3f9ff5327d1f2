import Tensors
import Testing

@testable import Compilation

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct RangeMethodTests {
  /// The squared error of quantising the numbers themselves.
  private func squaredError(_ values: [Float], _ low: Float, _ high: Float, _ symmetric: Bool)
    -> Double
  {
    let grid = Quantization(low: low, high: high, symmetric: symmetric)
    let (scale, zero) = (Double(grid.scales[0]), Double(grid.zeroPoints[0]))
    return values.reduce(0) { sum, value in
      let level = min(max((Double(value) / scale).rounded(.toNearestOrEven) + zero, 0), 255)
      let error = (level - zero) * scale - Double(value)
      return sum + error * error
    }
  }

  private func sample(_ kind: String) -> [Float] {
    var numbers = Numbers(7)
    return (0..<20_000).map { index in
      let normal = numbers.normal()
      switch kind {
      case "relu": return max(normal, 0) * 3
      case "tails": return normal * (index % 500 == 0 ? 12 : 1)
      case "negative": return -abs(normal) - 0.1
      case "silu": return normal * 4 / (1 + max(0, 1 - normal))
      default: return normal
      }
    }
  }

  @Test(arguments: ["normal", "relu", "tails", "negative", "silu"], [false, true])
  func `the squared error is near the least that any range gives`(kind: String, symmetric: Bool) {
    let values = sample(kind)
    let histogram = RangeHistogram(values)
    let (low, high) = RangeMethod.mse.range(of: histogram, symmetric: symmetric)
    let found = squaredError(values, low, high, symmetric)
    var least = Double.infinity
    for i in 1...40 {
      for j in symmetric ? i...i : 1...40 {
        let error = squaredError(
          values, min(histogram.low, 0) * Float(i) / 40, max(histogram.high, 0) * Float(j) / 40,
          symmetric)
        least = min(least, error)
      }
    }
    #expect(found <= least * 1.02, "\(low) \(high)")
    #expect(found <= squaredError(values, histogram.low, histogram.high, symmetric))
  }

  @Test func `the expected squared error is that of the elements`() {
    let values = sample("tails")
    let histogram = RangeHistogram(values)
    let cost = SquaredErrorCost(histogram)
    for (low, high) in [(-3, 3), (-8, 10), (-1, 20)] as [(Float, Float)] {
      let grid = QuantizedGrid(
        low: Double(low) / histogram.binWidth, high: Double(high) / histogram.binWidth,
        symmetric: false)
      let expected = squaredError(values, low, high, false)
      let found = cost.cost(of: grid) * histogram.binWidth * histogram.binWidth
      #expect(abs(found - expected) < expected * 0.05, "\(low) \(high)")
    }
  }

  /// The divergence written out bin by bin.
  private func divergence(_ histogram: RangeHistogram, _ grid: QuantizedGrid) -> Double {
    let counts = histogram.countsWithoutZeros
    let (first, end) = (grid.firstBin(0), grid.firstBin(256))
    var p = Array(counts[first..<end])
    p[0] += counts[..<first].reduce(0, +)
    p[p.count - 1] += counts[end...].reduce(0, +)
    var q = [Double](repeating: 0, count: p.count)
    for level in 0..<256 {
      let bins = grid.firstBin(level)..<grid.firstBin(level + 1)
      let occupied = bins.filter { counts[$0] > 0 }
      let sum = occupied.reduce(0) { $0 + counts[$1] }
      for bin in occupied { q[bin - first] = sum / Double(occupied.count) }
      // As in the cost: an outlier in an empty outermost level.
      for place in [0, p.count - 1] where bins.contains(first + place) && q[place] == 0 {
        q[place] = max(sum, 0.5) / Double(max(occupied.count, 1))
      }
    }
    let total = p.reduce(0, +)
    let inside = counts[first..<end].reduce(0, +)
    return zip(p, q).reduce(0) { sum, pair in
      pair.0 > 0 ? sum + pair.0 / total * log(pair.0 / total / (pair.1 / inside)) : sum
    }
  }

  @Test(arguments: ["normal", "relu", "tails", "negative", "silu"])
  func `the divergence by prefix sums is the one written out`(kind: String) {
    let histogram = RangeHistogram(sample(kind))
    let cost = KLCost(histogram)
    for (low, high) in [(1, 1), (0.5, 1), (1, 0.4), (0.6, 0.6)] as [(Double, Double)] {
      let grid = QuantizedGrid(
        low: Double(min(histogram.low, 0)) * low / histogram.binWidth,
        high: Double(max(histogram.high, 0)) * high / histogram.binWidth, symmetric: false)
      let expected = divergence(histogram, grid)
      #expect(abs(cost.cost(of: grid) - expected) < 1e-9 * max(1, expected), "\(low) \(high)")
    }
  }

  @Test func `KL clips lonely outliers and keeps what is evenly filled`() {
    let tails = RangeHistogram(sample("normal") + [40, -40])
    let clipped = RangeMethod.kl.range(of: tails)
    #expect(clipped.high < 20 && clipped.low > -20)
    var numbers = Numbers(3)
    let even = RangeHistogram((0..<50_000).map { _ in numbers.uniform() * 5 })
    let kept = RangeMethod.kl.range(of: even)
    #expect(kept.high > 4.7)
    #expect(kept.low == even.low)
  }

  @Test func `percentile keeps 99.99 % of the elements`() {
    let values = (0..<100_000).map { Float($0) / 1000 }
    let (low, high) = RangeMethod.percentile.range(of: RangeHistogram(values))
    #expect(low == 0)
    #expect(abs(high - 99.99) < 0.03)
    let both = RangeMethod.percentile.range(of: RangeHistogram(values.map { $0 - 50 }))
    #expect(abs(both.low + 49.995) < 0.03)
    #expect(abs(both.high - 49.995) < 0.03)
  }

  @Test(arguments: RangeMethod.allCases, [false, true])
  func `ranges lie within the extremes`(method: RangeMethod, symmetric: Bool) {
    for kind in ["normal", "relu", "tails", "negative", "silu"] {
      let histogram = RangeHistogram(sample(kind))
      let (low, high) = method.range(of: histogram, symmetric: symmetric)
      #expect(low >= histogram.low && high <= histogram.high, "\(kind)")
      #expect(low <= high, "\(kind)")
    }
    for constant in [0, 3, -2] as [Float] {
      let (low, high) = method.range(of: RangeHistogram([constant, constant]))
      #expect(low == constant && high == constant)
    }
    let two = method.range(of: RangeHistogram([5, 6]), symmetric: symmetric)
    #expect(two.low <= two.high)
  }
}
