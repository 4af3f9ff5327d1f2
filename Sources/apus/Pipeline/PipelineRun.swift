import Files
import Imaging
import Kernels
import ModelFile
import Options
import Pipelines
import Runtime
import Synchronization
import Texts

/// A run of `apus pipeline`: read, check, plan, run, report.
struct PipelineRun {
  private let given: Given
  private let path: String
  private let configuration: PipelineConfiguration
  private let baseline: PipelineRecord?
  private let opened: OpenedModel
  private let program: Int
  private let isas: Set<ISA>
  private let processing: Processing
  private let sources: [SourceSurvey]
  private let plan: PipelinePlan
  private let sinks = SinkWatch()

  /// Reads and plans: all that can be wrong before anything starts.
  init(_ given: Given) throws {
    self.given = given
    path = given[PipelineVerb.configuration]
    isas = try SharedOptions.isas(given)
    configuration = try PipelineConfiguration(
      parsing: try FileContents.bytes(of: path, limit: 4 << 20), file: path)
    baseline = try given[PipelineVerb.baseline].map { path in
      try PipelineRecord(
        parsing: try FileContents.bytes(of: path, limit: 64 << 20), file: path)
    }
    let precision = given[SharedOptions.precision]
    opened = try OpenedModel(configuration.model, precision: precision)
    program = try opened.model.index(precision: opened.programName(precision))
    let session = try opened.model.session(
      program, options: Session.Options(threads: 1, isas: isas))
    processing = try ProcessingOptions(given).processing(
      for: session.inputs, outputs: session.outputs, over: opened.processing)
    if let port = session.inputs.first, session.inputs.count == 1,
      !processing.inputs.contains(where: { $0.name == port.name })
    {
      throw FrameRun.missingPreprocessing(configuration.model, port)
    }
    let measures = given[PipelineVerb.plan]
    sources = configuration.sources.map { SourceSurvey($0.url, measures: measures) }
    plan = try PipelinePlan(
      configuration, sources: sources,
      model: PipelinePlan.ModelNeeds(session: session, processing: processing),
      limits: ResourceLimits.here(cores: WorkerPool.recommendedThreadCount), measures: measures)
  }

  func run() throws -> ExitCode {
    if let baseline { try checkComparable(baseline) }
    if given[PipelineVerb.plan] {
      try Console.output(given[SharedOptions.json] ? plan.json : plan.text)
      try plan.check()
      return .done
    }
    try plan.check()
    try configuration.checkSinks()
    if given[PipelineVerb.check] { return try report() }
    noteFont()
    ResourceLimits.shareHeaps()
    ResourceLimits.raiseHandles(to: plan.handles(streams: configuration.sources.count))
    let (record, wasInterrupted) = try runPipeline()
    return try finish(record, wasInterrupted)
  }

  // MARK: Before

  /// `--check`: says what is wrong with the sources, or that all is well.
  private func report() throws -> ExitCode {
    var first: ImagingError?
    for (source, survey) in zip(configuration.sources, sources) {
      guard let fault = survey.fault else { continue }
      if first != nil { Console.diagnose("apus pipeline: \(source.name): \(fault)\n") }
      first = first ?? fault
    }
    if let first { throw first }
    let count = configuration.sources.count
    if given[SharedOptions.json] {
      var writer = JSONWriter()
      writer.object { object in
        object.field("ok", true)
        object.field("streams", configuration.sources.map(\.name))
      }
      try Console.output(writer.text + "\n")
    } else {
      try Console.output(
        "\(path): \(count) \(count == 1 ? "stream" : "streams"), model \(configuration.model): "
          + "all is well\n")
    }
    return .done
  }

  private func noteFont() {
    let draws = configuration.sinks.contains { $0.kind != .jsonl }
    if draws, let reason = ObjectDrawing.missingFont {
      Console.diagnose("labels are not drawn: \(reason)\n")
    }
  }

  /// Refuses a comparison that cannot be made, before hours are spent on it.
  private func checkComparable(_ baseline: PipelineRecord) throws {
    let machine = try machine
    do throws(PipelineError) {
      try machine.requireSame(as: baseline.machine)
    } catch {
      throw PipelineError(error.code, error.message, place: given[PipelineVerb.baseline])
    }
  }

  private var machine: MachineDescription {
    get throws {
      var machine = MachineDescription()
      machine.processor = MachineDescription.processorHere
      machine.cores = WorkerPool.recommendedThreadCount
      machine.isa =
        given[SharedOptions.isa] ?? ISA.available.map(\.description).joined(separator: ",")
      machine.model = configuration.model
      machine.modelHash = try ModelFingerprint.of(configuration.model)
      machine.precision = opened.model.programs[program].precision
      machine.threads = configuration.threads ?? WorkerPool.recommendedThreadCount
      machine.version = ApusTool.version
      return machine
    }
  }

  // MARK: Running

  private func runPipeline() throws -> (record: PipelineRecord, wasInterrupted: Bool) {
    let pipeline = try Pipeline(
      configuration, model: opened.model, processing: processing, program: program, isas: isas,
      pool: ResourceLimits.hasAddressLimit
        ? nil : try FramePool(limitBytes: plan.frameLimitByteCount),
      sinks: sinks.open)
    let interruption = InterruptionFlag()
    var progress = PipelineProgress()
    var windows = RateWindows()
    let clock = ContinuousClock()
    let start = clock.now
    let duration = given[PipelineVerb.duration].map { Duration.milliseconds(1000) * $0 }
    let stop: @Sendable () -> Void = {
      Console.diagnose(
        "\napus pipeline: interrupted; finishing what was read (once more: stop now)\n")
      interruption.raise()
      pipeline.stop()
    }
    let report = try Interruption.handled(by: stop) {
      try pipeline.run(for: duration, every: .milliseconds(250)) { report in
        let seconds = (clock.now - start).milliseconds / 1000
        windows.note(frames: report.streams.reduce(0) { $0 + $1.frames }, at: seconds)
        progress.show(report, at: seconds)
      }
    }
    progress.finish()
    return (
      PipelineRecord(report, machine: try machine, windowRates: windows.rates),
      interruption.isRaised
    )
  }

  // MARK: After

  private func finish(_ record: PipelineRecord, _ wasInterrupted: Bool) throws -> ExitCode {
    if let path = given[PipelineVerb.stages] { try AtomicFile.write(record.json, to: path) }
    try Console.output(given[SharedOptions.json] ? record.json : record.report.text)
    let failed = record.report.streams.filter(\.hasFailed).map(\.name)
    if !failed.isEmpty {
      Console.diagnose("apus pipeline: failed: \(failed.joined(separator: ", "))\n")
    }
    var isSlower = false
    if let baseline, !wasInterrupted, failed.isEmpty {
      let comparison = try PipelineComparison(record, with: baseline)
      if given[SharedOptions.json] {
        Console.diagnose(comparison.text)
      } else {
        try Console.output("\n" + comparison.text)
      }
      isSlower = comparison.isSlower
    }
    if wasInterrupted { return .interrupted }
    if sinks.hasFailed { return .outputFailed }
    if !failed.isEmpty { return .temporary }
    return isSlower ? .checkFailed : .done
  }
}

/// Whether a run was interrupted.
private final class InterruptionFlag: Sendable {
  private let flag = Atomic<Bool>(false)
  var isRaised: Bool { flag.load(ordering: .relaxed) }
  func raise() { flag.store(true, ordering: .relaxed) }
}
