import Detections
public import Imaging
public import Kernels
public import ModelFile
public import Runtime
import Synchronization

/// Runs one model on the frames of many sources at once.
///
/// Every source has a thread that decodes, every stream one that writes its results; `threads`
/// workers take the frames through the model. A fault of one stream never touches another.
///
///     let pipeline = try Pipeline(configuration, model: model, processing: processing)
///     let report = try pipeline.run()
public final class Pipeline: Sendable {
  /// Opens a sink of a stream.
  public typealias SinkOpener =
    @Sendable (
      _ sink: PipelineConfiguration.Sink, _ stream: String, _ rate: FrameRate?
    ) throws(PipelineError) -> any ResultSink

  /// Opens the files that sinks name.
  public static let openFiles: SinkOpener = {
    (sink, stream, rate) throws(PipelineError) -> any ResultSink in
    try ResultSinks.open(sink, stream: stream, rate: rate)
  }

  private let core: PipelineCore
  private let hasRun = Atomic<Bool>(false)

  /// Makes the sessions that the pipeline needs; opens no source and no sink.
  ///
  /// - Parameters:
  ///   - processing: of the model, or what replaces it.
  ///   - program: the place of the program in the model.
  ///   - isas: the kernels that may be used.
  ///   - pool: where frames lie; nil: in memory of each decoder's own.
  ///   - sinks: opens the sinks of each stream, on the thread that writes it.
  /// - Throws: `configuration`, `model` or `memory`.
  public convenience init(
    _ configuration: PipelineConfiguration, model: Model, processing: Processing,
    program: Int = 0, isas: Set<ISA> = ISA.host, pool: FramePool? = nil,
    sinks: @escaping SinkOpener = Pipeline.openFiles
  ) throws(PipelineError) {
    try self.init(
      configuration, model: model, processing: processing, program: program, isas: isas,
      opener: SourceOpener(pool: pool), sinks: sinks)
  }

  init(
    _ configuration: PipelineConfiguration, model: Model, processing: Processing, program: Int,
    isas: Set<ISA>, opener: any StreamOpener, sinks: @escaping SinkOpener
  ) throws(PipelineError) {
    guard !configuration.sources.isEmpty else {
      throw PipelineError(.configuration, "there is no source")
    }
    let names = Set(configuration.sources.map(\.name))
    guard names.count == configuration.sources.count else {
      throw PipelineError(.configuration, "two sources have the same name")
    }
    guard let text = processing.postprocessing else {
      throw PipelineError(
        .configuration,
        "the model does not say how its outputs become objects; compile it with --postprocess")
    }
    let detector = try Pipeline.detector(text)
    let threads = max(1, configuration.threads ?? WorkerPool.recommendedThreadCount)
    var workers: [PipelineWorker] = []
    for _ in 0..<threads {
      let session: Session
      do throws(RuntimeError) {
        session = try model.session(program, options: Session.Options(threads: 1, isas: isas))
      } catch {
        throw PipelineError(error.code == .outOfMemory ? .memory : .model, error.description)
      }
      workers.append(try PipelineWorker(session, processing, detector))
    }
    core = try PipelineCore(
      configuration, batchSize: workers[0].batchSize, workers: workers, opener: opener,
      openSink: sinks)
  }

  private static func detector(_ text: String) throws(PipelineError) -> Detector {
    let specification: Postprocessing
    do throws(SpecificationError) {
      specification = try Postprocessing(serialised: text)
    } catch {
      throw PipelineError(.configuration, error.message)
    }
    do throws(DetectionError) {
      return try Detector(specification)
    } catch {
      throw PipelineError(.configuration, error.message)
    }
  }

  /// Runs until all sources have ended, or the pipeline is stopped; can be called once.
  ///
  /// Before the first source is opened, every worker runs the model once; these runs count nowhere.
  ///
  /// - Parameters:
  ///   - duration: stops by itself after this time.
  ///   - interval: the time between two calls of `observe`.
  ///   - observe: gets a report now and then, on the calling thread.
  /// - Throws: `model` where the outputs do not fit the postprocessing, `threads` where the system
  ///   allows no more.
  public func run(
    for duration: Duration? = nil, every interval: Duration = .seconds(1),
    observe: ((PipelineReport) -> Void)? = nil
  ) throws(PipelineError) -> PipelineReport {
    precondition(
      !hasRun.exchange(true, ordering: .relaxed), "a pipeline runs once; make another one")
    let threads = PipelineThreads(core)
    try threads.start()
    var clock = PipelineClock(core, duration: duration, interval: interval)
    while !clock.wait() {
      if clock.isReportDue { observe?(report) }
    }
    threads.join()
    return report
  }

  /// Ends all sources; what they have delivered goes its way, and the sinks are finished. Can be
  /// called from any thread, at any time.
  public func stop() { core.stop() }

  /// Ends everything at once: what is not written is lost, and unfinished files disappear. Can be
  /// called from any thread, at any time.
  public func abort() { core.abort() }

  /// What has been done so far.
  public var report: PipelineReport { ReportBuilder.report(of: core) }
}
