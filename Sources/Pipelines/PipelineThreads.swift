/// Starts and ends the threads of a pipeline.
final class PipelineThreads {
  /// How long the thread of a source may take to end once all else has: a name server that does
  /// not answer holds it up, and cannot be interrupted.
  private static let patience = Duration.seconds(2)

  private let core: PipelineCore
  private var workers: [PipelineThread] = []
  private var sinks: [PipelineThread] = []
  private var sources: [PipelineThread] = []

  init(_ core: PipelineCore) { self.core = core }

  /// Starts the workers, and when all of them are warm, everything else.
  ///
  /// - Throws: `threads` or `model`; then nothing runs any more.
  func start() throws(PipelineError) {
    do throws(PipelineError) {
      for worker in core.workers {
        let thread = WorkerThread(core: core, worker: worker)
        workers.append(try PipelineThread("apus-infer") { thread.run() })
      }
      let failure = core.traffic.wait(for: PipelineCore.mainCondition) { [core] traffic in
        traffic.warmCount == core.workers.count ? .done(traffic.failure) : .wait(until: nil)
      }
      if let failure { throw failure }
      for stream in core.configuration.sources.indices {
        let core = core
        sinks.append(
          try PipelineThread("apus-sink") {
            var thread = SinkThread(core, stream: stream)
            thread.run()
          })
        sources.append(
          try PipelineThread("apus-decode") {
            var thread = SourceThread(core, stream: stream)
            thread.run()
          })
      }
    } catch {
      core.abort()
      for thread in workers + sinks + sources { thread.join() }
      throw error
    }
  }

  /// Waits for the end of all threads.
  func join() {
    for thread in workers + sinks { thread.join() }
    for (stream, thread) in sources.enumerated() {
      let limit = core.now + PipelineThreads.patience
      let hasEnded = core.traffic.wait(for: PipelineCore.mainCondition) { [core] traffic in
        if traffic.streams[stream].isSourceDone { return .done(true) }
        return core.now < limit ? .wait(until: limit) : .done(false)
      }
      if hasEnded { thread.join() } else { thread.leave() }
    }
  }
}

/// Looks at the time while a pipeline runs: silent sources, reports that are due, the end.
struct PipelineClock {
  /// How often sources are looked at that can hang.
  private static let watch = Duration.milliseconds(200)

  private let core: PipelineCore
  private let interval: Duration
  private let end: Duration?
  private let isWatching: Bool
  private var nextReport: Duration
  private(set) var isReportDue = false

  init(_ core: PipelineCore, duration: Duration?, interval: Duration) {
    self.core = core
    self.interval = max(interval, .milliseconds(10))
    let now = core.now
    end = duration.map { now + $0 }
    nextReport = now + self.interval
    isWatching = core.configuration.sources.contains(where: \.isNetwork)
  }

  /// Waits until something is due; true: all streams are done.
  mutating func wait() -> Bool {
    var until = nextReport
    if isWatching { until = min(until, core.now + PipelineClock.watch) }
    if let end, end > core.now { until = min(until, end) }
    let isDone = core.traffic.wait(for: PipelineCore.mainCondition) { [core] traffic in
      let isDone = traffic.isAborting || traffic.streams.allSatisfy(\.isSinkDone)
      if isDone || core.now >= until { return .done(isDone) }
      return .wait(until: until)
    }
    let now = core.now
    if let end, now >= end { core.stop() }
    if isWatching { core.checkSources() }
    isReportDue = now >= nextReport
    while nextReport <= now { nextReport += interval }
    return isDone
  }
}
