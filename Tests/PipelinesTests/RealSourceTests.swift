import Imaging
import Kernels
import TestSupport
import Testing

@testable import Pipelines

#if canImport(Glibc)
  import Glibc
#endif

@Suite(.timeLimit(.minutes(3))) struct `A pipeline on real sources` {
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

  @Test func `bad sources are named, and good ones are not disturbed`() throws {
    guard Clips.canBeRead else { return }
    let scratch = try TestFolder()
    defer { withExtendedLifetime(scratch) {} }
    let folder = scratch.path
    let bytes = try read(Clips.path("crossing"))
    var corrupt = bytes
    for index in (bytes.count / 2)..<(bytes.count / 2 + 9000) { corrupt[index] = 0x5A }
    try write(corrupt, to: folder + "corrupt.mp4")
    try write(Array(bytes[..<(bytes.count / 2)]), to: folder + "short.mp4")
    let nobody = SilentPort(accepts: false)
    var sources = [
      PipelineConfiguration.Source(name: "good", url: Clips.path("crossing")),
      PipelineConfiguration.Source(name: "corrupt", url: folder + "corrupt.mp4"),
      PipelineConfiguration.Source(name: "short", url: folder + "short.mp4"),
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

  @Test func `nothing is left of a run: no thread, no handle, no frame`() throws {
    guard Clips.canBeRead else { return }
    let scratch = try TestFolder()
    defer { withExtendedLifetime(scratch) {} }
    let folder = scratch.path
    // A clip of its own: other tests of this process read the shared ones.
    try write(read(Clips.path("square")), to: folder + "square.mp4")
    var configuration = PipelineConfiguration(
      model: "m", sources: ["a", "b"].map { .init(name: $0, url: folder + "square.mp4") },
      sinks: [.init(.jsonl, path: folder + "{stream}.jsonl")])
    configuration.threads = 3
    let pool = try FramePool(limitBytes: 64 << 20)
    let threads = try Monitor<[String]>([], conditions: 0)
    let pipeline = try Pipeline(
      configuration, model: try FakeModel.make(batch: 2), processing: FakeModel.processing(),
      pool: pool
    ) { (sink, stream, rate) throws(PipelineError) -> any ResultSink in
      threads.withLock { $0.append(linkTarget("/proc/thread-self")) }
      return try ResultSinks.open(sink, stream: stream, rate: rate)
    }
    let report = try pipeline.run()
    for name in ["a", "b"] {
      #expect(report.stream(name).frames == 300 && report.stream(name).errors.isEmpty)
    }
    // Each sink was written by a thread of its own, which is gone.
    let names = threads.withLock { $0 }
    #expect(Set(names).count == 2)
    for name in names { #expect(access("/proc/\(name)", F_OK) != 0, "\(name)") }
    #expect(openFiles(containing: folder) == [])
    #expect(pool.statistics.slotsInUse == 0)
    // Queues, workers, results that wait, and what the decoder keeps: not the 600 of the clips.
    #expect(pool.statistics.peakBytesInUse > 0)
    #expect(pool.statistics.peakBytesInUse < 2 * 40 * 480 * 480 * 3 / 2)
  }

  /// The files that this process has open.
  private func openFiles(containing part: String) -> [String] {
    names(in: "/proc/self/fd").map { linkTarget("/proc/self/fd/" + $0) }
      .filter { $0.contains(part) }
  }

  private func names(in folder: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      names.append(
        withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
          String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        })
    }
    return names
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

/// What a symbolic link says.
private func linkTarget(_ path: String) -> String {
  var target = [CChar](repeating: 0, count: 4096)
  let count = readlink(path, &target, target.count)
  return String(
    decoding: target.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
