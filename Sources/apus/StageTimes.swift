import Files
import Options
import Texts

/// The times of the stages of a run, in milliseconds, one entry per frame or sample.
final class StageTimes {
  private let names: [String]
  private var samples: [String: [Double]] = [:]
  private static let clock = ContinuousClock()

  init(_ names: [String]) { self.names = names }

  /// Times one piece of work of a stage.
  func measure<R>(_ stage: String, _ body: () throws -> R) rethrows -> R {
    let start = StageTimes.clock.now
    let result = try body()
    samples[stage, default: []].append((StageTimes.clock.now - start).milliseconds)
    return result
  }

  /// One row per stage that ran.
  struct Row {
    var name: String
    var mean: Double
    var p50: Double
    var p95: Double
    /// Frames per second if nothing else took time.
    var limit: Double
  }

  var rows: [Row] {
    names.compactMap { name in
      guard let times = samples[name]?.sorted(), !times.isEmpty else { return nil }
      let mean = times.reduce(0, +) / Double(times.count)
      return Row(
        name: name, mean: mean, p50: times[times.count / 2],
        p95: times[min(times.count - 1, times.count * 95 / 100)],
        limit: mean > 0 ? 1000 / mean : 0)
    }
  }

  /// `[{"name","mean_ms","p50_ms","p95_ms","limit_fps"}]`
  func write(to path: String) throws {
    var writer = JSONWriter(isIndented: true)
    writer.array { array in
      for row in rows {
        array.object { object in
          object.field("name", row.name)
          object.field("mean_ms", row.mean)
          object.field("p50_ms", row.p50)
          object.field("p95_ms", row.p95)
          object.field("limit_fps", row.limit)
        }
      }
    }
    try AtomicFile.write(writer.text + "\n", to: path)
  }

  /// The table for people.
  var text: String {
    var table = TextTable([
      (heading: "stage", alignment: .left), (heading: "mean ms", alignment: .right),
      (heading: "p50 ms", alignment: .right), (heading: "p95 ms", alignment: .right),
      (heading: "limit fps", alignment: .right),
    ])
    for row in rows {
      table.add(
        [row.name]
          + [row.mean, row.p50, row.p95].map { NumberText.fixed($0, decimals: 3) }
          + [NumberText.fixed(row.limit, decimals: 1)])
    }
    return table.text
  }
}

extension Duration {
  /// The duration in milliseconds.
  var milliseconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) * 1000 + Double(attoseconds) * 1e-15
  }
}
