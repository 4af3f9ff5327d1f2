import Testing

@testable import Compilation

/// A seeded stream of numbers.
struct Numbers {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 11
  }

  /// Between 0 and 1.
  mutating func uniform() -> Float { Float(next() & 0xFF_FFFF) / 16_777_216 }

  /// Close to N(0, 1).
  mutating func normal() -> Float { (0..<12).reduce(Float(-6)) { sum, _ in sum + uniform() } }
}

extension RangeHistogram {
  /// The histogram of some numbers, added in pieces of `piece`.
  init(_ numbers: [Float], piece: Int = .max) {
    self.init()
    let counter = ElementCounter()
    var start = 0
    while start < numbers.count {
      let part = Array(numbers[start..<min(numbers.count, start + min(piece, numbers.count))])
      counter.add(
        part, rows: 1, length: part.count, stride: part.count, low: part.min() ?? 0,
        high: part.max() ?? 0, to: &self)
      start += part.count
    }
  }
}

@Suite struct RangeHistogramTests {
  /// Numbers of very different sizes, of both signs, with zeros and edges of bins among them.
  private func mixed(_ seed: UInt64, count: Int) -> [Float] {
    var numbers = Numbers(seed)
    return (0..<count).map { index in
      switch index % 7 {
      case 0: 0
      case 1: Float(sign: .minus, exponent: Int(numbers.next() % 20) - 10, significand: 1)
      case 2: Float(sign: .plus, exponent: Int(numbers.next() % 20) - 10, significand: 1)
      case 3: numbers.normal() * 1e-4
      case 4: -numbers.uniform() * 1e-30
      default: numbers.normal() * 100
      }
    }
  }

  @Test func `counts every element in the bin where it belongs`() {
    let values = mixed(1, count: 1000)
    let histogram = RangeHistogram(values)
    var expected = [UInt64](repeating: 0, count: RangeHistogram.binCount)
    for value in values {
      let place = (Double(value) / histogram.binWidth).rounded(.down)
      expected[Int(place) + RangeHistogram.sideCount] += 1
    }
    #expect(histogram.counts == expected)
    #expect(histogram.count == 1000)
    #expect(histogram.zeroCount == UInt64(values.filter { $0 == 0 }.count))
    #expect(histogram.low == values.min())
    #expect(histogram.high == values.max())
  }

  @Test func `does not depend on the order of the elements or on how they are divided`() {
    for seed in 1...8 as ClosedRange<UInt64> {
      let values = mixed(seed, count: 3001)
      let whole = RangeHistogram(values)
      #expect(RangeHistogram(values, piece: 1) == whole, "seed \(seed)")
      #expect(RangeHistogram(values.reversed(), piece: 97) == whole, "seed \(seed)")
      #expect(RangeHistogram(values.sorted { abs($0) < abs($1) }, piece: 64) == whole)
      var parts = (0..<5).map { part in
        RangeHistogram(values.enumerated().filter { $0.offset % 5 == part }.map(\.element))
      }
      parts.reverse()
      var merged = RangeHistogram()
      for part in parts { merged.merge(part) }
      #expect(merged == whole, "seed \(seed)")
    }
  }

  @Test func `keeps its resolution: the larger extreme lies in the outer half of the bins`() {
    for scale in [1e-20, 1e-3, 1, 7, 255, 3e38] as [Float] {
      let histogram = RangeHistogram([scale, -scale / 3])
      let bins = Double(scale) / histogram.binWidth
      #expect(bins >= 2048 && bins < 4097, "\(scale)")
    }
  }

  @Test func `takes the largest and the smallest numbers`() {
    let histogram = RangeHistogram([
      .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude,
      -.leastNonzeroMagnitude, 0,
    ])
    #expect(histogram.count == 5)
    #expect(histogram.counts[RangeHistogram.sideCount] == 2)
    #expect(histogram.counts[RangeHistogram.sideCount - 1] == 1)
    #expect(RangeHistogram([1e-38, -1e-38]).count == 2)
  }

  @Test func `merging nothing changes nothing`() {
    var histogram = RangeHistogram([1, 2, 3])
    histogram.merge(RangeHistogram())
    #expect(histogram == RangeHistogram([1, 2, 3]))
    var empty = RangeHistogram()
    empty.merge(histogram)
    #expect(empty == histogram)
  }
}
