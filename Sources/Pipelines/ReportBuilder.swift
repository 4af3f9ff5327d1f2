import Runtime

/// Makes reports of what the threads of a pipeline have noted.
struct ReportBuilder {
  private let configuration: PipelineConfiguration
  private let workerCount: Int
  private let streams: [StreamTraffic]
  private let depths: [Batcher<StreamFrame>.Depth]
  private let runCount: Int
  private let runFrameCount: Int
  private let batchSize: Int
  private let cores = WorkerPool.recommendedThreadCount

  /// The report of now. It is made while nobody notes anything, so that it shares no memory with
  /// what changes.
  static func report(of core: PipelineCore) -> PipelineReport {
    core.traffic.withLock { ReportBuilder(core, $0).report }
  }

  private init(_ core: PipelineCore, _ traffic: Traffic) {
    configuration = core.configuration
    workerCount = core.workers.count
    streams = traffic.streams
    depths = traffic.streams.indices.map { traffic.batcher.depth(of: $0) }
    runCount = traffic.runCount
    runFrameCount = traffic.runFrameCount
    batchSize = traffic.batcher.batchSize
  }

  private var report: PipelineReport {
    var report = PipelineReport()
    report.cores = cores
    report.streams = streams.indices.map(stream)
    report.stages = StageName.allCases.compactMap { total($0, report.streams) }
    let first = streams.compactMap(\.firstDecode).min()
    let last = streams.compactMap(\.lastWritten).max()
    if let first, let last { report.seconds = (last - first) / .seconds(1) }
    let frames = streams.reduce(0) { $0 + $1.writtenCount }
    report.measuredRate = report.seconds > 0 ? Double(frames) / report.seconds : 0
    report.theoreticalRate = StageLimits.theoreticalRate(report.stages, cores: cores)
    report.bottleneck = StageLimits.bottleneck(report)
    report.batchSize = batchSize
    report.meanBatch = runCount > 0 ? Double(runFrameCount) / Double(runCount) : 0
    return report
  }

  private func stream(_ index: Int) -> PipelineReport.Stream {
    let (traffic, depth) = (streams[index], depths[index])
    let source = configuration.sources[index]
    var stream = PipelineReport.Stream(name: source.name)
    stream.state = traffic.machine.state.rawValue
    stream.hasFailed = traffic.hasFailed || traffic.machine.state == .failed
    stream.frames = traffic.writtenCount
    stream.dropped = traffic.lost.mapValues { $0 }
    if depth.dropCount > 0 { stream.dropped[source.effectivePolicy.rawValue] = depth.dropCount }
    stream.errors = traffic.errors.lines.map { $0 }
    stream.reconnects = Dictionary(
      uniqueKeysWithValues: traffic.machine.reconnects.map { ($0.key.rawValue, $0.value) })
    stream.queue.capacity = depth.capacity
    stream.queue.meanDepth = depth.mean
    stream.queue.deepest = depth.deepest
    stream.stages = StageName.allCases.compactMap { name in
      traffic.clocks[name].map {
        stage(name, $0, width: width(name, streams: 1), waits: traffic.machine.isLive)
      }
    }
    stream.latency = PipelineReport.Stage(name: "latency")
    fill(&stream.latency, traffic.latency)
    if let first = traffic.firstDecode, let last = traffic.lastWritten, last > first {
      stream.rate = Double(traffic.writtenCount) / ((last - first) / .seconds(1))
    }
    return stream
  }

  private func width(_ name: StageName, streams: Int) -> Int {
    name == .decode || name == .sink ? streams : workerCount
  }

  private func stage(
    _ name: StageName, _ clock: StageClock, width: Int, waits: Bool
  ) -> PipelineReport.Stage {
    var stage = PipelineReport.Stage(name: name.rawValue)
    fill(&stage, clock.wall)
    stage.cpu = clock.meanCPU
    stage.width = width
    stage.limit = StageLimits.limit(
      mean: stage.mean, cpu: stage.cpu, width: width, cores: cores, waits: name == .decode && waits)
    return stage
  }

  private func fill(_ stage: inout PipelineReport.Stage, _ times: TimeHistogram) {
    stage.frames = times.count
    stage.mean = times.mean
    stage.p50 = times.percentile(0.5)
    stage.p95 = times.percentile(0.95)
  }

  /// A stage of all streams together; nil where no frame passed it.
  private func total(
    _ name: StageName, _ reports: [PipelineReport.Stream]
  ) -> PipelineReport.Stage? {
    var clock = StageClock()
    for stream in streams {
      if let own = stream.clocks[name] { clock.add(own) }
    }
    guard clock.wall.count > 0 else { return nil }
    let own = reports.flatMap(\.stages).filter { $0.name == name.rawValue }
    var stage = self.stage(name, clock, width: width(name, streams: own.count), waits: false)
    if name == .decode || name == .sink {
      stage.limit = StageLimits.limit(of: own.map(\.limit), cpu: stage.cpu, cores: cores)
    }
    return stage
  }
}
