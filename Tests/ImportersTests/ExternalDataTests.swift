import Graphs
import Testing

@testable import Importers

#if canImport(Glibc)
  import Glibc
#endif

/// Weights in files beside the model, and attempts to reach other files.
struct ExternalDataTests {
  /// A directory that goes away with the test.
  private final class Folder {
    let path: String

    init() {
      var template = Array("/tmp/apus-external-XXXXXX".utf8CString)
      path = mkdtemp(&template).map { String(cString: $0) } ?? ""
      mkdir(path + "/model", 0o700)
      mkdir(path + "/model/sub", 0o700)
      write("model/w.bin", raw([1, 2, 3, 4] as [Float]))
      write("model/sub/w.bin", raw([5, 6] as [Float]))
      write("secret", raw([7, 8] as [Float]))
      symlink("../secret", path + "/model/link")
      symlink("..", path + "/model/up")
      link(path + "/secret", path + "/model/hard")
      mkfifo(path + "/model/pipe", 0o600)
    }

    func write(_ name: String, _ bytes: [UInt8]) {
      guard let file = fopen("\(path)/\(name)", "w") else { return }
      fwrite(bytes, 1, bytes.count, file)
      fclose(file)
    }

    deinit {
      for name in ["w.bin", "sub/w.bin", "link", "up", "hard", "pipe", "m.onnx"] {
        unlink("\(path)/model/\(name)")
      }
      rmdir(path + "/model/sub")
      rmdir(path + "/model")
      unlink(path + "/secret")
      rmdir(path)
    }
  }

  private func model(_ entries: [(String, String)], count: Int = 2) -> [UInt8] {
    ONNX.model(
      ONNX.graph(
        nodes: [ONNX.node("Probe", ["w"], ["y"])],
        constants: [ONNX.external("w", [count], entries)], outputs: [ONNX.value("y")]))
  }

  private func refusal(_ folder: Folder, _ entries: [(String, String)]) -> String {
    message(model(entries), directory: folder.path + "/model")
  }

  @Test func `data are found by location, offset and length`() throws {
    let folder = Folder()
    for (location, offset, values) in [
      ("w.bin", "8", [3, 4]), ("./sub/w.bin", "0", [5, 6] as [Float]),
    ] {
      let graph = try imported(
        model([("location", location), ("offset", offset), ("length", "8"), ("checksum", "?")]),
        directory: folder.path + "/model")
      #expect(graph.value(named: "w")?.constant?.floats() == values)
    }
  }

  @Test func `a model file finds them in its own directory`() throws {
    let folder = Folder()
    folder.write(
      "model/m.onnx",
      ONNX.model(
        ONNX.graph(
          nodes: [ONNX.node("Identity", ["w"], ["y"])],
          constants: [ONNX.external("w", [2], [("location", "w.bin")])],
          outputs: [ONNX.value("y")])))
    let graph = try Graph(onnxFile: folder.path + "/model/m.onnx")
    #expect(graph.value(named: "w")?.constant?.floats() == [1, 2])
  }

  @Test func `weights of more than 4 GB are mapped, not read`() throws {
    let folder = Folder()
    // A hole in the file takes no disk; only the last two numbers are written.
    let count = (5 << 30) / 4
    let file = open(folder.path + "/model/w.bin", O_WRONLY)
    #expect(ftruncate(file, count * 4 - 8) == 0)
    #expect(lseek(file, 0, SEEK_END) == count * 4 - 8)
    #expect(raw([1.5, -2] as [Float]).withUnsafeBytes { Glibc.write(file, $0.baseAddress, 8) } == 8)
    close(file)
    let before = residentBytes()
    let graph = try imported(
      model([("location", "w.bin")], count: count), directory: folder.path + "/model")
    let weights = try #require(graph.value(named: "w")?.constant)
    #expect(weights.byteCount == 5 << 30)
    let last = weights.withBytes { bytes in
      (count - 3..<count).map { bytes.load(fromByteOffset: $0 * 4, as: Float.self) }
    }
    #expect(last == [0, 1.5, -2])
    // Other tests of this process need some memory meanwhile.
    #expect(residentBytes() - before < 2 << 30)
  }

  /// The memory of this process that is in use, from /proc.
  private func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 200)
    guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
    let words = String(decoding: line.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
      separator: " ")
    return words.count > 1 ? (Int(words[1]) ?? 0) * 4096 : 0
  }

  @Test(arguments: [
    "../secret", "/etc/hostname", "sub/../../secret", "link", "up/secret", "hard", "pipe", "sub",
    "sub/", "", "a//b", "nul\0l", "..", ".",
  ])
  func `no path leads out of the model's directory or to anything but a file`(location: String) {
    let folder = Folder()
    let text = refusal(folder, [("location", location)])
    #expect(text.contains("tensor \"w\""), "\(text)")
  }

  @Test(arguments: [
    ("12", "8", "lie outside"), ("9223372036854775807", "8", "lie outside"),
    ("-4", "8", "with the offset \"-4\""), ("x", "8", "with the offset \"x\""),
    ("0", "9", "external data of 9 bytes, but the tensor needs 8"),
    ("99999999999999999999", "8", "with the offset"),
  ])
  func `ranges outside the file are refused`(offset: String, length: String, text: String) {
    let folder = Folder()
    let found = refusal(
      folder, [("location", "w.bin"), ("offset", offset), ("length", length)])
    #expect(found.contains(text), "\(found)")
  }

  @Test func `a missing file and a missing directory are named`() {
    let folder = Folder()
    #expect(refusal(folder, [("location", "none.bin")]).contains("cannot open the external data"))
    #expect(message(model([("location", "w.bin")])).contains("a model given as bytes"))
    #expect(refusal(folder, [("offset", "0")]).contains("without a location"))
  }

  @Test func `a model that is no regular file is unreadable`() {
    let folder = Folder()
    for (name, text) in [
      ("/model", "is a directory"), ("/model/pipe", "is not a file"), ("/none", "cannot open"),
    ] {
      #expect {
        _ = try Graph(onnxFile: folder.path + name)
      } throws: { error in
        let error = error as? ImportError
        return error?.code == .unreadable && error?.description.contains(text) ?? false
      }
    }
  }
}
