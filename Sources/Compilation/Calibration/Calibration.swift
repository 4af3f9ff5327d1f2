/// What calibration has seen: the distribution of every value, from which ranges are chosen.
package struct Calibration: Sendable {
  /// One value of the model.
  package struct Value: Sendable {
    package let name: String
    package let statistics: ValueStatistics

    /// The range that a method chooses; nil for a value that was infinite or never seen.
    package func range(method: RangeMethod, symmetric: Bool = false) -> ValueRange? {
      let histogram = statistics.histogram
      guard statistics.infiniteSample == nil, !histogram.isEmpty else { return nil }
      let (low, high) = method.range(of: histogram, symmetric: symmetric)
      let channels = zip(statistics.channelLows, statistics.channelHighs).map {
        ValueRange.Channel(low: $0, high: $1)
      }
      return ValueRange(low: low, high: high, channels: channels.isEmpty ? nil : channels)
    }
  }

  /// In program order.
  package let values: [Value]
  package let sampleCount: Int
  /// False where the samples were random.
  package let isOnData: Bool

  /// The values that were infinite in some sample, which cannot have a range, with that sample.
  package var infinite: [(name: String, sample: Int)] {
    values.compactMap { value in value.statistics.infiniteSample.map { (value.name, $0) } }
  }

  /// The ranges of all values.
  ///
  /// The ranges of channels are exact extremes whatever the method: a channel's own range exists
  /// to keep what clipping the whole would lose.
  /// - Parameter symmetric: clip for the zero point 128 and a range symmetric around zero.
  package func ranges(method: RangeMethod, symmetric: Bool = false) -> Ranges {
    var ranges = Ranges(
      values: [:], method: method.rawValue, sampleCount: sampleCount, isOnData: isOnData)
    for value in values {
      guard let range = value.range(method: method, symmetric: symmetric) else { continue }
      ranges.values[value.name] = range
    }
    ranges.order = values.map(\.name)
    ranges.infinite = Set(infinite.map(\.name))
    return ranges
  }
}
