import Options
import Pipelines
import Texts

/// One line on standard error about a running pipeline: redrawn on a terminal, printed now and
/// then elsewhere.
struct PipelineProgress {
  /// Seconds between two redrawn lines, and between two printed ones.
  private static let redrawInterval = 0.5
  private static let printInterval = 10.0

  private let isTerminal = Console.isErrorTerminal
  private var last = (seconds: 0.0, frames: 0)
  private var isShown = false

  mutating func show(_ report: PipelineReport, at seconds: Double) {
    let interval =
      isTerminal ? PipelineProgress.redrawInterval : PipelineProgress.printInterval
    guard seconds - last.seconds >= interval else { return }
    let frames = report.streams.reduce(0) { $0 + $1.frames }
    let rate = Double(frames - last.frames) / (seconds - last.seconds)
    last = (seconds, frames)
    let line = PipelineProgress.line(report, rate: rate, seconds: seconds)
    guard isTerminal else { return Console.diagnose(line + "\n") }
    let width = max(Console.errorColumns - 1, 1)
    Console.diagnose("\r" + TextWidth.truncated(line, to: width) + "\u{1B}[K")
    isShown = true
  }

  /// Wipes the line.
  mutating func finish() {
    if isShown { Console.diagnose("\r\u{1B}[K") }
    isShown = false
  }

  /// E.g. `pipeline 12.5 s: 4 streams (3 playing, 1 waiting), 1,234 frames, 98.7 fps, 5 dropped`.
  static func line(_ report: PipelineReport, rate: Double, seconds: Double) -> String {
    var states: [(name: String, count: Int)] = []
    for stream in report.streams {
      if let index = states.firstIndex(where: { $0.name == stream.state }) {
        states[index].count += 1
      } else {
        states.append((stream.state, 1))
      }
    }
    let count = report.streams.count
    let frames = report.streams.reduce(0) { $0 + $1.frames }
    let dropped = report.streams.reduce(0) { $0 + $1.dropped.values.reduce(0, +) }
    return "pipeline \(NumberText.seconds(seconds)): \(count) "
      + "\(count == 1 ? "stream" : "streams") ("
      + states.map { "\($0.count) \($0.name)" }.joined(separator: ", ") + "), "
      + "\(NumberText.grouped(frames)) frames, \(NumberText.fixed(rate, decimals: 1)) fps, "
      + "\(NumberText.grouped(dropped)) dropped"
  }
}
