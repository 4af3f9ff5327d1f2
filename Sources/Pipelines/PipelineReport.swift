/// What a pipeline has done: a plain value, made at its end or in between.
public struct PipelineReport: Sendable, Hashable {
  /// The times of one stage, in milliseconds per frame.
  public struct Stage: Sendable, Hashable {
    /// `decode`, `preprocess`, `infer`, `postprocess` or `sink`.
    public var name: String
    /// The frames that passed it.
    public var frames = 0
    public var mean = 0.0
    public var p50 = 0.0
    public var p95 = 0.0
    /// The processor time of a frame, in milliseconds, which waiting does not add to.
    public var cpu = 0.0
    /// How many frames can be in it at once.
    public var width = 1
    /// Frames per second if nothing else took time: `width` ÷ mean for what waits (a live source);
    /// for what computes, the smaller of `width` and the cores, ÷ `cpu`.
    public var limit = 0.0

    public init(name: String) { self.name = name }
  }

  /// A queue in front of a stage.
  public struct Queue: Sendable, Hashable {
    public var capacity = 0
    /// Frames that waited, on average, when another one came.
    public var meanDepth = 0.0
    /// The most frames that waited.
    public var deepest = 0

    public init() {}
  }

  /// One stream.
  public struct Stream: Sendable, Hashable {
    public var name: String
    /// What became of its source, in the words of `SourceState`.
    public var state = ""
    /// Whether the source has failed: was lost or never reached, or ended in the middle.
    public var hasFailed = false
    /// Frames whose results were written.
    public var frames = 0
    /// Frames that were lost, by reason.
    public var dropped: [String: Int] = [:]
    /// What went wrong, in order, equal ones once with their number.
    public var errors: [String] = []
    /// How often the source was opened again, by reason.
    public var reconnects: [String: Int] = [:]
    /// Its own share of each stage.
    public var stages: [Stage] = []
    public var queue = Queue()
    /// From a frame's decoding to its results' writing, in milliseconds.
    public var latency = Stage(name: "latency")
    /// Frames per second, from its first frame to its last.
    public var rate = 0.0

    public init(name: String) { self.name = name }
  }

  public var streams: [Stream] = []
  /// All streams together.
  public var stages: [Stage] = []
  /// The processors that the process may use.
  public var cores = 1
  /// From the first frame's decoding to the last result's writing, in seconds.
  public var seconds = 0.0
  /// Frames per second of all streams.
  public var measuredRate = 0.0
  /// The smaller of the slowest stage's limit and cores ÷ processor time per frame.
  public var theoreticalRate = 0.0
  /// What limits the rate and what would help, in a sentence.
  public var bottleneck = ""
  /// The mean number of frames in a run of the model; `batchSize` is how many a run takes.
  public var meanBatch = 1.0
  public var batchSize = 1

  public init() {}
}
