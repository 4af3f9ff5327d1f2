import Archives
import FoundationEssentials
import Tensors
import Testing

@testable import apus

/// Models that no single program can hold, from the command line.
@Suite struct StagedRunTests {
  private static let fixtures =
    URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/staged").path() + "/"

  /// A directory that disappears with the test.
  private final class Folder {
    let path: String
    init() throws {
      let name = "apus-staged-\(UInt64.random(in: 0 ... .max))"
      path = FileManager.default.temporaryDirectory.appending(path: name).path() + "/"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }
  }

  private func apus(_ words: String...) -> Int32 { ApusTool.run(words) }

  /// Writes inputs, and returns the path.
  private func file(_ tensors: [NamedTensor], in folder: Folder) throws -> String {
    let path = folder.path + "in.npz"
    try Archive.write(tensors, to: path)
    return path
  }

  @Test(arguments: ["onnx", "apus"])
  func `run though shapes depend on data`(form: String) throws {
    let folder = try Folder()
    var model = Self.fixtures + "data-dependent.onnx"
    if form == "apus" {
      let compiled = folder.path + "model.apus"
      #expect(apus("compile", model, "-o", compiled) == 0)
      #expect(apus("verify", compiled) == 0)
      #expect(apus("inspect", compiled) == 0)
      model = compiled
    }
    for x in [[1, -1, 0, 2, -3, 1] as [Float], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]] {
      let input = try file([NamedTensor("x", TensorBuffer([6], x))], in: folder)
      let output = folder.path + "out.npz"
      #expect(apus("run", model, "--input", input, "-o", output) == 0)
      let expected = x.enumerated().map { Float($0.offset + 1) * $0.element }.filter { $0 > 0 }
      let results = try Archive.read(output)
      #expect(results.map(\.name) == ["y", "n"])
      #expect(results[0].tensor.shape == [expected.count, 1])
      #expect(results[0].tensor.floats() == expected)
      #expect(results[1].tensor.integers() == [expected.count])
    }
  }

  @Test func `a file without programs is refused where programs are asked for`() throws {
    let folder = try Folder()
    let model = folder.path + "model.apus"
    #expect(apus("compile", Self.fixtures + "loop.onnx", "-o", model, "--precision", "bf16") == 0)
    #expect(apus("bench", model, "--runs", "1") == 65)
    let preprocessed = folder.path + "other.apus"
    #expect(
      apus(
        "compile", Self.fixtures + "loop.onnx", "-o", preprocessed, "--preprocess", "size=1x1")
        == 64)
    #expect(!folder.names.contains("other.apus"))
  }

  @Test func `run loops`() throws {
    let folder = try Folder()
    let times = TensorBuffer(.int64, [], [Int64(4)])
    let input = try file([NamedTensor("M", times)], in: folder)
    let output = folder.path + "out.npz"
    #expect(apus("run", Self.fixtures + "loop.onnx", "--input", input, "-o", output) == 0)
    #expect(try Archive.read(output).map { $0.tensor.floats() } == [[6], [0, 1, 2, 3]])
    // The loop that does not end by itself is not meant to run for long here.
    #expect(apus("run", Self.fixtures + "endless.onnx", "--input", input, "-o", output) == 0)
  }

  @Test func `write sequences element by element`() throws {
    let folder = try Folder()
    let x = TensorBuffer([3, 2], [1, 2, 3, 4, 5, 6])
    let input = try file([NamedTensor("x", x)], in: folder)
    let output = folder.path + "out.npz"
    #expect(apus("run", Self.fixtures + "sequence.onnx", "--input", input, "-o", output) == 0)
    let results = try Archive.read(output)
    #expect(results.map(\.name) == ["parts[0]", "parts[1]", "parts[2]", "rest"])
    #expect(results.map { $0.tensor.floats() } == [[1, 2], [3, 4], [5, 6], [3, 4, 5, 6]])
  }

  @Test func `refuse inputs that the model does not have`() throws {
    let folder = try Folder()
    let input = try file([NamedTensor("y[0]", TensorBuffer([1], [1]))], in: folder)
    #expect(apus("run", Self.fixtures + "sequence.onnx", "--input", input) == 65)
    #expect(apus("run", Self.fixtures + "sequence.onnx") == 64)
  }
}
