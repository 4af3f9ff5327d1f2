/// Makes the time stamps of a stream rise for ever, however often its source begins again.
struct Timeline: Sendable {
  private var offset = 0.0
  private var last: Double?
  /// What lies between two frames, as the latest two showed, in milliseconds.
  private var step = 40.0

  /// Moves a time stamp of the source, in milliseconds, to its place; nil stays nil.
  mutating func place(_ time: Double?) -> Double? {
    guard let time, time.isFinite else { return nil }
    let placed = time + offset
    if let last, placed > last, placed - last < 10_000 { step = placed - last }
    last = max(placed, last ?? placed)
    return placed
  }

  /// The source begins again at zero.
  ///
  /// - Parameter gap: how long it was away, in milliseconds; nil: the next frame follows at once.
  mutating func beginAgain(after gap: Double? = nil) {
    guard let last else { return }
    offset = last + max(gap ?? step, step)
  }
}

/// Says when a frame of a file is due that is read in real time.
struct Pacer: Sendable {
  /// A delay that is not caught up with: the pipeline held the source up.
  private static let patience = Duration.milliseconds(500)
  private var origin: Duration?

  /// Returns when a frame with this time stamp is due.
  ///
  /// - Parameter time: in milliseconds, rising.
  mutating func due(_ time: Double, at now: Duration) -> Duration {
    let stamp = Duration.milliseconds(1) * time
    guard let origin, now - (origin + stamp) <= Pacer.patience else {
      self.origin = now - stamp
      return now
    }
    return origin + stamp
  }
}
