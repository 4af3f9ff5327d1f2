import Detections
import Imaging
import Kernels
import ModelFile
import Runtime
import Tensors
import Testing

@testable import Pipelines

#if canImport(Glibc)
  import Glibc
#endif

/// A pipeline on made-up sources, and what came of it.
private struct Trial {
  let ledger = Ledger()
  let opener: FakeOpener
  let pipeline: Pipeline

  /// - Parameter change: adjusts the source of a name.
  init(
    _ scripts: [String: [Script]], batch: Int = 1, threads: Int = 4, deadline: Double = 20,
    pause: [String: Double] = [:], failing: [String: Int] = [:], model: Model? = nil,
    change: (inout PipelineConfiguration.Source) -> Void = { _ in }
  ) throws {
    opener = FakeOpener(scripts)
    let sources = scripts.keys.sorted().map { name in
      let isLive = scripts[name]?.contains(where: \.isLive) == true
      var source = PipelineConfiguration.Source(name: name, url: isLive ? "rtsp://x/y" : "a.mp4")
      change(&source)
      return source
    }
    var configuration = PipelineConfiguration(
      model: "m.apus", sources: sources, sinks: [.init(.jsonl, path: "x")])
    configuration.threads = threads
    configuration.batchDeadline = deadline
    pipeline = try Pipeline(
      configuration, model: try model ?? FakeModel.make(batch: batch),
      processing: FakeModel.processing(), program: 0, isas: ISA.host, opener: opener,
      sinks: ledger.opener(pause: pause, failing: failing))
  }

  /// Checks that the results of a stream belong to its frames, in order.
  func checkOrder(_ stream: String) {
    let results = ledger[stream].results
    var last = -1
    for result in results {
      #expect(result.stream == stream)
      #expect(result.frame > last, "\(stream): \(result.frame) after \(last)")
      last = result.frame
      let samples = FakeModel.samples(result)
      #expect(samples[0] == stream.utf8.last ?? 0, "the frame of another stream")
      #expect(Int(samples[1]) + Int(samples[2]) * 256 == result.frame, "another frame's result")
    }
  }
}

/// Runs something on another thread after a while; joined by `finish`.
private func later(
  _ milliseconds: UInt32, _ body: @escaping @Sendable () -> Void
) throws -> PipelineThread {
  try PipelineThread("test-later") {
    usleep(milliseconds * 1000)
    body()
  }
}

@Suite(.timeLimit(.minutes(2)), .serialized) struct `A pipeline` {
  @Test(arguments: [(1, 1), (1, 4), (2, 3), (4, 4)])
  func `gives every stream all its results, in order`(batch: Int, threads: Int) throws {
    let trial = try Trial(
      [
        "a": [Script(frames: 300)], "b": [Script(frames: 40, pause: 1)], "c": [Script(frames: 1)],
        "d": [Script(frames: 0)],
      ], batch: batch, threads: threads, deadline: 5, pause: ["a": 0.05])
    let report = try trial.pipeline.run()
    for (name, count) in ["a": 300, "b": 40, "c": 1, "d": 0] {
      #expect(trial.ledger[name].results.map(\.frame) == Array(0..<count))
      #expect(trial.ledger[name].isFinished)
      trial.checkOrder(name)
      let stream = report.stream(name)
      #expect(stream.state == "ended" && !stream.hasFailed && stream.frames == count)
      #expect(stream.dropped.isEmpty && stream.errors.isEmpty)
    }
    #expect(report.batchSize == batch && report.meanBatch >= 1)
    #expect(report.stages.map(\.name) == StageName.allCases.map(\.rawValue))
    #expect(report.stages.allSatisfy { $0.frames == 341 && $0.mean > 0 && $0.limit > 0 })
    #expect(report.measuredRate > 0 && report.theoreticalRate > 0)
    #expect(report.stream("a").latency.frames == 300)
  }

  @Test func `streams share batches, and a lone stream does not wait for others`() throws {
    let shared = try Trial(
      ["a": [Script(frames: 100)], "b": [Script(frames: 100)]], batch: 4, threads: 1)
    let report = try shared.pipeline.run()
    #expect(report.meanBatch > 2)
    let lone = try Trial(
      ["a": [Script(frames: 5, pause: 30)]], batch: 4, threads: 2, deadline: 5)
    let slow = try lone.pipeline.run()
    // A frame leaves at its deadline, long before the next one comes.
    #expect(slow.meanBatch < 1.5)
    #expect(slow.stream("a").latency.p50 < 25)
  }

  @Test func `a stream that breaks does not touch the others`() throws {
    let trial = try Trial([
      "a": [Script(frames: 200, pause: 0.2)],
      "b": [Script(frames: 7, fault: .corrupt)],
      "c": [Script(refusal: .notFound)],
      "d": [Script(frames: 3, isLive: true, fault: .connection)],
    ]) { if $0.name == "d" { $0.reconnects = false } }
    let report = try trial.pipeline.run()
    #expect(report.stream("a").frames == 200 && report.stream("a").state == "ended")
    for (name, frames) in ["b": 7, "c": 0, "d": 3] {
      let stream = report.stream(name)
      #expect(stream.state == "failed" && stream.hasFailed, "\(name): \(stream.state)")
      #expect(stream.frames == frames)
      #expect(stream.errors.count == 1)
    }
    #expect(report.stream("b").errors[0].contains("it broke in the middle"))
    #expect(trial.ledger["b"].isFinished && !trial.ledger["c"].isFinished)
    #expect(trial.opener.count("d") == 1)
  }

  @Test func `a lost camera is opened again`() throws {
    let trial = try Trial([
      "a": [
        Script(frames: 3, isLive: true, fault: .connection),
        Script(isLive: true, refusal: .connection),
        Script(frames: 4, isLive: true),
        Script(frames: 0, isLive: true, refusal: .mediaLibrary),
      ]
    ])
    let report = try trial.pipeline.run()
    let stream = report.stream("a")
    #expect(stream.frames == 7)
    #expect(stream.reconnects == ["broken": 1, "refused": 1, "ended": 1])
    #expect(trial.ledger["a"].results.map(\.frame) == Array(0..<7), "numbers go on")
    let times = trial.ledger["a"].results.compactMap(\.timeMs)
    #expect(times == times.sorted() && Set(times).count == 7, "times go on: \(times)")
    #expect(stream.state == "failed")
  }

  @Test func `a silent camera is noticed and opened again`() throws {
    let trial = try Trial([
      "a": [
        Script(frames: 2, isLive: true, hangs: true),
        Script(frames: 0, isLive: true, refusal: .mediaLibrary),
      ]
    ]) { $0.silence = 0.3 }
    let report = try trial.pipeline.run()
    #expect(report.stream("a").reconnects == ["silent": 1])
    #expect(report.stream("a").errors[0].contains("delivered nothing"))
    #expect(report.stream("a").frames == 2)
  }

  @Test func `policies drop what they say, and count it`() throws {
    for policy in PipelineConfiguration.OverflowPolicy.allCases {
      let trial = try Trial(
        ["a": [Script(frames: 200)]], threads: 1, pause: ["a": 1]
      ) { $0.policy = policy }
      let report = try trial.pipeline.run()
      let stream = report.stream("a")
      trial.checkOrder("a")
      #expect(stream.queue.capacity == 4 && stream.queue.deepest == 4)
      if policy == .block {
        #expect(stream.frames == 200 && stream.dropped.isEmpty)
      } else {
        #expect(Set(stream.dropped.keys) == [policy.rawValue])
        #expect(stream.frames + (stream.dropped[policy.rawValue] ?? 0) == 200)
        #expect(stream.frames < 100)
        // Dropping what is new keeps the first frames, all else the last.
        let results = trial.ledger["a"].results
        if policy == .dropNewest {
          #expect(results.prefix(4).map(\.frame) == [0, 1, 2, 3])
        } else {
          #expect(results.last?.frame == 199)
        }
      }
    }
  }

  @Test func `a slow sink holds up its own stream only`() throws {
    let trial = try Trial(
      ["a": [Script(frames: 30)], "b": [Script(frames: 300)]], threads: 2, pause: ["a": 60])
    var reports: [PipelineReport] = []
    _ = try trial.pipeline.run(every: .milliseconds(20)) { reports.append($0) }
    // Long before the slow one, the fast one was through.
    let middle = reports.first { $0.stream("b").state == "ended" }
    #expect((middle?.stream("a").frames ?? 30) < 20)
    #expect(trial.ledger["a"].results.count == 30 && trial.ledger["b"].results.count == 300)
  }

  @Test func `a sink that fails ends its own stream only`() throws {
    let trial = try Trial(
      ["a": [Script(frames: 100_000)], "b": [Script(frames: 50, pause: 1)]], failing: ["a": 5])
    let report = try trial.pipeline.run()
    #expect(report.stream("a").hasFailed && report.stream("a").state == "failed")
    #expect(report.stream("a").errors == ["out: the disk is full"])
    #expect(report.stream("a").frames == 5 && (report.stream("a").dropped["sink"] ?? 0) > 0)
    #expect(!trial.ledger["a"].isFinished, "its file must not look complete")
    #expect(!report.stream("b").hasFailed && report.stream("b").frames == 50)
  }

  @Test func `a sink that fails when its source has ended leaves nobody waiting`() throws {
    // One worker: at most 5 frames are outstanding, the others wait in the queue when it fails.
    let trial = try Trial(
      ["a": [Script(frames: 9)]], threads: 1, pause: ["a": 30], failing: ["a": 1]
    ) { $0.capacity = 20 }
    let report = try trial.pipeline.run()
    #expect(report.stream("a").state == "ended" && report.stream("a").hasFailed)
    #expect(report.stream("a").frames == 1 && report.stream("a").dropped == ["sink": 8])
  }

  @Test func `a frame that the model cannot take leaves its batch whole`() throws {
    let trial = try Trial(
      ["a": [Script(frames: 400)], "b": [Script(frames: 200)]], threads: 2,
      model: try FakeModel.makeFussy(batch: 4))
    let report = try trial.pipeline.run()
    // Of stream a, frames 250 to 255 have a byte that is not in the model's table.
    #expect(trial.ledger["a"].results.map(\.frame) == Array(0..<250) + Array(256..<400))
    #expect(report.stream("a").dropped == ["inference": 6])
    #expect(report.stream("a").errors.count == 6)
    #expect(report.stream("a").errors[0].contains("frame 25"))
    #expect(trial.ledger["b"].results.map(\.frame) == Array(0..<200))
    #expect(report.stream("b").errors.isEmpty && report.stream("b").dropped.isEmpty)
    trial.checkOrder("a")
    trial.checkOrder("b")
  }

  @Test func `stop lets all go that was accepted`() throws {
    let trial = try Trial(
      [
        "a": [Script(frames: 1_000_000)], "b": [Script(frames: 20, isLive: true, hangs: true)],
        "c": [Script(frames: 10)],
      ], batch: 2, pause: ["a": 0.5]
    ) {
      $0.loops = $0.name == "c"
      $0.policy = .block
    }
    let thread = try later(200) { [pipeline = trial.pipeline] in pipeline.stop() }
    let report = try trial.pipeline.run()
    thread.join()
    for name in ["a", "b", "c"] {
      let stream = report.stream(name)
      #expect(stream.state == "stopped" && !stream.hasFailed)
      #expect(stream.frames > 0 && stream.dropped.isEmpty)
      let decoded = stream.stages.first { $0.name == "decode" }?.frames
      #expect(decoded == stream.frames, "\(name): every decoded frame was written")
      #expect(trial.ledger[name].isFinished)
      trial.checkOrder(name)
    }
  }

  @Test func `abort ends at once and finishes no sink`() throws {
    let trial = try Trial(
      ["a": [Script(frames: 1_000_000)], "b": [Script(frames: 2, isLive: true, hangs: true)]],
      batch: 4, pause: ["a": 5])
    let thread = try later(100) { [pipeline = trial.pipeline] in pipeline.abort() }
    let clock = ContinuousClock()
    let start = clock.now
    let report = try trial.pipeline.run()
    #expect(clock.now - start < .seconds(1.5))
    thread.join()
    #expect(!trial.ledger["a"].isFinished && !trial.ledger["b"].isFinished)
    #expect(report.stream("a").state == "stopped")
    #expect((report.stream("a").dropped["aborted"] ?? 0) > 0)
  }

  @Test func `a time limit stops it`() throws {
    let trial = try Trial(["a": [Script(frames: 10, pause: 1)]]) { $0.loops = true }
    let clock = ContinuousClock()
    let start = clock.now
    let report = try trial.pipeline.run(for: .milliseconds(300))
    #expect(clock.now - start < .seconds(2))
    #expect(report.stream("a").state == "stopped" && report.stream("a").frames > 10)
    #expect(trial.ledger["a"].isFinished)
    let times = trial.ledger["a"].results.compactMap(\.timeMs)
    #expect(zip(times, times.dropFirst()).allSatisfy { abs($1 - $0 - 40) < 1e-6 }, "40 ms apart")
  }

  @Test func `real time is kept`() throws {
    let trial = try Trial(["a": [Script(frames: 10)]]) { $0.pace = .realTime }
    let clock = ContinuousClock()
    let start = clock.now
    _ = try trial.pipeline.run()
    let time = clock.now - start
    #expect(time > .milliseconds(355) && time < .seconds(5), "10 frames of 40 ms: \(time)")
  }

  @Test func `stop before it runs is not lost`() throws {
    let trial = try Trial(["a": [Script(frames: 1_000_000)]])
    trial.pipeline.stop()
    let report = try trial.pipeline.run()
    #expect(report.stream("a").state == "stopped" && report.stream("a").frames == 0)
  }

  @Test func `a model without postprocessing is refused`() throws {
    let configuration = PipelineConfiguration(
      model: "m", sources: [.init(name: "a", url: "a.mp4")])
    let error = #expect(throws: PipelineError.self) {
      _ = try Pipeline(
        configuration, model: try FakeModel.make(), processing: Processing(),
        sinks: Ledger().opener())
    }
    #expect(error?.code == .configuration)
    #expect(error?.message.contains("--postprocess") == true)
  }
}
