// A checkpoint: what an interrupted calibration had seen, to go on from there. 64-bit words,
// little-endian; a bin that is empty takes no room.
//
//   "apuscal" and version 1 · 4 words of key · samples seen · values, then per value:
//   extremes (low in the lower half) · zeros · exponent · 1 + first infinite sample, or 0 ·
//   channels, extremes of each · occupied bins, (bin, count) of each

/// The statistics of all values after some samples, to be saved and taken up again.
package struct CalibrationCheckpoint: Sendable, Equatable {
  package let statistics: [ValueStatistics]
  /// The samples seen: the first ones.
  package let sampleCount: Int

  private static let magic: UInt64 = 0x01_6C61_6373_7570_61

  package init(statistics: [ValueStatistics], sampleCount: Int) {
    self.statistics = statistics
    self.sampleCount = sampleCount
  }

  /// The checkpoint as bytes.
  ///
  /// - Parameter key: 32 bytes that stand for model, samples and options.
  package func bytes(key: [UInt8]) -> [UInt8] {
    var words: [UInt64] = [CalibrationCheckpoint.magic] + CalibrationCheckpoint.words(key)
    words += [UInt64(sampleCount), UInt64(statistics.count)]
    for value in statistics {
      let histogram = value.histogram
      words.append(CalibrationCheckpoint.pair(histogram.low, histogram.high))
      words += [histogram.zeroCount, UInt64(bitPattern: Int64(histogram.exponent))]
      words.append(value.infiniteSample.map { UInt64($0) + 1 } ?? 0)
      words.append(UInt64(value.channelLows.count))
      for (low, high) in zip(value.channelLows, value.channelHighs) {
        words.append(CalibrationCheckpoint.pair(low, high))
      }
      let occupied = histogram.counts.indices.filter { histogram.counts[$0] > 0 }
      words.append(UInt64(occupied.count))
      for bin in occupied { words += [UInt64(bin), histogram.counts[bin]] }
    }
    return words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }

  /// Reads a checkpoint; nil for bytes that are none, or not for this key and these values.
  ///
  /// - Parameter channelCounts: how many channels each value has.
  package init?(_ bytes: [UInt8], key: [UInt8], channelCounts: [Int]) {
    var words = CalibrationCheckpoint.words(bytes)[...]
    let head = [CalibrationCheckpoint.magic] + CalibrationCheckpoint.words(key)
    guard bytes.count % 8 == 0, words.starts(with: head) else { return nil }
    words = words.dropFirst(head.count)
    guard let count = words.popFirst().flatMap({ Int(exactly: $0) }),
      words.popFirst() == UInt64(channelCounts.count)
    else { return nil }
    var statistics: [ValueStatistics] = []
    for channelCount in channelCounts {
      guard let value = CalibrationCheckpoint.value(&words, channelCount) else { return nil }
      statistics.append(value)
    }
    guard words.isEmpty else { return nil }
    self.init(statistics: statistics, sampleCount: count)
  }

  private static func value(
    _ words: inout ArraySlice<UInt64>, _ channelCount: Int
  ) -> ValueStatistics? {
    guard words.count >= 5 else { return nil }
    let (low, high) = extremes(words.removeFirst())
    let zeroCount = words.removeFirst()
    let exponent = Int(Int64(bitPattern: words.removeFirst()))
    let infinite = words.removeFirst()
    guard words.removeFirst() == UInt64(channelCount), words.count > channelCount else {
      return nil
    }
    var value = ValueStatistics(channelCount: channelCount)
    for channel in 0..<channelCount {
      (value.channelLows[channel], value.channelHighs[channel]) = extremes(words.removeFirst())
    }
    value.infiniteSample = infinite > 0 ? Int(exactly: infinite - 1) : nil
    let occupied = words.removeFirst()
    guard occupied <= UInt64(RangeHistogram.binCount), words.count >= 2 * Int(occupied) else {
      return nil
    }
    var bins: [(bin: Int, count: UInt64)] = []
    for _ in 0..<Int(occupied) {
      guard let bin = Int(exactly: words.removeFirst()) else { return nil }
      bins.append((bin, words.removeFirst()))
    }
    guard
      let histogram = RangeHistogram(
        low: low, high: high, zeroCount: zeroCount, exponent: exponent, bins: bins)
    else { return nil }
    value.histogram = histogram
    return value
  }

  // MARK: Words

  private static func words(_ bytes: [UInt8]) -> [UInt64] {
    stride(from: 0, to: bytes.count - bytes.count % 8, by: 8).map { start in
      (0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << (8 * UInt64($1)) }
    }
  }

  private static func pair(_ low: Float, _ high: Float) -> UInt64 {
    UInt64(low.bitPattern) | UInt64(high.bitPattern) << 32
  }

  private static func extremes(_ word: UInt64) -> (low: Float, high: Float) {
    (
      Float(bitPattern: UInt32(truncatingIfNeeded: word)),
      Float(bitPattern: UInt32(truncatingIfNeeded: word >> 32))
    )
  }
}
