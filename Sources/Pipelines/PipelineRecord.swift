// What a pipeline leaves behind about itself, as JSON:
//
//   {"streams":[{"name","state","failed","frames","dropped":{reason:n},"errors":[…],
//                "reconnects":{reason:n},"fps","queue":{…},"latency_ms":{…},"stages":[…]}],
//    "stages":[{"name","mean_ms","p50_ms","p95_ms","limit_fps","cpu_ms","frames","width"}],
//    "bottleneck","bottleneck_reason","measured_fps","theoretical_fps","seconds","batch":{…},
//    "window_fps":[…],"machine":{…}}
import Texts

/// The report of a run with what is needed to compare it with another.
public struct PipelineRecord: Sendable, Hashable {
  public var report: PipelineReport
  public var machine: MachineDescription
  /// Frames per second in parts of the run of equal length, in order.
  public var windowRates: [Double]

  public init(
    _ report: PipelineReport, machine: MachineDescription = MachineDescription(),
    windowRates: [Double] = []
  ) {
    self.report = report
    self.machine = machine
    self.windowRates = windowRates
  }

  /// One JSON document.
  public var json: String {
    var writer = JSONWriter(isIndented: true)
    writer.object { document in
      document.array("streams") { for stream in report.streams { $0.stream(stream) } }
      document.array("stages") { for stage in report.stages { $0.stage(stage) } }
      document.field("bottleneck", report.slowestStage)
      document.field("bottleneck_reason", report.bottleneck)
      document.field("measured_fps", report.measuredRate)
      document.field("theoretical_fps", report.theoreticalRate)
      document.field("seconds", report.seconds)
      document.object("batch") {
        $0.field("size", report.batchSize)
        $0.field("mean", report.meanBatch)
      }
      document.field("window_fps", windowRates)
      document.object("machine") {
        $0.field("processor", machine.processor)
        $0.field("cores", machine.cores)
        $0.field("isa", machine.isa)
        $0.field("model", machine.model)
        $0.field("model_sha256", machine.modelHash)
        $0.field("precision", machine.precision)
        $0.field("threads", machine.threads)
        $0.field("version", machine.version)
      }
    }
    return writer.text + "\n"
  }
}

extension PipelineReport {
  /// The name of the stage with the lowest limit; nil where nothing ran.
  public var slowestStage: String? {
    stages.filter { $0.frames > 0 && $0.limit > 0 }.min { $0.limit < $1.limit }?.name
  }
}

extension PipelineReport.Stage {
  /// `[{"name","mean_ms","p50_ms","p95_ms","limit_fps",…}]`
  package static func json(_ stages: [PipelineReport.Stage]) -> String {
    var writer = JSONWriter(isIndented: true)
    writer.array { for stage in stages { $0.stage(stage) } }
    return writer.text + "\n"
  }
}

extension JSONWriter {
  fileprivate mutating func stage(_ stage: PipelineReport.Stage) {
    object { object in
      object.field("name", stage.name)
      object.field("mean_ms", stage.mean)
      object.field("p50_ms", stage.p50)
      object.field("p95_ms", stage.p95)
      object.field("limit_fps", stage.limit)
      object.field("cpu_ms", stage.cpu)
      object.field("frames", stage.frames)
      object.field("width", stage.width)
    }
  }

  fileprivate mutating func stream(_ stream: PipelineReport.Stream) {
    object { object in
      object.field("name", stream.name)
      object.field("state", stream.state)
      object.field("failed", stream.hasFailed)
      object.field("frames", stream.frames)
      object.counts("dropped", stream.dropped)
      object.field("errors", stream.errors)
      object.counts("reconnects", stream.reconnects)
      object.field("fps", stream.rate)
      object.object("queue") {
        $0.field("capacity", stream.queue.capacity)
        $0.field("mean_depth", stream.queue.meanDepth)
        $0.field("deepest", stream.queue.deepest)
      }
      object.object("latency_ms") {
        $0.field("mean", stream.latency.mean)
        $0.field("p50", stream.latency.p50)
        $0.field("p95", stream.latency.p95)
      }
      object.array("stages") { for stage in stream.stages { $0.stage(stage) } }
    }
  }

  private mutating func counts(_ key: String, _ counts: [String: Int]) {
    object(key) { object in
      for (reason, number) in counts.sorted(by: { $0.key < $1.key }) {
        object.field(reason, number)
      }
    }
  }
}
