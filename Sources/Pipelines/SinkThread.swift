import Imaging

/// Writes the results of one stream, in order.
struct SinkThread {
  private enum Step {
    case write(StreamResult)
    /// All is written.
    case finish
    case abort
  }

  let core: PipelineCore
  let stream: Int
  private var sinks: [any ResultSink] = []
  private var isOpen = false
  private var hasFailed = false

  init(_ core: PipelineCore, stream: Int) {
    self.core = core
    self.stream = stream
  }

  mutating func run() {
    var step = next()
    while case .write(let result) = step {
      write(result)
      step = next()
    }
    if case .finish = step { finish() }
    sinks = []
    core.traffic.withLock { traffic in
      traffic.streams[stream].isSinkDone = true
      core.traffic.broadcast(PipelineCore.mainCondition)
    }
  }

  private func next() -> Step {
    core.traffic.wait(for: core.sinkCondition(stream)) { traffic in
      if traffic.isAborting { return .done(.abort) }
      guard traffic.streams[stream].results.isEmpty else {
        return .done(.write(traffic.streams[stream].results.removeFirst()))
      }
      let isDone = traffic.streams[stream].isSourceDone && traffic.batcher.isDrained(stream)
      return isDone ? .done(.finish) : .wait(until: nil)
    }
  }

  private mutating func write(_ result: StreamResult) {
    open()
    let watch = Stopwatch(core.now)
    if !hasFailed {
      for (index, sink) in sinks.enumerated() {
        do throws(PipelineError) {
          try sink.take(result.detections, result.frame)
        } catch {
          // The others keep what they have; this one is dropped, and its file with it.
          sinks.remove(at: index)
          fail(error)
          break
        }
      }
    }
    let now = core.now
    let time = watch.split(now)
    core.traffic.withLock { traffic in
      if hasFailed {
        traffic.streams[stream].lose(.sink)
      } else {
        traffic.streams[stream].add(.sink, time)
        traffic.streams[stream].latency.add(now - result.decoded)
        traffic.streams[stream].writtenCount += 1
        traffic.streams[stream].lastWritten = now
      }
      traffic.batcher.release(stream)
      core.signalWork(traffic)
    }
  }

  private mutating func open() {
    guard !isOpen else { return }
    isOpen = true
    let rate = core.traffic.withLock { $0.streams[stream].rate }
    let name = core.configuration.sources[stream].name
    for sink in core.configuration.sinks {
      do throws(PipelineError) {
        sinks.append(try core.openSink(sink, name, rate))
      } catch {
        return fail(error)
      }
    }
  }

  /// Completes the files; a source that was reached and had no frames leaves empty ones.
  private mutating func finish() {
    let wasReached = core.traffic.withLock { $0.streams[stream].machine.wasReached }
    if wasReached { open() }
    for sink in sinks {
      do throws(PipelineError) { try sink.finish() } catch { fail(error) }
    }
  }

  private mutating func fail(_ error: PipelineError) {
    hasFailed = true
    let interruption = core.traffic.withLock { traffic in
      core.fail(stream, error.description, &traffic)
      return traffic.streams[stream].interruption
    }
    interruption?.interrupt()
  }
}
