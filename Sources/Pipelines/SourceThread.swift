import Imaging

/// Opens, reads and closes one source as its machine commands.
struct SourceThread {
  let core: PipelineCore
  let stream: Int
  private let source: PipelineConfiguration.Source
  private var decoder: (any StreamDecoder)?
  private var timeline = Timeline()
  private var pacer = Pacer()
  private var frameCount = 0
  private var lastFrame = Duration.zero

  init(_ core: PipelineCore, stream: Int) {
    self.core = core
    self.stream = stream
    source = core.configuration.sources[stream]
  }

  mutating func run() {
    var command = withStream { $0.machine.command }
    while command != .finish {
      switch command {
      case .open(let limit): command = open(within: limit)
      case .read: command = read()
      case .rewind: command = rewind()
      case .close:
        close()
        command = report(.closed)
      case .wait(let until): command = wait(until: until)
      case .finish: break
      }
    }
    close()
    core.traffic.withLock { traffic in
      traffic.streams[stream].isSourceDone = true
      traffic.batcher.close(stream)
      core.broadcastWork()
      core.traffic.broadcast(core.sinkCondition(stream))
      core.traffic.broadcast(PipelineCore.mainCondition)
    }
  }

  // MARK: Commands

  private mutating func open(within limit: Duration) -> SourceMachine.Command {
    let interruption = core.opener.interruption()
    let isWanted = withStream { stream in
      stream.interruption = interruption
      stream.machine.begin(at: core.now)
      return stream.machine.command != .finish
    }
    guard isWanted else { return .finish }
    do throws(ImagingError) {
      let opened = try core.opener.open(
        source, within: limit, silence: .milliseconds(1000) * source.silence, interruption)
      decoder = opened
      if frameCount > 0 { timeline.beginAgain(after: (core.now - lastFrame) / .milliseconds(1)) }
      let rate = opened.rate
      withStream { $0.rate = rate }
      return report(.opened(isLive: opened.isLive))
    } catch {
      return report(error)
    }
  }

  private mutating func read() -> SourceMachine.Command {
    guard let decoder else {
      return report(ImagingError(.mediaLibrary, "the source is not open", place: source.url))
    }
    let watch = Stopwatch(core.now)
    let began = core.now
    withStream { stream in
      stream.machine.begin(at: began)
      if stream.firstDecode == nil { stream.firstDecode = began }
    }
    do throws(ImagingError) {
      guard let frame = try decoder.next() else { return end() }
      let now = core.now
      let time = watch.split(now)
      let number = frameCount
      frameCount += 1
      lastFrame = now
      let command = core.traffic.withLock { traffic in
        traffic.streams[stream].add(.decode, time)
        return traffic.streams[stream].machine.handle(.frame, at: now)
      }
      let item = StreamFrame(
        frame: frame, number: number, timeMs: timeline.place(frame.timeMs), decoded: now)
      if source.pace == .realTime, command != .finish { keepPace(item) }
      return deliver(item)
    } catch {
      return report(error)
    }
  }

  private mutating func rewind() -> SourceMachine.Command {
    do throws(ImagingError) {
      try decoder?.rewind()
      timeline.beginAgain()
      return report(.rewound)
    } catch {
      return report(error)
    }
  }

  private mutating func close() {
    guard let closing = decoder else { return }
    if let damage = closing.damage { withStream { $0.errors.add(damage) } }
    withStream { $0.interruption = nil }
    decoder = nil
  }

  private func wait(until: Duration) -> SourceMachine.Command {
    core.traffic.wait(for: core.sourceCondition(stream)) { traffic in
      let command = traffic.streams[stream].machine.handle(.waited, at: core.now)
      return command == .wait(until: until) ? .wait(until: until) : .done(command)
    }
  }

  // MARK: Frames

  /// Waits until a frame of a file that is read in real time is due.
  private mutating func keepPace(_ item: StreamFrame) {
    guard let time = item.timeMs else { return }
    let due = pacer.due(time, at: core.now)
    core.traffic.wait(for: core.sourceCondition(stream)) { traffic in
      core.now >= due || traffic.streams[stream].machine.command == .finish
        ? .done(()) : .wait(until: due)
    }
  }

  /// Hands a frame to the workers, waiting for room where the policy says so.
  private func deliver(_ item: StreamFrame) -> SourceMachine.Command {
    core.traffic.wait(for: core.sourceCondition(stream)) { traffic in
      if traffic.isAborting || traffic.streams[stream].hasFailed {
        traffic.streams[stream].lose(traffic.isAborting ? .aborted : .sink)
        return .done(.finish)
      }
      switch traffic.batcher.offer(item, to: stream, at: core.now) {
      case .full: return .wait(until: nil)
      case .accepted:
        core.signalWork(traffic)
        return .done(traffic.streams[stream].machine.command)
      }
    }
  }

  // MARK: Events

  private func report(_ event: SourceMachine.Event) -> SourceMachine.Command {
    withStream { $0.machine.handle(event, at: core.now) }
  }

  /// Reports the end of what there is to read.
  private func end() -> SourceMachine.Command {
    withStream { stream in
      let isOver = stream.machine.state.isFinal
      let command = stream.machine.handle(.end, at: core.now)
      switch stream.machine.state {
      case .broken: stream.errors.add("the stream ended")
      case .failed where !isOver: stream.errors.add("there is no frame to begin again with")
      default: break
      }
      return command
    }
  }

  /// Reports a fault; it is an error of the stream unless somebody wanted the source to end.
  private func report(_ error: ImagingError) -> SourceMachine.Command {
    let fault = SourceMachine.Fault(error)
    return withStream { stream in
      if !stream.machine.state.isFinal {
        stream.errors.add(stream.machine.state == .silent ? silence : fault.message)
      }
      return stream.machine.handle(.fault(fault), at: core.now)
    }
  }

  private var silence: String {
    "delivered nothing for \(Int(source.silence.rounded())) s: taken as lost"
  }

  @discardableResult
  private func withStream<Result>(_ body: (inout StreamTraffic) -> Result) -> Result {
    core.traffic.withLock { body(&$0.streams[stream]) }
  }
}

extension SourceMachine.Fault {
  init(_ error: ImagingError) {
    let kind: Kind =
      switch error.code {
      case .notFound, .connection: .refused
      case .timedOut: .timedOut
      case .interrupted: .interrupted
      case .mediaLibrary: .permanent
      default: .broken
      }
    self.init(kind: kind, message: error.description)
  }
}
