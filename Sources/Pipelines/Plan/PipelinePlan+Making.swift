import Imaging
public import ModelFile
public import Runtime

extension PipelinePlan {
  /// What the plan needs to know of the model.
  public struct ModelNeeds {
    /// A session with one thread, as each worker has one.
    public var session: Session
    public var processing: Processing

    public init(session: Session, processing: Processing) {
      self.session = session
      self.processing = processing
    }
  }

  /// Frames that a decoder keeps for reference and for putting them into order.
  static let decoderFrameCount = 8
  /// Frames that drawing and encoding a video hold: the encoder looks ahead at many, in several
  /// sizes and with what it notes about them.
  static let encoderFrameCount = 64
  /// What an encoder holds whatever the size of its frames, in bytes.
  static let encoderByteCount = 4 << 20
  /// Frames that drawing and compressing pictures hold: copies, and rows in other formats.
  static let pictureFrameCount = 10
  /// The buffer of a file, in bytes.
  static let fileByteCount = 1 << 18
  /// Files and sockets that are open for a moment only.
  static let passingHandleCount = 16

  /// Plans a pipeline.
  ///
  /// - Parameters:
  ///   - sources: what is known of each source of the configuration.
  ///   - measures: whether to run the model once, for its processor time.
  /// - Throws: `configuration` or `model` where the model takes no pictures.
  public init(
    _ configuration: PipelineConfiguration, sources: [SourceSurvey], model: ModelNeeds,
    limits: ResourceLimits, measures: Bool
  ) throws(PipelineError) {
    let input = try PictureInput(model.session, model.processing)
    let workers = max(1, configuration.threads ?? WorkerPool.recommendedThreadCount)
    let memory = model.session.memory
    var base = Base()
    base.weightByteCount = memory.weightByteCount + memory.derivedWeightByteCount
    base.sessionByteCount =
      memory.arenaByteCount + memory.scratchByteCount + memory.ioByteCount
    base.workerCount = workers
    base.memory = ResourceLimits.residentByteCount
    base.handleCount = ResourceLimits.openHandleCount + PipelinePlan.passingHandleCount
    // The main thread and the one for signals.
    base.threadCount = 2
    base.batchSize = input.batchSize
    if measures { base.run = try PipelinePlan.measure(model.session) }
    var streams: [Stream] = []
    for (source, survey) in zip(configuration.sources, sources) {
      var stream = Stream(name: source.name)
      stream.source = survey.text
      stream.isAssumed = survey.isAssumed
      stream.rate = survey.kind == .address || source.pace == .realTime ? survey.rate?.value : nil
      stream.frameByteCount = survey.frameByteCount
      // One is being decoded; those outside the queue are with the workers or wait for a sink.
      let kept = survey.kind == .pictures ? 1 : PipelinePlan.decoderFrameCount
      stream.frameCount =
        kept + source.capacity + 1
        + PipelineCore.outstandingLimit(workers: workers, batchSize: input.batchSize)
      stream.decode = survey.decode
      if measures, let frame = survey.frame {
        stream.preprocess = try PipelinePlan.measure(input, frame)
      }
      stream.handleCount = survey.kind == .address ? 6 : 1
      stream.threadCount = 2
      for sink in configuration.sinks { stream.count(sink) }
      streams.append(stream)
    }
    self.init(base: base, streams: streams, limits: limits)
  }

  /// The bytes that frames may take while the pipeline runs: twice what is planned, and room for
  /// addresses whose frames are larger than assumed.
  public var frameLimitByteCount: Int {
    let planned = streams.reduce(0) { $0 + $1.frameByteCount * $1.frameCount }
    return 2 * planned + (256 << 20)
  }

  /// The processor time of a run, in milliseconds: the second one, since the first touches memory.
  private static func measure(_ session: Session) throws(PipelineError) -> Double {
    do throws(RuntimeError) {
      try session.run()
      let start = SourceSurvey.processorTime
      try session.run()
      return SourceSurvey.processorTime - start
    } catch {
      throw PipelineError(.model, error.description)
    }
  }

  private static func measure(_ input: PictureInput, _ frame: Frame) throws(PipelineError) -> Double
  {
    do throws(RuntimeError) {
      _ = try input.write(frame, sample: 0)
      let start = SourceSurvey.processorTime
      _ = try input.write(frame, sample: 0)
      return SourceSurvey.processorTime - start
    } catch {
      throw PipelineError(.model, error.description)
    }
  }
}

extension PipelinePlan.Stream {
  /// Adds what a sink needs.
  fileprivate mutating func count(_ sink: PipelineConfiguration.Sink) {
    switch sink.kind {
    case .jsonl:
      sinkByteCount += PipelinePlan.fileByteCount
      handleCount += 1
    case .mp4:
      sinkByteCount +=
        frameByteCount * PipelinePlan.encoderFrameCount + PipelinePlan.encoderByteCount
      // The file is open a second time while its index moves to the beginning.
      handleCount += 2
    case .images:
      sinkByteCount += frameByteCount * PipelinePlan.pictureFrameCount
      handleCount += 1
    }
  }
}

extension PipelineConfiguration {
  /// Checks that the files of all sinks could be written, without writing any.
  ///
  /// - Throws: `sink`, naming the first that could not.
  public func checkSinks() throws(PipelineError) {
    for sink in sinks {
      for source in sources { try sink.check(for: source.name) }
    }
  }
}
