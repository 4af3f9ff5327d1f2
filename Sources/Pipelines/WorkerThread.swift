import Detections
import Imaging
import Runtime

/// Gives one worker frames until there are no more, and hands its results to the streams.
struct WorkerThread {
  private typealias Taken = Batcher<StreamFrame>.Taken

  /// What came of one frame.
  private struct Outcome {
    let prepared: PipelineWorker.Prepared
    var infer: (wall: Duration, cpu: Duration)?
    var postprocess: (wall: Duration, cpu: Duration)?
    var result: StreamResult?
    var error: String?
  }

  let core: PipelineCore
  let worker: PipelineWorker

  func run() {
    warmUp()
    while let batch = next() {
      let prepared = prepare(batch)
      deliver(process(prepared))
    }
    core.traffic.withLock { traffic in
      traffic.endedWorkerCount += 1
      core.traffic.broadcast(PipelineCore.mainCondition)
      core.broadcastWork()
    }
  }

  private func warmUp() {
    var failure: PipelineError?
    do throws(PipelineError) { try worker.warmUp() } catch { failure = error }
    core.traffic.withLock { traffic in
      traffic.warmCount += 1
      traffic.failure = traffic.failure ?? failure
      core.traffic.broadcast(PipelineCore.mainCondition)
    }
  }

  /// Waits for frames; nil: there will be none.
  private func next() -> [Taken]? {
    core.traffic.wait(for: PipelineCore.workCondition) { traffic in
      if traffic.isAborting || traffic.failure != nil { return .done(nil) }
      switch traffic.batcher.start() {
      case .wait: return .wait(until: nil)
      case .finished:
        core.broadcastWork()
        return .done(nil)
      case .batch(let taken):
        signalTaken(taken, traffic)
        return .done(taken)
      }
    }
  }

  /// Wakes the sources that wait for room, and another worker where frames are left.
  private func signalTaken(_ taken: [Taken], _ traffic: borrowing Traffic) {
    for frame in taken { core.traffic.signal(core.sourceCondition(frame.lane)) }
    if traffic.batcher.canStart { core.traffic.signal(PipelineCore.workCondition) }
  }

  // MARK: Preprocessing

  /// Writes the frames of a batch into the input, and those that still come until it leaves.
  private func prepare(_ first: [Taken]) -> [PipelineWorker.Prepared] {
    var prepared: [PipelineWorker.Prepared] = []
    var batch = first
    while true {
      for taken in batch {
        do throws(RuntimeError) {
          prepared.append(try worker.prepare(taken, sample: prepared.count, core))
        } catch {
          lose(taken, error.description)
        }
      }
      guard first.count < worker.batchSize, let more = fill(prepared, first) else { break }
      batch = more
    }
    return prepared
  }

  /// Waits for more frames of a batch that is held open; nil: it leaves.
  private func fill(_ prepared: [PipelineWorker.Prepared], _ first: [Taken]) -> [Taken]? {
    let arrivals = prepared.map(\.taken.arrival) + first.map(\.arrival)
    let oldest = arrivals.min() ?? .zero
    return core.traffic.wait(for: PipelineCore.fillCondition) { traffic in
      let now = core.now
      // Late or aborted batches leave by the same door.
      let moment = traffic.isAborting ? oldest + traffic.batcher.deadline : now
      switch traffic.batcher.fill(prepared.count, oldest: oldest, at: moment) {
      case .wait(let until): return .wait(until: until)
      case .add(let taken):
        signalTaken(taken, traffic)
        return .done(taken)
      case .leave:
        if traffic.batcher.canStart { core.traffic.signal(PipelineCore.workCondition) }
        return .done(nil)
      }
    }
  }

  /// Gives up a frame.
  private func lose(_ taken: Taken, _ error: String) {
    core.traffic.withLock { traffic in
      traffic.streams[taken.lane].lose(.inference)
      traffic.streams[taken.lane].errors.add("frame \(taken.element.number): \(error)")
      pass(nil, taken, &traffic)
    }
  }

  // MARK: Inference and postprocessing

  private func process(_ prepared: [PipelineWorker.Prepared]) -> [Outcome] {
    guard !prepared.isEmpty else { return [] }
    let watch = Stopwatch(core.now)
    do throws(RuntimeError) {
      // Samples without a frame repeat one: what lies there is whatever the last run left.
      for sample in prepared.count..<worker.batchSize {
        _ = try worker.prepare(prepared[0].taken, sample: sample, core)
      }
      try worker.infer()
      let time = watch.split(core.now, over: prepared.count)
      return prepared.enumerated().map { index, prepared in
        outcome(prepared, sample: index, time)
      }
    } catch {
      if prepared.count > 1, error.code == .fault { return prepared.map(processAlone) }
      let message = error.description
      return prepared.map { Outcome(prepared: $0, error: message) }
    }
  }

  /// Runs a frame by itself, in all samples: one of its batch made the run impossible, and the
  /// frames of other streams are not to suffer.
  private func processAlone(_ prepared: PipelineWorker.Prepared) -> Outcome {
    let watch = Stopwatch(core.now)
    do throws(RuntimeError) {
      for sample in 0..<worker.batchSize {
        _ = try worker.prepare(prepared.taken, sample: sample, core)
      }
      try worker.infer()
      return outcome(prepared, sample: 0, watch.split(core.now))
    } catch {
      return Outcome(prepared: prepared, error: error.description)
    }
  }

  private func outcome(
    _ prepared: PipelineWorker.Prepared, sample: Int, _ infer: (wall: Duration, cpu: Duration)
  ) -> Outcome {
    let watch = Stopwatch(core.now)
    let item = prepared.taken.element
    do throws(DetectionError) {
      let objects = try worker.detect(sample: sample, prepared.mapping)
      let detections = FrameDetections(
        stream: core.configuration.sources[prepared.taken.lane].name, frame: item.number,
        timeMs: item.timeMs, width: item.frame.width, height: item.frame.height, objects: objects)
      return Outcome(
        prepared: prepared, infer: infer, postprocess: watch.split(core.now),
        result: StreamResult(detections: detections, frame: item.frame, decoded: item.decoded))
    } catch {
      return Outcome(prepared: prepared, infer: infer, error: error.message)
    }
  }

  // MARK: Results

  private func deliver(_ outcomes: [Outcome]) {
    guard !outcomes.isEmpty else { return }
    core.traffic.withLock { traffic in
      traffic.runCount += 1
      traffic.runFrameCount += outcomes.count
      for outcome in outcomes {
        let taken = outcome.prepared.taken
        traffic.streams[taken.lane].add(.preprocess, outcome.prepared.time)
        if let time = outcome.infer { traffic.streams[taken.lane].add(.infer, time) }
        if let time = outcome.postprocess { traffic.streams[taken.lane].add(.postprocess, time) }
        if outcome.result == nil {
          traffic.streams[taken.lane].lose(traffic.isAborting ? .aborted : .inference)
          if let error = outcome.error, !traffic.isAborting {
            traffic.streams[taken.lane].errors.add("frame \(taken.element.number): \(error)")
          }
        }
        pass(outcome.result, taken, &traffic)
      }
    }
  }

  /// Puts a result, or the place of one that there will not be, into its stream's order.
  private func pass(_ result: StreamResult?, _ taken: Taken, _ traffic: inout Traffic) {
    let ready = traffic.streams[taken.lane].sequencer.insert(result, ticket: taken.ticket)
    traffic.streams[taken.lane].results += ready
    if result == nil {
      traffic.batcher.release(taken.lane)
      core.signalWork(traffic)
    }
    core.traffic.signal(core.sinkCondition(taken.lane))
  }
}
