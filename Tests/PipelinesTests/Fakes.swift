// Sources, a model and sinks small enough to see through, for tests of the engine.

import Detections
import Imaging
import Instructions
import ModelFile
import Planner
import Runtime
import Tensors

@testable import Pipelines

#if canImport(Glibc)
  import Glibc
#endif

/// What a made-up source does.
struct Script: Sendable {
  var frames = 10
  var isLive = false
  /// What comes after the last frame; nil: the end.
  var fault: ImagingError.Code?
  /// Hangs after the last frame until it is interrupted.
  var hangs = false
  /// Opening fails.
  var refusal: ImagingError.Code?
  /// The time that a frame takes, in milliseconds.
  var pause = 0.0
}

/// Opens made-up sources by the scripts of their names: one for each opening, the last again and
/// again.
final class FakeOpener: StreamOpener {
  private let scripts: [String: [Script]]
  private let openings: Monitor<[String: Int]>?

  init(_ scripts: [String: [Script]]) {
    self.scripts = scripts
    openings = try? Monitor([:], conditions: 0)
  }

  func count(_ name: String) -> Int { openings?.withLock { $0[name] ?? 0 } ?? 0 }

  func interruption() -> any StreamInterruption { FakeInterruption() }

  func open(
    _ source: PipelineConfiguration.Source, within limit: Duration, silence: Duration,
    _ interruption: any StreamInterruption
  ) throws(ImagingError) -> any StreamDecoder {
    let all = scripts[source.name] ?? [Script()]
    let count =
      openings?.withLock { openings in
        openings[source.name, default: 0] += 1
        return openings[source.name] ?? 1
      } ?? 1
    let script = all[min(count, all.count) - 1]
    if let refusal = script.refusal {
      throw ImagingError(refusal, "nobody answers", place: source.url)
    }
    let stream = UInt8(source.name.utf8.last ?? 0)
    return FakeDecoder(script, stream: stream, interruption as? FakeInterruption)
  }
}

/// Lets a hanging decoder go.
final class FakeInterruption: StreamInterruption {
  private let state = try? Monitor(false, conditions: 1)

  func interrupt() {
    state?.withLock { isInterrupted in
      isInterrupted = true
      state?.broadcast(0)
    }
  }

  func wait() {
    state?.wait(for: 0) { $0 ? .done(()) : .wait(until: nil) }
  }
}

/// Makes frames of 4 x 1 samples: their stream, their number in two bytes, and 240.
final class FakeDecoder: StreamDecoder {
  private let script: Script
  private let stream: UInt8
  private let interruption: FakeInterruption?
  private var number = 0
  private var passCount = 0

  init(_ script: Script, stream: UInt8, _ interruption: FakeInterruption?) {
    self.script = script
    self.stream = stream
    self.interruption = interruption
  }

  var isLive: Bool { script.isLive }
  var rate: FrameRate? { FrameRate(25) }
  var damage: String? { nil }

  func next() throws(ImagingError) -> Frame? {
    if script.pause > 0 { usleep(UInt32(script.pause * 1000)) }
    guard number < script.frames else {
      if script.hangs {
        interruption?.wait()
        throw ImagingError(.interrupted, "was interrupted")
      }
      if let fault = script.fault { throw ImagingError(fault, "it broke in the middle") }
      return nil
    }
    defer { number += 1 }
    let all = passCount * script.frames + number
    return try Frame(
      copying: [stream, UInt8(all & 255), UInt8(all >> 8 & 255), 240], .gray8, width: 4, height: 1,
      timeMs: Double(number) * 40)
  }

  func rewind() throws(ImagingError) {
    number = 0
    passCount += 1
  }
}

/// A model whose scores are the four samples of a frame.
enum FakeModel {
  static func make(batch: Int = 1) throws -> Model {
    var program = Program()
    program.tensors = [
      TensorSpec(name: "x", type: .float32, shape: [batch, 1, 1, 4]),
      TensorSpec(name: "y", type: .float32, shape: [batch, 4]),
    ]
    program.instructions = [
      Copy(
        Operand(0), to: Operand(1), extents: [batch, 4], sourceStrides: [4, 1],
        targetStrides: [4, 1])
    ]
    program.origins = ["copy"]
    program.inputs = [
      .init(name: "x", type: .float32, shape: [batch, 1, 1, 4], operand: Operand(0))
    ]
    program.outputs = [.init(name: "y", type: .float32, shape: [batch, 4], operand: Operand(1))]
    try MemoryPlanner.plan(&program)
    var contents = ModelContents()
    contents.add(program, constants: [:], precision: "fp32", operationCount: 1)
    return try Model(contents)
  }

  /// A model of the same scores that cannot be run on samples from 250 on: each is looked up in a
  /// table of 250 numbers.
  static func makeFussy(batch: Int) throws -> Model {
    var program = Program()
    program.tensors = [
      TensorSpec(name: "x", type: .float32, shape: [batch, 1, 1, 4]),
      TensorSpec(name: "i", type: .int64, shape: [batch, 1, 1, 4]),
      TensorSpec(name: "t", type: .float32, shape: [250], storage: .constant(offset: 0)),
      TensorSpec(name: "y", type: .float32, shape: [batch, 4]),
    ]
    program.instructions = [
      Cast(Operand(0), to: Operand(1)),
      GatherSlices(Operand(2), at: Operand(1), axis: 0, to: Operand(3)),
    ]
    program.origins = ["cast", "gather"]
    program.inputs = [
      .init(name: "x", type: .float32, shape: [batch, 1, 1, 4], operand: Operand(0))
    ]
    program.outputs = [.init(name: "y", type: .float32, shape: [batch, 4], operand: Operand(3))]
    try MemoryPlanner.plan(&program)
    var contents = ModelContents()
    contents.add(
      program, constants: [Operand(2): TensorBuffer([250], (0..<250).map { Float($0) })],
      precision: "fp32", operationCount: 1)
    return try Model(contents)
  }

  static func processing() throws -> Processing {
    Processing(
      inputs: [.init(name: "x", text: "size=4x1,channel-order=gray")],
      postprocessing: try Postprocessing(parsing: "classification").serialised)
  }

  /// The samples of the frame that a result was found in.
  static func samples(_ result: FrameDetections) -> [UInt8] {
    var samples = [UInt8](repeating: 0, count: 4)
    for object in result.objects where (0..<4).contains(object.classIndex) {
      samples[object.classIndex] = UInt8(clamping: Int(object.score))
    }
    return samples
  }
}

/// What sinks were given, by stream.
///
/// Kept under the room's own lock: the thread sanitiser does not know that of Synchronization.
final class Ledger: Sendable {
  struct Entry: Sendable {
    var results: [FrameDetections] = []
    var isFinished = false
  }

  private let entries: Monitor<[String: Entry]>?

  init() { entries = try? Monitor([:], conditions: 0) }

  subscript(_ stream: String) -> Entry {
    entries?.withLock { $0[stream] ?? Entry() } ?? Entry()
  }

  fileprivate func change(_ stream: String, _ body: (inout Entry) -> Void) {
    entries?.withLock { body(&$0[stream, default: Entry()]) }
  }

  /// Opens sinks that write down what they get.
  ///
  /// - Parameters:
  ///   - pause: the time that a frame takes, in milliseconds, by stream.
  ///   - failing: the number of the frame, by stream, that cannot be written.
  func opener(
    pause: [String: Double] = [:], failing: [String: Int] = [:]
  ) -> Pipeline.SinkOpener {
    { [self] (_, stream, _) throws(PipelineError) -> any ResultSink in
      LedgerSink(self, stream, pause: pause[stream] ?? 0, failing: failing[stream])
    }
  }
}

private final class LedgerSink: ResultSink {
  private let ledger: Ledger
  private let stream: String
  private let pause: Double
  private let failing: Int?

  init(_ ledger: Ledger, _ stream: String, pause: Double, failing: Int?) {
    self.ledger = ledger
    self.stream = stream
    self.pause = pause
    self.failing = failing
  }

  func take(_ result: FrameDetections, _ frame: Frame) throws(PipelineError) {
    if pause > 0 { usleep(UInt32(pause * 1000)) }
    if result.frame == failing { throw PipelineError(.sink, "the disk is full", place: "out") }
    ledger.change(stream) { $0.results.append(result) }
  }

  func finish() throws(PipelineError) { ledger.change(stream) { $0.isFinished = true } }
}

extension PipelineReport {
  func stream(_ name: String) -> Stream {
    streams.first { $0.name == name } ?? Stream(name: "missing")
  }
}
