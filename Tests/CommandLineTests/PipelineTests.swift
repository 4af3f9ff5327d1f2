import FoundationEssentials
import Testing

@testable import apus

#if canImport(Glibc)
  import Glibc
#endif

/// `apus pipeline` as scripts see it: a configuration in, files and exit codes out.
@Suite(.serialized) struct PipelineTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path()
  private static let clip = root + "Samples/clips/square.mp4"

  /// A folder with a model and a configuration, which disappears with the test.
  private final class Folder {
    let path: String
    var configuration: String { path + "streams.json" }

    init() throws {
      let name = "apus-pipeline-\(UInt64.random(in: 0 ... .max))"
      path = FileManager.default.temporaryDirectory.appending(path: name).path() + "/"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: try PipelineTests.model.get(), toPath: path + "model.apus")
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func configure(_ sources: [String], sinks: [String] = [Folder.lines]) throws {
      let text =
        "{\"model\":\"model.apus\",\n\"sources\":[\(sources.joined(separator: ",\n"))],\n"
        + "\"sinks\":[\(sinks.joined(separator: ","))]}"
      try text.write(toFile: configuration, atomically: true, encoding: .utf8)
    }
    static let lines = "{\"type\":\"jsonl\",\"path\":\"out/{stream}.jsonl\"}"

    func names(in folder: String) -> [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: path + folder)) ?? []).sorted()
    }
    func text(of file: String) throws -> String {
      try String(contentsOfFile: path + file, encoding: .utf8)
    }
    func lineCount(of file: String) throws -> Int {
      try text(of: file).split(separator: "\n").count
    }
  }

  /// The sample detector, compiled once.
  private static let model = Result<String, any Error> {
    let path = FileManager.default.temporaryDirectory
      .appending(path: "apus-pipeline-model-\(getpid()).apus").path()
    let status = ApusTool.run([
      "compile", root + "Samples/detector/detector.onnx", "-o", path, "--preprocess",
      "size=320x320,resize=letterbox,raw-scale=1", "--postprocess",
      "yolov8:classes=\(root)Samples/detector/classes.txt", "--no-proof",
    ])
    guard status == 0 else { throw VerbError(.internalError, "the detector was not compiled") }
    return path
  }

  private func pipeline(_ folder: Folder, _ words: String...) -> Int32 {
    ApusTool.run(["pipeline", folder.configuration] + words)
  }

  // MARK: Runs

  @Test func `runs files and folders side by side`() throws {
    let folder = try Folder()
    try folder.configure([
      "{\"url\":\"\(Self.clip)\"}", "{\"name\":\"again\",\"url\":\"\(Self.clip)\"}",
      "{\"url\":\"\(Self.root)Samples/pictures/validation\",\"queue\":{\"capacity\":1}}",
    ])
    #expect(pipeline(folder, "--stages", folder.path + "report.json") == 0)
    #expect(folder.names(in: "out") == ["again.jsonl", "square.jsonl", "validation.jsonl"])
    let first = try folder.text(of: "out/square.jsonl")
    let second = try folder.text(of: "out/again.jsonl")
    #expect(first.contains("\"label\":"))
    #expect(second.replacing("\"stream\":\"again\"", with: "\"stream\":\"square\"") == first)
    let report = try folder.text(of: "report.json")
    for key in ["bottleneck", "theoretical_fps", "p95_ms", "machine", "dropped"] {
      #expect(report.contains("\"\(key)\""))
    }
  }

  @Test func `draws videos and pictures`() throws {
    let folder = try Folder()
    try folder.configure(
      ["{\"url\":\"\(Self.clip)\"}"],
      sinks: [
        "{\"type\":\"mp4\",\"path\":\"video/{stream}.mp4\"}",
        "{\"type\":\"images\",\"path\":\"pictures\"}", Folder.lines,
      ])
    #expect(pipeline(folder) == 0)
    #expect(folder.names(in: "video") == ["square.mp4"])
    let lines = try folder.lineCount(of: "out/square.jsonl")
    #expect(lines > 10)
    #expect(folder.names(in: "pictures").count == 2 * lines)
  }

  @Test func `ends with 75 where a source fails, and finishes the others`() throws {
    let folder = try Folder()
    try folder.configure([
      "{\"url\":\"\(Self.clip)\"}", "{\"url\":\"absent.mp4\"}",
      "{\"name\":\"nobody\",\"url\":\"rtsp://127.0.0.1:9/x\",\"connect_timeout_s\":0.5,"
        + "\"reconnect\":false}",
    ])
    #expect(pipeline(folder, "--stages", folder.path + "report.json") == 75)
    #expect(try folder.lineCount(of: "out/square.jsonl") > 10)
    let report = try folder.text(of: "report.json")
    #expect(report.contains("\"state\": \"failed\"") && report.contains("\"state\": \"ended\""))
  }

  @Test func `ends in order when its time is over`() throws {
    let folder = try Folder()
    try folder.configure(["{\"url\":\"\(Self.clip)\",\"loop\":true,\"pace\":\"real-time\"}"])
    #expect(pipeline(folder, "--duration", "1.5") == 0)
    #expect((5...60).contains(try folder.lineCount(of: "out/square.jsonl")))
  }

  // MARK: Before a run

  @Test func `plans and checks without writing anything`() throws {
    let folder = try Folder()
    try folder.configure(["{\"url\":\"\(Self.clip)\"}", "{\"url\":\"rtsp://127.0.0.1:9/x\"}"])
    #expect(pipeline(folder, "--plan") == 0)
    #expect(pipeline(folder, "--plan", "--json") == 0)
    #expect(pipeline(folder, "--check") == 0)
    #expect(pipeline(folder, "--check", "--plan") == 64)
    #expect(folder.names(in: "") == ["model.apus", "streams.json"])
    try folder.configure(["{\"url\":\"absent.mp4\"}"])
    #expect(pipeline(folder, "--check") == 66)
    try folder.configure(["{\"url\":\"streams.json\"}"])
    #expect(pipeline(folder, "--check") == 65)
  }

  @Test func `mistakes in the configuration end with 65 or 66, others as everywhere`() throws {
    let folder = try Folder()
    try folder.configure(["{\"ulr\":\"a.mp4\"}"])
    #expect(pipeline(folder) == 65)
    #expect(ApusTool.run(["pipeline", folder.path + "absent.json"]) == 66)
    #expect(ApusTool.run(["pipeline"]) == 64)
    try folder.configure(["{\"url\":\"\(Self.clip)\"}"])
    #expect(pipeline(folder, "--isa", "neon") == 71)
    #expect(pipeline(folder, "--precision", "int8") == 64)
    try FileManager.default.removeItem(atPath: folder.path + "model.apus")
    #expect(pipeline(folder) == 66)
  }

  @Test func `outputs that cannot be written end with 74 before anything starts`() throws {
    let folder = try Folder()
    try folder.configure(
      ["{\"url\":\"\(Self.clip)\"}"],
      sinks: [Folder.lines, "{\"type\":\"jsonl\",\"path\":\"model.apus/{stream}.jsonl\"}"])
    #expect(pipeline(folder) == 74)
    #expect(folder.names(in: "out").isEmpty)
  }

  @Test func `a full disk ends with 74`() throws {
    let folder = try Folder()
    try folder.configure(
      ["{\"url\":\"\(Self.clip)\"}"], sinks: ["{\"type\":\"jsonl\",\"path\":\"/dev/full\"}"])
    #expect(pipeline(folder, "--stages", folder.path + "report.json") == 74)
    #expect(try folder.text(of: "report.json").contains("/dev/full: "))
  }

  @Test func `a source model needs to be told about pictures and objects`() throws {
    let folder = try Folder()
    let text =
      "{\"model\":\"\(Self.root)Samples/detector/detector.onnx\",\"sources\":[{\"url\":"
      + "\"\(Self.clip)\"}],\"sinks\":[\(Folder.lines)]}"
    try text.write(toFile: folder.configuration, atomically: true, encoding: .utf8)
    #expect(pipeline(folder) == 64)
    #expect(
      pipeline(
        folder, "--preprocess", "size=320x320,resize=letterbox,raw-scale=1", "--postprocess",
        "yolov8:classes=\(Self.root)Samples/detector/classes.txt") == 0)
    #expect(try folder.lineCount(of: "out/square.jsonl") > 10)
  }

  // MARK: Comparison

  @Test func `a comparison fails where the run is slower, or of another kind`() throws {
    let folder = try Folder()
    try folder.configure(["{\"url\":\"\(Self.clip)\"}"])
    let earlier = folder.path + "earlier.json"
    #expect(pipeline(folder, "--stages", earlier) == 0)
    let record = try folder.text(of: "earlier.json")

    func baseline(_ pattern: Regex<(Substring, Substring)>, _ value: String) throws -> Int32 {
      let text = record.replacing(pattern) { match in "\(match.output.1)\(value)" }
      #expect(text != record)
      try text.write(toFile: earlier, atomically: true, encoding: .utf8)
      return pipeline(folder, "--baseline", earlier)
    }
    #expect(try baseline(/("measured_fps": )[0-9.e+]+/, "1e9") == 1)
    #expect(try baseline(/("threads": )[0-9]+/, "977") == 65)
    try "[]".write(toFile: earlier, atomically: true, encoding: .utf8)
    #expect(pipeline(folder, "--baseline", earlier) == 65)
    #expect(pipeline(folder, "--baseline", folder.path + "absent.json") == 66)
  }

  // MARK: Interruption

  /// Starts the executable beside this test behind a command of the shell; returns its process.
  private func start(_ folder: Folder, after command: String = "true") throws -> pid_t {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let executable = own.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/apus"
    try #require(access(executable, X_OK) == 0, "\(executable) is missing")
    let words = [
      "/bin/sh", "-c", "\(command) && exec \"$0\" pipeline \"$1\" 2>\"$2\"", executable,
      folder.configuration, folder.path + "messages.txt",
    ]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    let result = posix_spawn(&process, words[0], nil, nil, &arguments, environ)
    try #require(result == 0)
    return process
  }

  /// Waits until a pipeline's sources have threads, and then until some frames have passed.
  private func waitForFrames(_ process: pid_t) {
    let tasks = "/proc/\(process)/task/"
    for _ in 0..<600 {
      let names = ((try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []).map {
        (try? String(contentsOfFile: tasks + $0 + "/comm", encoding: .utf8)) ?? ""
      }
      if names.contains("apus-decode\n") { break }
      usleep(50_000)
    }
    usleep(1_500_000)
  }

  /// Waits for the end of a process; returns its exit status, or nil where a signal ended it.
  private func status(of process: pid_t) -> Int32? {
    var raw: Int32 = 0
    guard waitpid(process, &raw, 0) == process, raw & 0x7F == 0 else { return nil }
    return raw >> 8 & 0xFF
  }

  @Test func `the first interrupt finishes what was read`() throws {
    let folder = try Folder()
    try folder.configure(["{\"url\":\"\(Self.clip)\",\"loop\":true,\"pace\":\"real-time\"}"])
    let process = try start(folder)
    waitForFrames(process)
    #expect(folder.names(in: "out").isEmpty, "a file has its name before it is complete")
    kill(process, SIGINT)
    #expect(status(of: process) == 130)
    let text = try folder.text(of: "out/square.jsonl")
    #expect(text.hasSuffix("]}\n") && text.split(separator: "\n").count > 5)
  }

  @Test func `a killed pipeline leaves nothing behind`() throws {
    let folder = try Folder()
    try folder.configure(["{\"url\":\"\(Self.clip)\",\"loop\":true,\"pace\":\"real-time\"}"])
    let process = try start(folder)
    waitForFrames(process)
    kill(process, SIGKILL)
    #expect(status(of: process) == nil)
    #expect(folder.names(in: "out").isEmpty)
    #expect(pipeline(folder, "--duration", "1") == 0)
  }

  // MARK: Limits

  private func many(_ count: Int, _ file: String) -> [String] {
    (0..<count).map { "{\"name\":\"s\($0)\",\"url\":\"\(Self.root)Samples/\(file)\"}" }
  }

  @Test func `out of handles and out of memory are different errors with what fits`() throws {
    let folder = try Folder()
    try folder.configure(many(12, "clips/square.mp4"))
    #expect(status(of: try start(folder, after: "ulimit -n 40")) == 71)
    let handles = try folder.text(of: "messages.txt")
    #expect(handles.contains("12 streams need") && handles.contains("the limit is 40 (ulimit -n)"))
    #expect(handles.contains(" streams fit. Use fewer streams, or raise it with `ulimit -Hn "))
    try folder.configure(many(500, "clips/square.mp4"))
    #expect(status(of: try start(folder, after: "ulimit -v 1500000")) == 71)
    let memory = try folder.text(of: "messages.txt")
    #expect(memory.contains("500 streams need") && memory.contains("of memory (weights "))
    #expect(memory.contains("address space, ulimit -v"))
    #expect(folder.names(in: "out").isEmpty)
  }

  @Test func `the soft limit of handles is raised by itself`() throws {
    let folder = try Folder()
    try folder.configure(many(60, "pictures/validation/0001.jpg"))
    #expect(status(of: try start(folder, after: "ulimit -Sn 50")) == 0)
    #expect(folder.names(in: "out").count == 60)
  }
}
