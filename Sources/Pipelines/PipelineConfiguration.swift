/// What a pipeline does: one model, the sources of its frames, and where results go.
///
/// Paths are as the program uses them: those of a file are made relative to that file's folder when
/// it is read.
public struct PipelineConfiguration: Sendable, Hashable {
  /// What happens to a frame that finds its queue full.
  public enum OverflowPolicy: String, Sendable, Hashable, CaseIterable {
    /// The source waits.
    case block
    /// The oldest waiting frame goes.
    case dropOldest = "drop-oldest"
    /// The new frame goes.
    case dropNewest = "drop-newest"
    /// All waiting frames go: only the newest is kept.
    case latest
  }

  /// How fast a file is read.
  public enum Pace: String, Sendable, Hashable, CaseIterable {
    /// As fast as the pipeline takes its frames.
    case fastest
    /// As its time stamps say.
    case realTime = "real-time"
  }

  /// One source of frames.
  public struct Source: Sendable, Hashable {
    /// The name of its stream; unique, and usable as part of a file name.
    public var name: String
    /// A video file, a folder of pictures, or an address.
    public var url: String
    /// Begins again at its end.
    public var loops = false
    public var pace = Pace.fastest
    /// Nil: `block` for what has an end, `dropOldest` for live sources.
    public var policy: OverflowPolicy?
    /// The most frames that wait for inference.
    public var capacity = 4
    /// How long the first connection may take, in seconds.
    public var connectTimeout = 10.0
    /// How long a live source may deliver nothing until it counts as lost, in seconds.
    public var silence = 5.0
    /// Connects again whenever a live source is lost. Nil: yes, once it has been reached.
    public var reconnects: Bool?

    public init(name: String, url: String) {
      self.name = name
      self.url = url
    }
  }

  /// One way in which the results of every stream are written.
  public struct Sink: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
      /// JSON Lines, one per frame.
      case jsonl
      /// The frames with their objects drawn, as one video.
      case mp4
      /// The frames with their objects drawn, one picture each.
      case images
    }

    public var kind: Kind
    /// Where to; `{stream}` stands for the name of the stream.
    public var path: String

    public init(_ kind: Kind, path: String) {
      self.kind = kind
      self.path = path
    }
  }

  /// The model file.
  public var model: String
  /// The threads that preprocess, infer and postprocess; nil: what the process may use.
  public var threads: Int?
  /// How long a frame waits for others to fill its batch, in milliseconds.
  public var batchDeadline = 20.0
  public var sources: [Source]
  public var sinks: [Sink]

  public init(model: String, sources: [Source], sinks: [Sink] = []) {
    self.model = model
    self.sources = sources
    self.sinks = sinks
  }
}
