// What a pipeline could do at best, and what keeps it from more: plain arithmetic on its report.
//
// A stage that computes has the limit min(width, cores) ÷ processor time per frame: waiting for a
// core that another stage has is not its own time. One that waits for the world, as the decoding of
// a live source does, has width ÷ mean. The pipeline cannot do more than its slowest stage, nor
// more than cores ÷ processor time of all stages of a frame.

/// The limits of stages and the sentence that names the narrowest.
enum StageLimits {
  /// Frames per second of a stage that nothing else holds up.
  ///
  /// - Parameters:
  ///   - mean: milliseconds per frame.
  ///   - cpu: milliseconds of processor time per frame.
  ///   - waits: whether it waits for the world.
  static func limit(mean: Double, cpu: Double, width: Int, cores: Int, waits: Bool) -> Double {
    if waits { return mean > 0 ? Double(width) * 1000 / mean : 0 }
    return cpu > 0 ? Double(min(width, cores)) * 1000 / cpu : 0
  }

  /// Frames per second of a stage in which every stream has a thread of its own: what they do
  /// together, as far as the cores allow.
  static func limit(of streams: [Double], cpu: Double, cores: Int) -> Double {
    let together = streams.reduce(0, +)
    return cpu > 0 ? min(together, Double(cores) * 1000 / cpu) : together
  }

  /// The smaller of the slowest stage's limit and cores ÷ processor time per frame; 0 where
  /// nothing was measured.
  static func theoreticalRate(_ stages: [PipelineReport.Stage], cores: Int) -> Double {
    let cpu = stages.reduce(0) { $0 + $1.cpu }
    let shared = cpu > 0 ? Double(cores) * 1000 / cpu : .infinity
    let slowest = stages.map(\.limit).filter { $0 > 0 }.min() ?? .infinity
    let rate = min(shared, slowest)
    return rate.isFinite ? rate : 0
  }

  /// A stage, of one stream or of all, with its use of the processors.
  private struct Load {
    var stage: String
    var stream: String?
    /// Processor time over the whole run, in units of one core.
    var cores: Double
    /// The same with waiting.
    var elapsed: Double
    var width: Int

    var name: String { stream.map { "\(stage) of stream \($0)" } ?? stage }
    /// How busy its threads are.
    var busy: Double { cores / Double(max(1, width)) }
    /// How much of the time they are at work, be it that they wait for a core.
    var occupied: Double { elapsed / Double(max(1, width)) }
  }

  /// Names what limits the rate, and the remedy, in a sentence; empty where nothing was measured.
  static func bottleneck(_ report: PipelineReport) -> String {
    let stages = report.stages.map { load($0, nil, report) }
    let total = stages.reduce(0) { $0 + $1.cores } / Double(max(1, report.cores))
    guard report.seconds > 0, let largest = stages.max(by: { $0.cores < $1.cores }),
      largest.cores > 0
    else { return "" }
    let parts = parts(of: largest.stage, report)
    let dominant = parts.first { $0.cores > 0.6 * largest.cores }
    let named = parts.count > 1 ? dominant ?? largest : largest
    let share = percent(named.cores / Double(max(1, report.cores)))
    if total >= 0.85 {
      return "\(named.name) takes \(share) of \(cores(report.cores)), which are "
        + "\(percent(min(total, 1))) busy: \(remedy(named.stage))"
    }
    // A thread that never rests is a limit even where cores are idle.
    let own = ["decode", "sink"].flatMap { self.parts(of: $0, report) }
    let workers = workers(report)
    let bound = (own + [workers]).filter { $0.busy >= 0.85 }
    if let narrow = bound.max(by: { $0.busy < $1.busy }) {
      let threads = narrow.width == 1 ? "its one thread" : "its \(narrow.width) threads"
      return "\(narrow.name) keeps \(threads) \(percent(min(narrow.busy, 1))) busy while cores are "
        + "free: \(spreading(narrow.stage))"
    }
    // Decoding is left out: it waits for live sources.
    let waiting = [workers] + self.parts(of: "sink", report)
    if let held = waiting.first(where: { $0.occupied >= 0.85 }) {
      return
        "\(held.name) is at work \(percent(min(held.occupied, 1))) of the time, but gets a core "
        + "in only \(percent(held.busy)): other programs, a quota or a slow disk hold it up"
    }
    return "the sources deliver no more: \(cores(report.cores)) are \(percent(total)) busy, most "
      + "of it with \(named.name) (\(share))"
  }

  private static func load(
    _ stage: PipelineReport.Stage, _ stream: String?, _ report: PipelineReport
  ) -> Load {
    let frames = report.seconds > 0 ? Double(stage.frames) / 1000 / report.seconds : 0
    return Load(
      stage: stage.name, stream: stream, cores: stage.cpu * frames, elapsed: stage.mean * frames,
      width: stream == nil ? stage.width : 1)
  }

  /// The threads that take frames through the model, under the name of what they do most.
  private static func workers(_ report: PipelineReport) -> Load {
    let loads = report.stages.filter { ["preprocess", "infer", "postprocess"].contains($0.name) }
      .map { load($0, nil, report) }
    var total = Load(stage: "infer", stream: nil, cores: 0, elapsed: 0, width: 1)
    total.stage = loads.max { $0.cores < $1.cores }?.stage ?? "infer"
    for load in loads {
      total.cores += load.cores
      total.elapsed += load.elapsed
      total.width = load.width
    }
    return total
  }

  /// The shares of the streams in a stage where each has a thread of its own.
  private static func parts(of stage: String, _ report: PipelineReport) -> [Load] {
    guard stage == "decode" || stage == "sink" else { return [] }
    return report.streams.flatMap { stream in
      stream.stages.filter { $0.name == stage }.map { load($0, stream.name, report) }
    }
  }

  private static func remedy(_ stage: String) -> String {
    switch stage {
    case "decode": "a smaller or simpler video, or fewer streams, would make room"
    case "preprocess": "smaller frames, or fewer streams, would make room"
    case "infer":
      "a program of lower precision, a smaller model, or more cores would raise the rate"
    case "postprocess": "a higher score threshold leaves fewer candidates"
    case "sink": "JSON Lines in place of video or pictures, or fewer sinks, would make room"
    default: "more cores would raise the rate"
    }
  }

  private static func spreading(_ stage: String) -> String {
    switch stage {
    case "decode": "a smaller or simpler video would raise the rate of this stream"
    case "sink": "JSON Lines in place of video or pictures would raise the rate of this stream"
    default: "more threads would raise the rate"
    }
  }

  private static func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }

  private static func cores(_ count: Int) -> String {
    switch count {
    case 1: "the one core"
    case 2: "both cores"
    default: "all \(count) cores"
    }
  }
}
