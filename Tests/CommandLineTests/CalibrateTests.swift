import Archives
import Compilation
import FoundationEssentials
import Graphs
import Imaging
import Importers
import ModelFile
import Options
import Pictures
import Tensors
import Testing

@testable import apus

/// A directory that disappears with the test.
private final class Folder {
  let path: String
  init() throws {
    let name = "apus-calibrate-\(UInt64.random(in: 0 ... .max))"
    path = FileManager.default.temporaryDirectory.appending(path: name).path() + "/"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }
  var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }
  func write(_ text: String, to name: String) throws -> String {
    try text.write(toFile: path + name, atomically: false, encoding: .utf8)
    return path + name
  }
  func text(_ name: String) throws -> String {
    try String(contentsOfFile: path + name, encoding: .utf8)
  }
}

private let root = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().path()
private let detector = root + "Samples/detector/detector.onnx"
private let pictures = root + "Samples/pictures/validation"
private let preprocess = "size=320x320,resize=letterbox,raw-scale=1"
private let classifier = root + "Tests/Fixtures/exporters/squeezenet-legacy9.onnx"

private func apus(_ words: String...) -> Int32 { ApusTool.run(words) }

@Suite struct CalibrateVerbTests {
  @Test func `pictures become a table, the same for any number of threads`() throws {
    let folder = try Folder()
    for threads in ["1", "2", "3"] {
      let code = apus(
        "calibrate", detector, "--dataset", pictures, "--samples", "5", "--preprocess", preprocess,
        "--threads", threads, "-o", folder.path + threads)
      #expect(code == 0)
    }
    let text = try folder.text("1")
    #expect(try folder.text("2") == text)
    #expect(try folder.text("3") == text)
    let ranges = try Ranges(parsing: text)
    #expect(ranges.sampleCount == 5)
    #expect(ranges.isOnData)
    let graph = try Graph(onnxFile: detector)
    let input = graph[graph.inputs[0]].name
    let range = try #require(ranges.values[input])
    #expect(range.low >= 0 && range.high <= 1 && range.high > 0.5)
    #expect(range.channels?.count == 3)
    try ranges.validate(against: Calibrator(Compiler().compile(graph)).values)
    #expect(apus("calibrate", "--diff", folder.path + "1", folder.path + "2") == 0)
  }

  @Test func `random samples say that they are no data`() throws {
    let folder = try Folder()
    let target = folder.path + "ranges.txt"
    #expect(
      apus("calibrate", classifier, "--calibrate-random", "2", "-o", target, "--memory", "2G") == 0)
    #expect(try folder.text("ranges.txt").contains("NOT CALIBRATED ON DATA"))
    #expect(try !Ranges(parsing: folder.text("ranges.txt")).isOnData)
  }

  @Test func `mistakes on the command line end with 64`() throws {
    let folder = try Folder()
    let target = folder.path + "ranges.txt"
    #expect(apus("calibrate") == 64)
    #expect(apus("calibrate", classifier, "-o", target) == 64)
    #expect(apus("calibrate", classifier, "--calibrate-random", "1") == 64)
    #expect(apus("calibrate", "model.apus", "--calibrate-random", "1", "-o", target) == 64)
    #expect(
      apus(
        "calibrate", classifier, "--dataset", pictures, "--calibrate-random", "1", "-o", target)
        == 64)
    // Pictures without a preprocessing.
    #expect(apus("calibrate", classifier, "--dataset", pictures, "-o", target) == 64)
    #expect(apus("calibrate", "--diff", "a") == 64)
    #expect(
      apus(
        "calibrate", classifier, "--calibrate-random", "1", "-o", target, "--calibration-method",
        "max") == 64)
    #expect(folder.names.isEmpty)
  }

  @Test func `bad samples, missing ones, too little memory and bad places end as they should`()
    throws
  {
    let folder = try Folder()
    let target = folder.path + "ranges.txt"
    let inside = folder.path + "samples/"
    try FileManager.default.createDirectory(atPath: inside, withIntermediateDirectories: true)
    func calibrate(_ dataset: String, _ more: String...) -> Int32 {
      ApusTool.run(
        [
          "calibrate", detector, "--dataset", dataset, "--preprocess", preprocess, "-o", target,
        ] + more)
    }
    #expect(calibrate(folder.path + "absent") == 66)
    #expect(calibrate(inside) == 66)
    let bad = try folder.write("no picture", to: "samples/a.jpg")
    #expect(calibrate(inside) == 65)
    #expect(calibrate(bad) == 65)
    let list = try folder.write("absent.jpg\n", to: "list.txt")
    #expect(calibrate(list) == 66)
    #expect(calibrate(pictures, "--memory", "1M") == 71)
    #expect(
      apus(
        "calibrate", classifier, "--calibrate-random", "1", "-o", folder.path + "no/ranges.txt")
        == 74)
    #expect(folder.names == ["list.txt", "samples"])
  }
}

@Suite struct CheckpointFileTests {
  @Test func `belongs to one model, one list of samples and one set of options`() throws {
    let folder = try Folder()
    let graph = try Graph(onnxFile: detector)
    let calibrator = try Calibrator(Compiler().compile(graph))
    func checkpoint(_ limit: Int, _ options: String) throws -> CheckpointFile {
      let processing = Processing(
        inputs: [.init(name: calibrator.inputs[0].name, text: preprocess)])
      let source = try CalibrationSource(
        pictures, ports: calibrator.inputs, processing: processing, limit: limit)
      return try CheckpointFile(
        beside: folder.path + "ranges.txt", model: detector, source, options: options)
    }
    let file = try checkpoint(2, "a")
    #expect(file.read(calibrator) == nil)
    try file.save(calibrator, [calibrator.observer()])
    #expect(folder.names == ["ranges.txt.partial"])
    #expect(file.read(calibrator) != nil)
    #expect(try checkpoint(2, "a").read(calibrator) != nil)
    #expect(try checkpoint(3, "a").read(calibrator) == nil)
    #expect(try checkpoint(2, "b").read(calibrator) == nil)
    file.remove()
    #expect(folder.names.isEmpty)
  }
}

@Suite struct CalibrationSourceTests {
  private func calibrator(_ path: String) throws -> Calibrator {
    try Calibrator(Compiler().compile(Graph(onnxFile: path)))
  }

  private func source(
    _ path: String, _ model: String = detector, limit: Int? = nil, preprocessed: Bool = true
  ) throws -> CalibrationSource {
    let ports = try calibrator(model).inputs
    var processing = Processing()
    if preprocessed {
      processing.inputs = [Processing.Input(name: ports[0].name, text: preprocess)]
    }
    return try CalibrationSource(path, ports: ports, processing: processing, limit: limit)
  }

  /// The message of what `body` throws.
  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing was thrown"
    } catch {
      return (error as? UsageError)?.message ?? ApusTool.diagnose(error).message
    }
  }

  @Test func `samples are evenly spaced over the sorted pictures`() throws {
    let all = try source(pictures)
    let some = try source(pictures, limit: 4)
    #expect(all.count > 8)
    #expect(some.count == 4)
    for index in 0..<4 {
      #expect(some.name(at: index) == all.name(at: index * all.count / 4))
    }
    let names = (0..<all.count).map { all.name(at: $0) }
    #expect(names == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
    #expect(try source(pictures, limit: 100_000).count == all.count)
  }

  @Test func `a picture becomes what the preprocessing makes of it`() throws {
    let source = try source(pictures + "/0001.jpg")
    let tensors = try source.sample(at: 0)
    #expect(tensors[0].shape == source.ports[0].shape)
    let expected = Preprocessor(
      try Preprocessing(parsing: preprocess).resolved(
        input: source.ports[0].name, shape: source.ports[0].shape, type: .float32)
    ).tensor(of: [try Picture.read(pictures + "/0001.jpg")]).tensor
    #expect(tensors[0].floats() == expected.floats())
  }

  @Test func `a list names files relative to itself`() throws {
    let folder = try Folder()
    try FileManager.default.copyItem(
      atPath: pictures + "/0001.jpg", toPath: folder.path + "b.jpg")
    let list = try folder.write("# two\n\nb.jpg\n\(pictures)/0001.jpg\n", to: "list.txt")
    let source = try source(list)
    #expect(source.count == 2)
    #expect(try source.sample(at: 0)[0].floats() == source.sample(at: 1)[0].floats())
    let wrong = try folder.write("\nb.jpg,b.jpg\n", to: "wrong.txt")
    #expect(
      message { _ = try self.source(wrong) }
        == "\(wrong), line 2: names 2 files, but the model has 1 input: \(source.ports[0].name)")
    let empty = try folder.write("\n", to: "empty.txt")
    #expect(
      message { _ = try self.source(empty) }
        == "\(empty): lists no sample; write one path per line")
  }

  @Test func `an npz holds samples along the leading dimension`() throws {
    let folder = try Folder()
    let port = try calibrator(classifier).inputs[0]
    var shape = port.shape
    shape[0] = 3
    let values = (0..<shape.elementCount).map { Float($0 % 977) / 977 }
    let path = folder.path + "samples.npz"
    try Archive.write([NamedTensor(port.name, TensorBuffer(shape, values))], to: path)
    let source = try source(path, classifier, preprocessed: false)
    #expect(source.count == 3)
    let each = port.shape.elementCount
    #expect(try source.sample(at: 1)[0].floats() == Array(values[each..<2 * each]))
    #expect(source.name(at: 2) == "\(path), sample 2")
    #expect(try self.source(path, classifier, limit: 1, preprocessed: false).count == 1)
  }

  @Test func `arrays that do not fit are named with both sides`() throws {
    let folder = try Folder()
    let port = try calibrator(classifier).inputs[0]
    let path = folder.path + "samples.npz"
    func message(_ tensors: [NamedTensor]) throws -> String {
      try Archive.write(tensors, to: path)
      return self.message { _ = try source(path, classifier, preprocessed: false) }
    }
    #expect(
      try message([NamedTensor("nobody", TensorBuffer([1], [0]))])
        == "\(path): the model has no input \"nobody\"; it has \"\(port.name)\".")
    #expect(
      try message([NamedTensor(port.name, TensorBuffer([2, 3], [Float](repeating: 0, count: 6)))])
        == "\(path): \"\(port.name)\" is float32 2x3, but N samples of the model's input are "
        + "float32 \(port.shape) with its first extent times N")
    #expect(
      try message([NamedTensor(port.name, TensorBuffer(zeros: .uint8, port.shape))])
        == "\(path): \"\(port.name)\" is uint8 \(port.shape), but N samples of the model's input "
        + "are float32 \(port.shape) with its first extent times N")
  }

  @Test func `the check names what is wrong with a sample`() throws {
    let folder = try Folder()
    let port = try calibrator(classifier).inputs[0]
    var shape = port.shape
    shape[0] = 2
    var values = (0..<shape.elementCount).map { Float($0 % 256) }
    let path = folder.path + "samples.npz"
    func check() throws -> SampleCheck.Result {
      try Archive.write([NamedTensor(port.name, TensorBuffer(shape, values))], to: path)
      return try SampleCheck(source(path, classifier, preprocessed: false)).run(threads: 2)
    }
    #expect(
      try check().warnings == [
        "\(path): input \"\(port.name)\" spans 0.0 to 255.0 in whole numbers, like raw pixels. "
          + "Right only if the model itself takes 0 to 255; otherwise scale the samples as in "
          + "training"
      ])
    values = values.map { $0 / 255 }
    #expect(try check().warnings.isEmpty)
    for index in 0..<port.shape.elementCount { values[index] = 0.5 }
    #expect(
      try check().warnings == [
        "\(path), sample 0: input \"\(port.name)\" holds nothing but 0.5. Look whether the samples "
          + "are what they should be"
      ])
    values[port.shape.elementCount + 7] = .nan
    #expect(
      message { _ = try check() }
        == "\(path), sample 1: input \"\(port.name)\" holds nan at element 7; correct the sample "
        + "or leave it out")
  }

  @Test func `tensors in other units than the preprocessing gives are pointed out`() throws {
    let folder = try Folder()
    let port = try calibrator(detector).inputs[0]
    let path = folder.path + "samples.npz"
    let values = (0..<port.shape.elementCount).map { Float($0 % 256) }
    try Archive.write([NamedTensor(port.name, TensorBuffer(port.shape, values))], to: path)
    #expect(
      try SampleCheck(source(path)).run(threads: 1).warnings == [
        "\(path): input \"\(port.name)\" spans 0.0 to 255.0, but the declared preprocessing gives "
          + "0 to 1: other units? Tensors bypass preprocessing and must hold what the model takes"
      ])
  }

  @Test func `pictures without a preprocessing print the option to add`() throws {
    let name = try calibrator(classifier).inputs[0].name
    let text = message { _ = try source(pictures + "/0001.jpg", classifier, preprocessed: false) }
    #expect(text.contains("add for example\n  --preprocess '\(name):size="))
  }

  @Test func `a table is told from a list by its first line`() throws {
    let folder = try Folder()
    let table = try folder.write("# apus ranges 1\nx 0 1\n", to: "a.txt")
    let list = try folder.write("# apus is a bird\n0001.jpg\n", to: "b.txt")
    #expect(try RangesFile.read(ifTable: table)?.values.count == 1)
    #expect(try RangesFile.read(ifTable: list) == nil)
    let newer = try folder.write("# apus ranges 2\nx 0 1\n", to: "c.txt")
    #expect(throws: CompileError.self) { try RangesFile.read(ifTable: newer) }
  }
}
