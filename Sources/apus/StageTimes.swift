import Files
import Options
import Pipelines

extension StageTimes {
  /// Writes the stages as one JSON array.
  func write(to path: String) throws {
    try AtomicFile.write(PipelineReport.Stage.json(stages), to: path)
  }

  /// The table for people.
  var text: String { PipelineReport.Stage.table(stages) }
}

extension Duration {
  /// The duration in milliseconds.
  var milliseconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) * 1000 + Double(attoseconds) * 1e-15
  }
}
