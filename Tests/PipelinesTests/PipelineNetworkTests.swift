import Imaging
import Kernels
import TestSupport
import Testing

@testable import Pipelines

#if canImport(Glibc)
  import Glibc
#endif

@Suite(.serialized, .timeLimit(.minutes(3))) struct `A pipeline on real sources` {
  private static let root =
    "/" + "\(#filePath)".split(separator: "/").dropLast(3).joined(separator: "/")

  private func clip(_ name: String) -> String {
    `A pipeline on real sources`.root + "/Samples/clips/\(name).mp4"
  }

  private func pipeline(
    _ sources: [PipelineConfiguration.Source], _ ledger: Ledger
  ) throws -> Pipeline {
    var configuration = PipelineConfiguration(
      model: "m", sources: sources, sinks: [.init(.jsonl, path: "x")])
    configuration.threads = 2
    return try Pipeline(
      configuration, model: try FakeModel.make(), processing: FakeModel.processing(),
      sinks: ledger.opener())
  }

  @Test func `a camera whose server is killed thrice and stopped once comes back each time`()
    throws
  {
    let server = try LoopbackServer.rtsp(clip("evening"))
    var source = PipelineConfiguration.Source(name: "camera", url: server.address)
    source.silence = 1
    let ledger = Ledger()
    let pipeline = try pipeline([source], ledger)
    var (kills, mark, isPaused, wasResumed) = (0, 0, false, false)
    var states: Set<String> = []
    let report = try pipeline.run(for: .seconds(120), every: .milliseconds(50)) { report in
      let stream = report.streams[0]
      states.insert(stream.state)
      if isPaused {
        // It came to a stop, and the loss was noticed.
        guard stream.reconnects["silent"] != nil else { return }
        server.resume()
        (isPaused, wasResumed, mark) = (false, true, stream.frames)
      } else if stream.state == "playing", stream.frames >= mark + 5 {
        mark = stream.frames
        if kills < 3 {
          kills += 1
          do { try server.restart() } catch { Issue.record(error) }
        } else if !wasResumed {
          server.pause()
          isPaused = true
        } else {
          pipeline.stop()
        }
      }
    }
    let stream = report.streams[0]
    #expect(stream.state == "stopped" && !stream.hasFailed, "\(stream.errors)")
    #expect(kills == 3 && wasResumed)
    #expect(stream.reconnects["silent"] == 1)
    let others = stream.reconnects.filter { $0.key != "silent" }.values.reduce(0, +)
    #expect(others >= 3, "\(stream.reconnects)")
    #expect(states.isSuperset(of: ["playing"]) && !states.isDisjoint(with: ["waiting", "broken"]))
    let results = ledger["camera"].results
    #expect(results.count == stream.frames && ledger["camera"].isFinished)
    let times = results.compactMap(\.timeMs)
    #expect(times == times.sorted(), "times rise across connections")
  }

  @Test func `bad sources are named, and good ones are not disturbed`() throws {
    var template = Array("/tmp/apus-pipeline-XXXXXX\0".utf8.map { CChar(bitPattern: $0) })
    _ = try #require(mkdtemp(&template))
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      for name in ["corrupt", "short"] { unlink("\(folder)/\(name).mp4") }
      rmdir(folder)
    }
    let bytes = try read(clip("crossing"))
    var corrupt = bytes
    for index in (bytes.count / 2)..<(bytes.count / 2 + 9000) { corrupt[index] = 0x5A }
    try write(corrupt, to: folder + "/corrupt.mp4")
    try write(Array(bytes[..<(bytes.count / 2)]), to: folder + "/short.mp4")
    let nobody = SilentPort(accepts: false)
    var sources = [
      PipelineConfiguration.Source(name: "good", url: clip("crossing")),
      PipelineConfiguration.Source(name: "corrupt", url: folder + "/corrupt.mp4"),
      PipelineConfiguration.Source(name: "short", url: folder + "/short.mp4"),
      PipelineConfiguration.Source(name: "nobody", url: "rtsp://127.0.0.1:\(nobody.port)/clip"),
    ]
    sources[3].reconnects = false
    let ledger = Ledger()
    let report = try pipeline(sources, ledger).run()
    let streams = Dictionary(uniqueKeysWithValues: report.streams.map { ($0.name, $0) })
    let good = try #require(streams["good"])
    #expect(good.state == "ended" && good.frames == 300 && good.errors.isEmpty)
    #expect(ledger["good"].results.map(\.frame) == Array(0..<300))
    let damaged = try #require(streams["corrupt"])
    #expect(damaged.state == "ended" && damaged.frames > 150, "\(damaged.frames)")
    #expect(damaged.errors.count == 1, "\(damaged.errors)")
    let short = try #require(streams["short"])
    #expect(short.state == "failed" && short.hasFailed && (50..<250).contains(short.frames))
    #expect(short.errors.first?.contains("cut off") == true, "\(short.errors)")
    let refused = try #require(streams["nobody"])
    #expect(refused.state == "failed" && refused.frames == 0 && refused.errors.count == 1)
    #expect(refused.reconnects.isEmpty)
  }

  private func read(_ path: String) throws -> [UInt8] {
    let file = try #require(fopen(path, "rb"), "\(path)")
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    return Array(bytes[0..<fread(&bytes, 1, bytes.count, file)])
  }

  private func write(_ bytes: [UInt8], to path: String) throws {
    let file = try #require(fopen(path, "wb"), "\(path)")
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    fclose(file)
  }
}
