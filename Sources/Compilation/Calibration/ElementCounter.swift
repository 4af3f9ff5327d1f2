internal import CKernels

/// Fills histograms from memory; owns the tables that the counting pass works in.
final class ElementCounter {
  private static let tableCount = Int(APUS_HISTOGRAM_TABLES)
  private let tables: UnsafeMutablePointer<UInt32>

  init() {
    let count = ElementCounter.tableCount * RangeHistogram.binCount
    tables = .allocate(capacity: count)
    tables.initialize(repeating: 0, count: count)
  }

  deinit { tables.deallocate() }

  /// Adds finite elements whose extremes are known: `rows` rows of `length` elements that lie
  /// `stride` elements apart.
  func add(
    _ elements: UnsafePointer<Float>, rows: Int, length: Int, stride: Int,
    low: Float, high: Float, to histogram: inout RangeHistogram
  ) {
    histogram.widen(low: low, high: high)
    let scale = Float(sign: .plus, exponent: -histogram.exponent, significand: 1)
    var zeros: UInt64 = 0
    // One row in pieces that 32-bit counters can hold; many rows are far from that together.
    let isDense = length == stride
    let total = isDense ? rows * length : length
    let piece = 1 << 30
    for row in 0..<(isDense ? 1 : rows) {
      for start in Swift.stride(from: 0, to: total, by: piece) {
        apus_histogram_f32(
          elements + row * stride + start, Int64(min(piece, total - start)), scale, tables, &zeros)
        if isDense, total > piece { flush(low, high, &zeros, &histogram) }
      }
    }
    flush(low, high, &zeros, &histogram)
  }

  /// Moves the counts from the tables to the histogram.
  private func flush(
    _ low: Float, _ high: Float, _ zeros: inout UInt64, _ histogram: inout RangeHistogram
  ) {
    let tables = tables
    let bins = histogram.bins(low: low, high: high)
    histogram.add(bins, zeros: zeros) { bin in
      var sum: UInt64 = 0
      for table in 0..<ElementCounter.tableCount {
        let place = table * RangeHistogram.binCount + bin
        sum += UInt64(tables[place])
        tables[place] = 0
      }
      return sum
    }
    zeros = 0
  }
}
