import Detections
import Imaging

/// A decoded frame on its way.
struct StreamFrame: Sendable {
  let frame: Frame
  /// Its number among all frames that its source has decoded.
  let number: Int
  /// In milliseconds, rising however often the source begins again.
  let timeMs: Double?
  /// When it was decoded.
  let decoded: Duration
}

/// What was found in a frame.
struct StreamResult: Sendable {
  let detections: FrameDetections
  let frame: Frame
  let decoded: Duration
}

/// The times of one stage.
struct StageClock: Sendable {
  private(set) var wall = TimeHistogram()
  private(set) var cpu = Duration.zero

  mutating func add(wall: Duration, cpu: Duration) {
    self.wall.add(wall)
    self.cpu += cpu
  }

  mutating func add(_ other: StageClock) {
    wall.add(other.wall)
    cpu += other.cpu
  }

  /// Milliseconds of processor time per frame.
  var meanCPU: Double { wall.count == 0 ? 0 : cpu / .milliseconds(1) / Double(wall.count) }
}

/// Where a piece of work has begun, by both clocks.
struct Stopwatch {
  private let wall: Duration
  private let cpu: Duration

  init(_ now: Duration) {
    wall = now
    cpu = PipelineThread.processorTime
  }

  /// The times since then, for each of `count` frames that were worked on together.
  func split(_ now: Duration, over count: Int = 1) -> (wall: Duration, cpu: Duration) {
    ((now - wall) / count, (PipelineThread.processorTime - cpu) / count)
  }
}

/// What went wrong in a stream: in order, equal messages once with their number.
struct ErrorTally: Sendable {
  private static let limit = 50
  private var messages: [String] = []
  private var counts: [String: Int] = [:]
  private var others = 0

  mutating func add(_ message: String) {
    if counts[message] == nil {
      guard messages.count < ErrorTally.limit else {
        others += 1
        return
      }
      messages.append(message)
    }
    counts[message, default: 0] += 1
  }

  var lines: [String] {
    let lines = messages.map { message in
      let count = counts[message] ?? 1
      return count == 1 ? message : "\(message) (\(count) times)"
    }
    return others == 0 ? lines : lines + ["and \(others) more"]
  }
}

/// Why a frame was lost, but for those that the policy of a queue drops, which are counted under
/// the name of the policy.
enum FrameLoss: String {
  /// The model or its postprocessing failed on it.
  case inference
  /// A sink of its stream had failed.
  case sink
  /// The pipeline was ended at once.
  case aborted
}

/// The stages of a frame, in order.
enum StageName: String, CaseIterable {
  case decode, preprocess, infer, postprocess, sink
}

/// One stream as all threads see it.
struct StreamTraffic {
  var machine: SourceMachine
  var sequencer = Sequencer<StreamResult>()
  /// In order, waiting for the sinks.
  var results: [StreamResult] = []
  var interruption: (any StreamInterruption)?
  var rate: FrameRate?
  /// The source's thread has nothing more to do.
  var isSourceDone = false
  /// The sinks' thread has nothing more to do.
  var isSinkDone = false
  /// A sink has failed.
  var hasFailed = false

  var clocks: [StageName: StageClock] = [:]
  var latency = TimeHistogram()
  var lost: [String: Int] = [:]
  var errors = ErrorTally()
  var firstDecode: Duration?
  var lastWritten: Duration?
  var writtenCount = 0

  mutating func add(_ stage: StageName, _ time: (wall: Duration, cpu: Duration)) {
    clocks[stage, default: StageClock()].add(wall: time.wall, cpu: time.cpu)
  }

  mutating func lose(_ reason: FrameLoss, _ count: Int = 1) {
    if count > 0 { lost[reason.rawValue, default: 0] += count }
  }
}

/// Everything that the threads of a pipeline share.
struct Traffic {
  var batcher: Batcher<StreamFrame>
  var streams: [StreamTraffic] = []
  var isStopping = false
  var isAborting = false
  /// Workers that have run the model once, and those that have ended.
  var warmCount = 0
  var endedWorkerCount = 0
  /// Runs of the model, and the frames in them.
  var runCount = 0
  var runFrameCount = 0
  /// What ends the whole pipeline.
  var failure: PipelineError?
}
