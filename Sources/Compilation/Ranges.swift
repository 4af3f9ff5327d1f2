/// The range of real numbers that a value takes, as calibration saw it or a table says it.
public struct ValueRange: Sendable, Hashable {
  public var low: Float
  public var high: Float
  /// The ranges of the channels (declared axis 1; the last axis of values of rank 2), where they
  /// are known.
  public var channels: [Channel]?

  /// The range of one channel.
  public struct Channel: Sendable, Hashable {
    public var low: Float
    public var high: Float

    public init(low: Float, high: Float) {
      self.low = low
      self.high = high
    }
  }

  public init(low: Float, high: Float, channels: [Channel]? = nil) {
    self.low = low
    self.high = high
    self.channels = channels
  }
}

/// What calibration found: the ranges of float values, by the source's names.
public struct Ranges: Sendable {
  public var values: [String: ValueRange]
  /// How the ranges were chosen, e.g. `kl`; `edited` or anything else in a table made by hand.
  public var method: String
  /// The samples behind them; 0 where unknown.
  public var sampleCount: Int
  /// False where the samples were random: NOT CALIBRATED ON DATA.
  public var isOnData: Bool
  /// The order in which a table lists the values; those that are not in it follow by their names.
  public var order: [String] = []
  /// Values that were infinite and have no range: they must stay float.
  public var infinite: Set<String> = []
  /// Where the table that was read says something about a value, for messages.
  package var places: [String: String] = [:]

  /// The table without the ranges of channels, which are most of its text: what files keep.
  public var withoutChannels: Ranges {
    var result = self
    for name in values.keys { result.values[name]?.channels = nil }
    return result
  }

  public init(
    values: [String: ValueRange], method: String = "", sampleCount: Int = 0, isOnData: Bool = true
  ) {
    self.values = values
    self.method = method
    self.sampleCount = sampleCount
    self.isOnData = isOnData
  }
}
