import Imaging
import ModelFile
import Synchronization
import TestSupport
import Testing

@testable import Pipelines

#if canImport(Glibc)
  import Glibc
#endif

/// What happens to a server while a pipeline runs on it, step by step.
private final class Ordeal: Sendable {
  private let pipeline: Pipeline
  private let ledger: Ledger
  private let faults = Mutex<[String]>([])

  init(_ pipeline: Pipeline, _ ledger: Ledger) {
    self.pipeline = pipeline
    self.ledger = ledger
  }

  var faultsSeen: [String] { faults.withLock { $0 } }

  /// Waits, for at most half a minute, until `stream` has 5 more results.
  func awaitFrames(_ step: String) {
    let count = ledger["camera"].results.count
    wait(step) { self.ledger["camera"].results.count >= count + 5 }
  }

  /// Waits, for at most half a minute, until the source was lost for this reason so often.
  func awaitLoss(_ reasons: [SourceLoss], _ count: Int, _ step: String) {
    wait(step) {
      let reconnects = self.pipeline.report.streams.first { $0.name == "camera" }?.reconnects ?? [:]
      return reasons.reduce(0) { $0 + (reconnects[$1.rawValue] ?? 0) } >= count
    }
  }

  private func wait(_ step: String, until isDone: () -> Bool) {
    for _ in 0..<600 {
      if isDone() { return }
      usleep(50_000)
    }
    faults.withLock { $0.append("\(step): nothing within 30 s: \(pipeline.report.streams)") }
  }
}

@Suite(.timeLimit(.minutes(5))) struct `A live source` {
  /// A pipeline on a camera and on a file that is looped beside it.
  private func pipeline(_ address: String, _ ledger: Ledger) throws -> Pipeline {
    var camera = PipelineConfiguration.Source(name: "camera", url: address)
    camera.silence = 1
    var file = PipelineConfiguration.Source(name: "file", url: Clips.path("evening"))
    file.loops = true
    file.pace = .realTime
    var configuration = PipelineConfiguration(
      model: "m.apus", sources: [camera, file], sinks: [.init(.jsonl, path: "x")])
    configuration.threads = 1
    return try Pipeline(
      configuration, model: FakeModel.make(), processing: FakeModel.processing(),
      sinks: ledger.opener())
  }

  @Test func `comes back after its server was killed three times and stopped once`() throws {
    guard Clips.canBeRead else { return }
    let server = try LoopbackServer.rtsp(Clips.path("evening"))
    let ledger = Ledger()
    let pipeline = try pipeline(server.address, ledger)
    let ordeal = Ordeal(pipeline, ledger)
    // The server is used by this one thread only, after which the test goes on.
    nonisolated(unsafe) let owned = server
    Later.run(afterMilliseconds: 0) {
      ordeal.awaitFrames("at first")
      for turn in 1...3 {
        owned.kill()
        ordeal.awaitLoss([.broken, .ended, .refused], turn, "killed \(turn)")
        do { try owned.restart() } catch { break }
        ordeal.awaitFrames("restarted \(turn)")
      }
      owned.pause()
      ordeal.awaitLoss([.silent], 1, "stopped")
      owned.resume()
      ordeal.awaitFrames("resumed")
      pipeline.stop()
    }
    let report = try pipeline.run()
    #expect(ordeal.faultsSeen == [])
    let camera = try #require(report.streams.first { $0.name == "camera" })
    let file = try #require(report.streams.first { $0.name == "file" })
    #expect(camera.state == "stopped" && !camera.hasFailed)
    #expect(camera.reconnects.values.reduce(0, +) >= 4, "\(camera.reconnects)")
    #expect(camera.reconnects["silent"] ?? 0 >= 1)
    #expect(!camera.errors.isEmpty)
    // Numbers and times go on rising through it all.
    for (a, b) in zip(ledger["camera"].results, ledger["camera"].results.dropFirst()) {
      #expect(b.frame > a.frame && b.timeMs ?? 0 > a.timeMs ?? 0)
    }
    // The other stream had no part in it.
    #expect(file.state == "stopped" && file.errors.isEmpty && file.reconnects.isEmpty)
    #expect(file.dropped.isEmpty && file.frames == ledger["file"].results.count)
    #expect(ledger["camera"].isFinished && ledger["file"].isFinished)
  }

  @Test func `that nobody serves has failed, and the others are done`() throws {
    guard Clips.canBeRead else { return }
    let port = SilentPort(accepts: false)
    let ledger = Ledger()
    var camera = PipelineConfiguration.Source(
      name: "camera", url: "rtsp://127.0.0.1:\(port.port)/clip")
    camera.reconnects = false
    let file = PipelineConfiguration.Source(name: "file", url: Clips.path("evening"))
    let pipeline = try Pipeline(
      PipelineConfiguration(
        model: "m.apus", sources: [camera, file], sinks: [.init(.jsonl, path: "x")]),
      model: FakeModel.make(), processing: FakeModel.processing(), sinks: ledger.opener())
    let report = try pipeline.run()
    #expect(report.streams[0].hasFailed && report.streams[0].frames == 0)
    #expect(report.streams[0].errors.contains { $0.contains("127.0.0.1:\(port.port)") })
    #expect(!report.streams[1].hasFailed && report.streams[1].frames > 0)
  }
}
