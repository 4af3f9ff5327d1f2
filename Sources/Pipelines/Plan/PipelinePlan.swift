// What a pipeline will need, before it starts. Memory is the sum of
//
//   weights      mapped from the model file, shared by all sessions
//   sessions     one per worker: intermediate results, scratch, inputs and outputs
//   frames       per stream: what the decoder keeps for reference, the queue, and those in flight
//   sinks        per stream: buffers of files, frames that an encoder looks ahead at
//   program      what the process holds already, and the stacks of its threads
//
// Handles and threads are counted per stream in the same way. What does not fit is refused with
// the number of streams that does.

/// What a pipeline needs, and what there is.
public struct PipelinePlan: Sendable, Hashable {
  /// One stream's needs.
  public struct Stream: Sendable, Hashable {
    public var name: String
    /// What it is, e.g. `h264 1920x1080, 25 fps`.
    public var source = ""
    /// Whether the size of its frames is a guess, because it is not known before it is opened.
    public var isAssumed = false
    public var frameByteCount = 0
    /// Frames that the decoder, the queue and the workers hold at once.
    public var frameCount = 0
    public var sinkByteCount = 0
    public var handleCount = 0
    public var threadCount = 0
    /// Processor time of decoding a frame, in milliseconds; nil where it was not measured.
    public var decode: Double?
    /// The same for preprocessing.
    public var preprocess: Double?
    /// Frames per second that it delivers by itself; nil: as many as are taken.
    public var rate: Double?

    public init(name: String) { self.name = name }

    /// In bytes.
    public var memory: Int { frameByteCount * frameCount + sinkByteCount }
  }

  /// What is needed whatever the number of streams.
  public struct Base: Sendable, Hashable {
    public var weightByteCount = 0
    public var sessionByteCount = 0
    /// Sessions, each with a thread.
    public var workerCount = 1
    /// Held by the process already, in bytes.
    public var memory = 0
    /// Open already, and for a short time while the pipeline starts.
    public var handleCount = 0
    public var threadCount = 0
    /// Frames in a run of the model.
    public var batchSize = 1
    /// Processor time of a run of the model, in milliseconds; nil where it was not measured.
    public var run: Double?

    public init() {}
  }

  public var base: Base
  public var streams: [Stream]
  public var limits: ResourceLimits

  public init(base: Base, streams: [Stream], limits: ResourceLimits) {
    self.base = base
    self.streams = streams
    self.limits = limits
  }

  // MARK: Needs

  /// The bytes of memory by kind, for the first `count` streams.
  public func memory(streams count: Int) -> [(kind: String, byteCount: Int)] {
    let part = streams.prefix(count)
    let threads = self.threads(streams: count)
    return [
      ("weights", base.weightByteCount),
      ("sessions", base.sessionByteCount * base.workerCount),
      ("frames", part.reduce(0) { $0 + $1.frameByteCount * $1.frameCount }),
      ("sinks", part.reduce(0) { $0 + $1.sinkByteCount }),
      ("program", base.memory + threads * limits.threadByteCount),
    ]
  }

  /// All memory for the first `count` streams, in bytes.
  public func totalMemory(streams count: Int) -> Int {
    memory(streams: count).reduce(0) { $0 + $1.byteCount }
  }

  /// The file handles for the first `count` streams.
  public func handles(streams count: Int) -> Int {
    base.handleCount + streams.prefix(count).reduce(0) { $0 + $1.handleCount }
  }

  /// The threads for the first `count` streams.
  public func threads(streams count: Int) -> Int {
    base.threadCount + base.workerCount + streams.prefix(count).reduce(0) { $0 + $1.threadCount }
  }

  // MARK: Verdict

  /// Says whether the first `count` streams fit within a limit; nil: everything is allowed.
  private func fits(_ need: Int, _ available: Int?) -> Bool {
    available.map { need <= $0 } ?? true
  }

  /// The largest number of streams, from the first, that a need allows.
  private func fitting(_ need: (Int) -> Int, _ available: Int?) -> Int {
    for count in stride(from: streams.count, through: 0, by: -1)
    where fits(need(count), available) {
      return count
    }
    return 0
  }

  /// How many of the streams fit, from the first.
  public var fittingStreamCount: Int {
    min(
      fitting(totalMemory, limits.memory), fitting(handles, limits.handles),
      fitting(threads, limits.threads))
  }

  /// Refuses what does not fit.
  ///
  /// - Throws: `memory`, `handles` or `threads`, with what is needed, the limit, the number of
  ///   streams that fit, and the remedy.
  public func check() throws(PipelineError) {
    let count = streams.count
    if !fits(totalMemory(streams: count), limits.memory) {
      throw refusal(.memory, memoryText(count), fitting(totalMemory, limits.memory), memoryRemedy)
    }
    if !fits(handles(streams: count), limits.handles) {
      let limit = limits.handles ?? 0
      let need = handles(streams: count)
      let text =
        "\(streamsText(count)) need \(need) file handles (\(base.handleCount) of them without "
        + "any stream); the limit is \(limit) (\(limits.handlesOrigin))"
      throw refusal(
        .handles, text, fitting(handles, limits.handles),
        "raise it with `ulimit -Hn \(need)`, or LimitNOFILE=\(need) of a systemd service")
    }
    if !fits(threads(streams: count), limits.threads) {
      let text =
        "\(streamsText(count)) need \(threads(streams: count)) threads; the system allows "
        + "\(limits.threads ?? 0) more (\(limits.threadsOrigin))"
      throw refusal(
        .threads, text, fitting(threads, limits.threads),
        "raise it (ulimit -u, or pids.max of the control group)")
    }
  }

  private func streamsText(_ count: Int) -> String { count == 1 ? "1 stream" : "\(count) streams" }

  private func refusal(
    _ code: PipelineError.Code, _ text: String, _ fitting: Int, _ remedy: String
  ) -> PipelineError {
    let rest =
      fitting == 0
      ? "not even one stream fits" : "\(fitting) \(fitting == 1 ? "stream fits" : "streams fit")"
    return PipelineError(code, "\(text); \(rest). Use fewer streams, or \(remedy).")
  }
}
