import Detections
import Imaging
import Runtime

/// What the threads of a running pipeline hold in common: the traffic and the ways to wake each
/// other.
///
/// Conditions: 0 is for the thread that called `run`, 1 for workers without a batch, 2 for the one
/// that holds a batch open; then one for each source and each stream's sinks.
final class PipelineCore: Sendable {
  static let mainCondition = 0
  static let workCondition = 1
  static let fillCondition = 2

  let configuration: PipelineConfiguration
  let traffic: Monitor<Traffic>
  let workers: [PipelineWorker]
  let opener: any StreamOpener
  let openSink: Pipeline.SinkOpener

  init(
    _ configuration: PipelineConfiguration, batchSize: Int, workers: [PipelineWorker],
    opener: any StreamOpener, openSink: @escaping Pipeline.SinkOpener
  ) throws(PipelineError) {
    self.configuration = configuration
    self.workers = workers
    self.opener = opener
    self.openSink = openSink
    var traffic = Traffic(
      batcher: Batcher(
        batchSize: batchSize, deadline: .milliseconds(1) * configuration.batchDeadline))
    for (index, source) in configuration.sources.enumerated() {
      // Enough for every worker to be busy with one stream alone, and some results that wait.
      let lane = traffic.batcher.addLane(
        source.effectivePolicy, capacity: source.capacity,
        limit: PipelineCore.outstandingLimit(workers: workers.count, batchSize: batchSize))
      precondition(lane == index, "lanes are numbered as streams")
      traffic.streams.append(
        StreamTraffic(machine: SourceMachine(source.rules, seed: UInt64(index) &+ 1)))
    }
    self.traffic = try Monitor(traffic, conditions: 3 + 2 * configuration.sources.count)
  }

  /// The results of a stream that may wait for its sinks while all workers are busy with others.
  private static let waitingResults = 4

  /// The most frames of a stream that have left its queue and are not written.
  static func outstandingLimit(workers: Int, batchSize: Int) -> Int {
    workers * batchSize + waitingResults
  }

  func sourceCondition(_ stream: Int) -> Int { 3 + 2 * stream }
  func sinkCondition(_ stream: Int) -> Int { 4 + 2 * stream }

  var now: Duration { traffic.now }

  // MARK: Under the lock

  /// Wakes whoever can use frames that have become available.
  func signalWork(_ traffic: borrowing Traffic) {
    if traffic.batcher.isFilling { self.traffic.signal(PipelineCore.fillCondition) }
    if traffic.batcher.canStart { self.traffic.signal(PipelineCore.workCondition) }
  }

  /// Wakes all workers: the last frame may have come.
  func broadcastWork() {
    traffic.broadcast(PipelineCore.workCondition)
    traffic.broadcast(PipelineCore.fillCondition)
  }

  /// Ends a stream because something after its source has failed.
  func fail(_ stream: Int, _ message: String, _ traffic: inout Traffic) {
    traffic.streams[stream].errors.add(message)
    traffic.streams[stream].hasFailed = true
    traffic.streams[stream].machine.stop(hasFailed: true)
    traffic.streams[stream].lose(.sink, traffic.batcher.discard(stream))
    self.traffic.signal(sourceCondition(stream))
    // The frames that are gone may have been the last.
    broadcastWork()
  }

  // MARK: Ending

  /// Ends all sources; what they have delivered goes its way to the end.
  func stop() {
    let interruptions = traffic.withLock { traffic in
      traffic.isStopping = true
      return endSources(&traffic)
    }
    for interruption in interruptions { interruption.interrupt() }
  }

  /// Ends everything at once.
  func abort() {
    let interruptions = traffic.withLock { traffic in
      traffic.isStopping = true
      traffic.isAborting = true
      for index in traffic.streams.indices {
        let waiting = traffic.batcher.discard(index) + traffic.streams[index].results.count
        traffic.streams[index].lose(.aborted, waiting)
        traffic.streams[index].results = []
        self.traffic.broadcast(sinkCondition(index))
      }
      broadcastWork()
      return endSources(&traffic)
    }
    for interruption in interruptions { interruption.interrupt() }
    for worker in workers { worker.cancel() }
  }

  private func endSources(_ traffic: inout Traffic) -> [any StreamInterruption] {
    for index in traffic.streams.indices {
      traffic.streams[index].machine.stop()
      self.traffic.broadcast(sourceCondition(index))
    }
    self.traffic.broadcast(PipelineCore.mainCondition)
    return traffic.streams.compactMap(\.interruption)
  }

  /// Interrupts the calls of sources that have been silent for too long.
  func checkSources() {
    let hanging = traffic.withLock { traffic in
      traffic.streams.indices.compactMap { index in
        traffic.streams[index].machine.check(at: now) ? traffic.streams[index].interruption : nil
      }
    }
    for interruption in hanging { interruption.interrupt() }
  }
}

extension PipelineConfiguration.Source {
  /// The policy that holds: by the kind of the source where none is given.
  var effectivePolicy: PipelineConfiguration.OverflowPolicy {
    policy ?? (isNetwork ? .dropOldest : .block)
  }

  var rules: SourceMachine.Rules {
    var rules = SourceMachine.Rules()
    rules.isNetwork = isNetwork
    rules.loops = loops
    rules.reconnects = reconnects
    rules.connectTimeout = .milliseconds(1000) * connectTimeout
    rules.silence = .milliseconds(1000) * silence
    return rules
  }
}
