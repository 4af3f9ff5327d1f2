// Reads back what comparing needs; fields that other versions add are ignored.
import Texts

extension PipelineRecord {
  /// The largest record that is read, in bytes.
  package static let maximumByteCount = 16 << 20

  /// Reads what an earlier run wrote.
  ///
  /// - Throws: `input` for what is no record of a pipeline.
  public init(parsing bytes: [UInt8], file: String) throws(PipelineError) {
    do throws(JSONError) {
      self = try PipelineRecord.read(
        try JSONNode(parsing: bytes, byteLimit: PipelineRecord.maximumByteCount, depthLimit: 16))
    } catch {
      throw PipelineError(.input, error.description, place: file)
    }
  }

  private static func read(_ node: JSONNode) throws(JSONError) -> PipelineRecord {
    guard let stages = node["stages"]?.elements, let machine = node["machine"],
      let rate = node["measured_fps"]?.number
    else {
      throw JSONError(
        position: node.position,
        message: "is no record of a pipeline: it has no \"stages\", \"measured_fps\" and "
          + "\"machine\"; apus pipeline writes one with --json or --stages")
    }
    var report = PipelineReport()
    report.measuredRate = rate
    for stage in stages {
      guard let name = stage["name"]?.string, let mean = stage["mean_ms"]?.number else {
        throw JSONError(position: stage.position, message: "a stage lacks \"name\" or \"mean_ms\"")
      }
      var row = PipelineReport.Stage(name: name)
      row.mean = mean
      row.p50 = stage["p50_ms"]?.number ?? mean
      row.p95 = stage["p95_ms"]?.number ?? mean
      row.cpu = stage["cpu_ms"]?.number ?? 0
      row.frames = stage["frames"]?.integer ?? 0
      row.limit = stage["limit_fps"]?.number ?? 0
      report.stages.append(row)
    }
    var description = MachineDescription()
    description.processor = machine["processor"]?.string ?? ""
    description.cores = machine["cores"]?.integer ?? 0
    description.isa = machine["isa"]?.string ?? ""
    description.model = machine["model"]?.string ?? ""
    description.modelHash = machine["model_sha256"]?.string ?? ""
    description.precision = machine["precision"]?.string ?? ""
    description.threads = machine["threads"]?.integer ?? 0
    description.version = machine["version"]?.string ?? ""
    let rates = (node["window_fps"]?.elements ?? []).compactMap(\.number)
    return PipelineRecord(report, machine: description, windowRates: rates)
  }
}
