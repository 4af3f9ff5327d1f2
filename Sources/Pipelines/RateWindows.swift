/// Cuts a run into parts of equal length and keeps the rate of each.
///
/// Where there are many, neighbours are joined, so that a long run takes no more memory.
public struct RateWindows: Sendable {
  /// The most parts that are kept.
  static let limit = 64

  private var marks: [(seconds: Double, frames: Int)] = []
  private var stride = 1
  private var pending = 0

  public init() {}

  /// Notes how many frames have been finished by now; called at regular times.
  public mutating func note(frames: Int, at seconds: Double) {
    pending += 1
    guard pending == stride else { return }
    pending = 0
    marks.append((seconds, frames))
    guard marks.count > RateWindows.limit else { return }
    marks = marks.indices.filter { $0 % 2 == 0 }.map { marks[$0] }
    stride *= 2
  }

  /// Frames per second in each part, in order; the first, in which things warm up, is left out.
  public var rates: [Double] {
    zip(marks, marks.dropFirst()).compactMap { before, after in
      let time = after.seconds - before.seconds
      return time > 0 ? Double(after.frames - before.frames) / time : nil
    }
  }
}
