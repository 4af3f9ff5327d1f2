import Synchronization
import Texts

#if canImport(Glibc)
  import Glibc
#endif

/// What a progress display shows next: a state machine without clock or terminal.
struct ProgressState: Sendable {
  let title: String
  /// The number of steps; 0 where it is not known.
  let total: Int
  let isTerminal: Bool
  private(set) var completed = 0
  private var lastShown: Double?

  /// Nothing is shown before this many seconds.
  static let quiet = 0.5
  /// Seconds between two redrawn bars, and between two plain lines.
  static let barInterval = 0.1
  static let lineInterval = 10.0

  init(title: String, total: Int, isTerminal: Bool) {
    self.title = title
    self.total = max(total, 0)
    self.isTerminal = isTerminal
  }

  /// Counts steps; returns what to print at `elapsed` seconds, or nil.
  mutating func advance(by steps: Int, note: String, elapsed: Double, columns: Int) -> String? {
    let (sum, overflow) = completed.addingReportingOverflow(max(steps, 0))
    completed = overflow ? .max : sum
    if total > 0 { completed = min(completed, total) }
    let interval = isTerminal ? ProgressState.barInterval : ProgressState.lineInterval
    let earliest = lastShown.map { $0 + interval } ?? (isTerminal ? ProgressState.quiet : interval)
    guard elapsed >= earliest else { return nil }
    lastShown = elapsed
    return isTerminal ? bar(note, elapsed, columns) : line(note, elapsed)
  }

  /// Returns what to print at the end: the bar is wiped, a shown plain display gets a last line.
  mutating func finish(elapsed: Double) -> String {
    guard lastShown != nil else { return "" }
    lastShown = nil
    if isTerminal { return "\r\u{1B}[K" }
    return "\(title): done in \(NumberText.seconds(elapsed))\n"
  }

  private func remaining(_ elapsed: Double) -> String {
    guard total > 0, completed > 0, completed < total else { return "" }
    let rest = elapsed / Double(completed) * Double(total - completed)
    return ", \(NumberText.seconds(rest.rounded(.up))) left"
  }

  private var count: String {
    guard total > 0 else { return NumberText.grouped(completed) }
    let percent = Int(Double(completed) / Double(total) * 100)
    return "\(percent) % (\(NumberText.grouped(completed)) of \(NumberText.grouped(total)))"
  }

  private func line(_ note: String, _ elapsed: Double) -> String {
    let suffix = note.isEmpty ? "" : ": \(note)"
    return "\(title): \(count)\(remaining(elapsed))\(suffix)\n"
  }

  private func bar(_ note: String, _ elapsed: Double, _ columns: Int) -> String {
    let width = total > 0 ? max(min(30, columns - 50), 0) : 0
    let filled = total > 0 ? Int(Double(completed) / Double(total) * Double(width)) : 0
    let blocks = String(repeating: "█", count: filled)
    let gap = String(repeating: "░", count: width - filled)
    let suffix = note.isEmpty ? "" : "  \(note)"
    let text = "\(title) \(blocks)\(gap) \(count)\(remaining(elapsed))\(suffix)"
    return "\r" + TextWidth.truncated(text, to: max(columns - 1, 1)) + "\u{1B}[K"
  }
}

/// Shows on standard error how far a long step is: a bar with the remaining time on a terminal,
/// a plain line now and then elsewhere, nothing for what is quick. May be used by several threads.
package final class Progress: Sendable {
  private let state: Mutex<ProgressState>
  private let start = ContinuousClock.now

  /// Begins a step of `total` parts; 0 where their number is not known.
  package init(_ title: String, total: Int) {
    state = Mutex(
      ProgressState(title: title, total: total, isTerminal: Console.isErrorTerminal))
  }

  deinit { finish() }

  /// Counts `steps` parts as done; `note` names what is being worked on.
  package func advance(by steps: Int = 1, note: String = "") {
    let elapsed = elapsed
    state.withLock { state in
      let columns = state.isTerminal ? Console.errorColumns : 0
      let text = state.advance(by: steps, note: note, elapsed: elapsed, columns: columns)
      if let text { Console.diagnose(text) }
    }
  }

  /// Ends the display; more calls do nothing.
  package func finish() {
    let elapsed = elapsed
    state.withLock { Console.diagnose($0.finish(elapsed: elapsed)) }
  }

  private var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }
}
