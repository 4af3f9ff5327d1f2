// Is this run slower than that one, or is it noise? The rate of a run is the mean of n parts whose
// rates scatter with the standard deviation s; its standard error is s/√n. The difference of two
// means is beyond the noise where it is above three standard errors of the difference (a chance of
// one in some hundred that nothing changed, if parts were independent) and above 5 %, since parts
// of one run share what runs differ in: clock frequency, temperature, placement in memory. Runs of
// few parts say little about their scatter: below ten parts, the 5 % grow as their number falls.
import Texts

/// What became of a run's speed since an earlier run.
public struct PipelineComparison: Sendable, Hashable {
  /// One figure of both runs.
  public struct Row: Sendable, Hashable {
    /// `frames per second`, or the name of a stage.
    public var name: String
    public var earlier: Double
    public var now: Double
    /// By how much it became slower, as a share of the earlier figure; below 0: faster.
    public var loss: Double
    /// The largest loss that may be chance.
    public var noise: Double
    /// Whether it became slower beyond the noise.
    public var isSlower: Bool { loss > noise }
  }

  public var rows: [Row]

  /// Says whether something became slower beyond the noise.
  public var isSlower: Bool { rows.contains(where: \.isSlower) }

  /// Stages below this mean, in milliseconds, are not judged: their times are those of the clock.
  static let smallestStage = 0.02
  static let smallestNoise = 0.05
  /// With fewer parts, the smallest noise is larger.
  static let fewestParts = 10.0
  static let standardErrors = 3.0

  /// Compares two runs.
  ///
  /// - Throws: `input` where they are of different kinds, naming the differences.
  public init(_ now: PipelineRecord, with earlier: PipelineRecord) throws(PipelineError) {
    try now.machine.requireSame(as: earlier.machine)
    guard earlier.report.measuredRate > 0, now.report.measuredRate > 0 else {
      throw PipelineError(.input, "the runs cannot be compared: one of them has no frames")
    }
    let errors = [now, earlier].map { PipelineComparison.error($0.windowRates) }
    let parts = max(1, min(now.windowRates.count, earlier.windowRates.count))
    let smallest =
      PipelineComparison.smallestNoise * max(1, PipelineComparison.fewestParts / Double(parts))
    let noise = max(smallest, PipelineComparison.noise(errors))
    var rows = [
      Row(
        name: "frames per second", earlier: earlier.report.measuredRate,
        now: now.report.measuredRate,
        loss: 1 - now.report.measuredRate / earlier.report.measuredRate, noise: noise)
    ]
    for stage in now.report.stages {
      guard let other = earlier.report.stages.first(where: { $0.name == stage.name }),
        other.mean >= PipelineComparison.smallestStage
      else { continue }
      let own = PipelineComparison.noise([stage, other].map(PipelineComparison.error))
      rows.append(
        Row(
          name: stage.name, earlier: other.mean, now: stage.mean,
          loss: stage.mean / other.mean - 1, noise: max(noise, own)))
    }
    self.rows = rows
  }

  private static func noise(_ errors: [Double]) -> Double {
    let error = errors.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return standardErrors * error
  }

  /// The standard error of the mean of some rates, as a share of it; 0 of fewer than two.
  static func error(_ rates: [Double]) -> Double {
    let count = Double(rates.count)
    let mean = rates.reduce(0, +) / max(count, 1)
    guard rates.count > 1, mean > 0 else { return 0 }
    let variance = rates.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    return (variance / count).squareRoot() / mean
  }

  /// The standard error of a stage's mean, as a share of it: 1.645 standard deviations lie between
  /// median and 95th percentile of a normal distribution.
  private static func error(_ stage: PipelineReport.Stage) -> Double {
    guard stage.mean > 0, stage.frames > 0 else { return 0 }
    let deviation = max(0, stage.p95 - stage.p50) / 1.645
    return deviation / Double(stage.frames).squareRoot() / stage.mean
  }

  /// A table, and what became slower in a sentence.
  public var text: String {
    var table = TextTable([
      (heading: "figure", alignment: .left), (heading: "earlier", alignment: .right),
      (heading: "now", alignment: .right), (heading: "slower by", alignment: .right),
      (heading: "noise", alignment: .right), (heading: "", alignment: .left),
    ])
    func percent(_ share: Double) -> String {
      NumberText.fixed(share * 100, decimals: 1) + " %"
    }
    for (index, row) in rows.enumerated() {
      let unit = index == 0 ? "" : " ms"
      table.add([
        row.name, NumberText.fixed(row.earlier, decimals: index == 0 ? 1 : 3) + unit,
        NumberText.fixed(row.now, decimals: index == 0 ? 1 : 3) + unit, percent(row.loss),
        percent(row.noise), row.isSlower ? "slower" : "",
      ])
    }
    let slower = rows.filter(\.isSlower).map { "\($0.name) by \(percent($0.loss))" }
    let verdict =
      slower.isEmpty
      ? "Not slower than the earlier run beyond the noise."
      : "Slower than the earlier run beyond the noise: \(slower.joined(separator: ", "))."
    return table.text + verdict + "\n"
  }
}
