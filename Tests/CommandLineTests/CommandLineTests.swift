import Archives
import FoundationEssentials
import Tensors
import Testing

@testable import apus

/// The command line as scripts see it: files in, files and exit codes out.
@Suite struct CommandLineTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path()
  private static let fixtures = root + "Tests/Fixtures/exporters/"

  /// A directory that disappears with the test.
  private final class Folder {
    let path: String
    init() throws {
      let name = "apus-command-line-\(UInt64.random(in: 0 ... .max))"
      path = FileManager.default.temporaryDirectory.appending(path: name).path() + "/"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }
  }

  private func apus(_ words: String...) -> Int32 { ApusTool.run(words) }

  /// The inputs of a fixture as a file of their own.
  private func inputs(of name: String, in folder: Folder) throws -> String {
    let path = folder.path + "input.npz"
    let tensors = try Archive.read(Self.fixtures + name + ".npz")
      .filter { $0.name.hasPrefix("in:") }
      .map { NamedTensor(String($0.name.dropFirst(3)), $0.tensor) }
    try Archive.write(tensors, to: path)
    return path
  }

  @Test func `compiles, verifies, runs and compares`() throws {
    let folder = try Folder()
    let source = Self.fixtures + "squeezenet-legacy9.onnx"
    let input = try inputs(of: "squeezenet-legacy9", in: folder)
    let model = folder.path + "model.apus"
    #expect(apus("compile", source, "-o", model, "--test-input", input) == 0)
    #expect(apus("verify", model) == 0)
    #expect(apus("run", model, "--input", input, "-o", folder.path + "a.npz") == 0)
    #expect(
      apus("run", source, "--input", input, "-o", folder.path + "b.npz", "--isa", "portable") == 0)
    #expect(
      apus(
        "compare", folder.path + "a.npz", folder.path + "b.npz", "--tolerance", "cosine=0.99999")
        == 0)
    #expect(apus("inspect", model, "--memory") == 0)
    #expect(apus("bench", model, "--runs", "2", "--json", "--layers") == 0)
  }

  @Test func `finds objects in pictures`() throws {
    let folder = try Folder()
    let model = folder.path + "detector.apus"
    #expect(
      apus(
        "compile", Self.root + "Samples/detector/detector.onnx", "-o", model, "--preprocess",
        "size=320x320,resize=letterbox,raw-scale=1", "--postprocess",
        "yolov8:classes=\(Self.root)Samples/detector/classes.txt", "--no-proof") == 0)
    let picture = Self.root + "Samples/pictures/validation/0001.jpg"
    let json = folder.path + "objects.json"
    #expect(apus("run", model, "--input", picture, "-o", json, "-o", folder.path + "a.jpg") == 0)
    let text = try String(contentsOfFile: json, encoding: .utf8)
    #expect(text.contains("\"label\":\"bus\""))
    #expect(folder.names.contains("a.jpg"))
    #expect(apus("bench", model, "--preprocessing", "640x480:nv12", "--runs", "3", "--json") == 0)
    #expect(apus("bench", model, "--preprocessing", "640x480:nv13") == 64)
    #expect(apus("bench", model, "--preprocessing", "640") == 64)
  }

  @Test func `mistakes on the command line end with 64`() {
    #expect(apus("runn") == 64)
    #expect(apus("run", "model.apus", "--inputt", "x") == 64)
    #expect(apus("compile", Self.fixtures + "squeezenet-legacy9.onnx") == 64)
    #expect(
      apus("run", Self.fixtures + "squeezenet-legacy9.onnx", "--input", "a.jpg", "-o", "b.json")
        == 64)
  }

  @Test func `bad data ends with 65, missing data with 66, missing features with 71`() throws {
    let folder = try Folder()
    let source = Self.fixtures + "squeezenet-legacy9.onnx"
    let wrong = folder.path + "wrong.npz"
    try Archive.write([NamedTensor("nobody", TensorBuffer([1], [0]))], to: wrong)
    #expect(apus("run", source, "--input", wrong) == 65)
    #expect(apus("run", source, "--input", folder.path + "absent.npz") == 66)
    #expect(apus("run", folder.path + "absent.onnx", "--input", wrong) == 66)
    #expect(apus("run", source, "--input", wrong, "--isa", "neon") == 71)
    #expect(apus("run", Self.fixtures + "subgraph.onnx", "--input", wrong) == 65)
  }

  @Test func `an output that cannot be written ends with 74 and leaves nothing`() throws {
    let folder = try Folder()
    let source = Self.fixtures + "squeezenet-legacy9.onnx"
    #expect(apus("compile", source, "-o", folder.path + "no/x.apus", "--no-proof") == 74)
    #expect(folder.names.isEmpty)
  }
}
