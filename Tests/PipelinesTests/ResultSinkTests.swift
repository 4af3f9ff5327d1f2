import Detections
import FoundationEssentials
import Imaging
import Pipelines
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A folder that disappears with the test.
final class TestFolder {
  let path: String
  init() throws {
    let name = "apus-pipelines-\(UInt64.random(in: 0 ... .max))"
    path = FileManager.default.temporaryDirectory.appending(path: name).path() + "/"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The files in a folder below, sorted.
  func names(in folder: String = "") -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path + folder)) ?? []).sorted()
  }
  func text(of file: String) throws -> String {
    try String(contentsOfFile: path + file, encoding: .utf8)
  }
}

@Suite struct `Sinks of results` {
  private func results(_ count: Int) throws -> [(FrameDetections, Frame)] {
    try (0..<count).map { number in
      let frame = try Frame(.rgb24, width: 32, height: 16)
      let object = Detection(
        classIndex: 1, label: "bus", score: 0.5, box: Box(x1: 1, y1: 2, x2: 9, y2: 8))
      return (
        FrameDetections(
          stream: "yard", frame: number, timeMs: Double(number) * 40, width: 32, height: 16,
          objects: [object]), frame
      )
    }
  }

  private func write(
    _ kind: PipelineConfiguration.Sink.Kind, _ path: String, finishes: Bool = true
  ) throws {
    let sink = try ResultSinks.open(
      PipelineConfiguration.Sink(kind, path: path), stream: "yard", rate: nil)
    for (result, frame) in try results(3) { try sink.take(result, frame) }
    if finishes { try sink.finish() }
  }

  @Test func `give a pipe every line at once`() throws {
    let folder = try TestFolder()
    let path = folder.path + "lines"
    #expect(mkfifo(path, 0o600) == 0)
    let reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    defer { close(reader) }
    let sink = try ResultSinks.open(
      PipelineConfiguration.Sink(.jsonl, path: path), stream: "yard", rate: nil)
    var bytes = [UInt8](repeating: 0, count: 4096)
    for (result, frame) in try results(3) {
      try sink.take(result, frame)
      let count = read(reader, &bytes, bytes.count)
      let text = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
      #expect(text == result.jsonLine + "\n")
    }
    try sink.finish()
  }

  @Test func `make their folders and put the stream's name into the path`() throws {
    let folder = try TestFolder()
    try write(.jsonl, folder.path + "a/{stream}/{stream}.jsonl")
    let lines = try folder.text(of: "a/yard/yard.jsonl").split(separator: "\n")
    #expect(lines.count == 3)
    #expect(
      lines[1]
        == "{\"stream\":\"yard\",\"frame\":1,\"pts_ms\":40,\"width\":32,\"height\":16,\"objects\":["
        + "{\"class\":1,\"label\":\"bus\",\"score\":0.5,\"box\":[1,2,9,8]}]}")
  }

  @Test func `number pictures by frame`() throws {
    let folder = try TestFolder()
    try write(.images, folder.path + "pictures/deep")
    #expect(
      folder.names(in: "pictures/deep") == [
        "yard-000000.jpg", "yard-000000.json", "yard-000001.jpg", "yard-000001.json",
        "yard-000002.jpg", "yard-000002.json",
      ])
  }

  @Test func `leave no file where they are dropped unfinished`() throws {
    let folder = try TestFolder()
    try write(.jsonl, folder.path + "a.jsonl", finishes: false)
    #expect(folder.names().isEmpty)
  }

  @Test func `name the file that cannot be written, and end with 74`() throws {
    let folder = try TestFolder()
    try write(.jsonl, folder.path + "file")
    let path = folder.path + "file/below/{stream}.jsonl"
    let error = #expect(throws: PipelineError.self) {
      try ResultSinks.open(
        PipelineConfiguration.Sink(.jsonl, path: path), stream: "yard", rate: nil)
    }
    #expect(error?.code == .sink && error?.code.exitStatus == 74)
    #expect(error?.description.contains(folder.path + "file/") == true)
  }

  @Test func `make a video of 25 frames per second where the source has no rate`() throws {
    let folder = try TestFolder()
    do {
      try write(.mp4, folder.path + "v/{stream}.mp4")
    } catch let error as PipelineError where error.code == .unavailable {
      print("skipped: \(error)")
      return
    }
    let video = try VideoSource(folder.path + "v/yard.mp4")
    #expect(video.frameCount == 3)
    #expect(video.rate == FrameRate(25))
  }
}
