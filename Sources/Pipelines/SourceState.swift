/// What a source is doing, in the words of reports.
public enum SourceState: String, Sendable, Hashable, CaseIterable {
  /// Being opened, for the first time or again.
  case connecting
  /// Delivering frames.
  case playing
  /// Live, but without a frame for too long: about to count as lost.
  case silent
  /// Lost: being closed.
  case broken
  /// Waiting to connect again.
  case waiting
  /// Delivered all it had.
  case ended
  /// Never reached, lost for good, or broken in the middle.
  case failed
  /// Ended from outside.
  case stopped

  /// Says that nothing more will come.
  public var isFinal: Bool { self == .ended || self == .failed || self == .stopped }
}

/// Why a source was lost or not reached.
enum SourceLoss: String, Sendable, Hashable, CaseIterable {
  /// Nobody answers at the address, or it was not found.
  case refused
  case timedOut = "timed out"
  /// It is connected, but sends nothing.
  case silent
  /// A live source that ended.
  case ended
  /// The connection or the data broke.
  case broken
}
