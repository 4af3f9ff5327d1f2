import Archives
import Compilation
import FoundationEssentials
import Graphs
import Importers
import Kernels
import Runtime
import Tensors
import Testing

/// Small models made by real exporters, with the frameworks' own inputs and outputs: what proves
/// that a model means here what it means there.
@Suite struct ExporterFixtureTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/exporters").path()

  static let names: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
    .filter { $0.hasSuffix(".onnx") }.map { String($0.dropLast(5)) }.sorted()

  @Test func `there are fixtures`() {
    #expect(ExporterFixtureTests.names.count >= 20)
  }

  @Test(arguments: names)
  func `portable kernels give the framework's outputs`(_ name: String) throws {
    try check(name, Compiler(), isas: ISA.portable.included)
  }

  @Test(arguments: names)
  func `the fastest kernels give the framework's outputs`(_ name: String) throws {
    try check(name, Compiler(), isas: ISA.host)
  }

  @Test(arguments: names)
  func `without fusion the outputs are the same`(_ name: String) throws {
    try check(name, Compiler(fuses: false), isas: ISA.host)
  }

  @Test(arguments: names)
  func `bf16 programs stay close to the framework's outputs`(_ name: String) throws {
    try check(name, Compiler(precision: .bf16), isas: ISA.host, cosine: 0.99, relative: 0.2)
  }

  /// Random weights leave little to compare closely; what is asked here is that int8 programs mean
  /// the same, and give the same bits on every ISA and number of threads.
  @Test(arguments: names)
  func `int8 programs give the same bits everywhere`(_ name: String) throws {
    let (graph, inputs, tensors) = try load(name)
    let shapes = InputShapes(
      Dictionary(
        uniqueKeysWithValues: zip(graph.inputs, inputs).map { (graph[$0].name, $1.shape) }))
    let float = try Compiler().compile(graph, shapes: shapes)
    let calibrator = try Calibrator(float)
    let observer = try calibrator.observer()
    try observer.observe(inputs, sample: 0, name: name)
    let ranges = calibrator.calibration([observer]).ranges(method: .minmax)
    let compiled = try Compiler(
      precision: .int8, quantization: QuantizationOptions(ranges: ranges)
    ).compile(graph, shapes: shapes)
    var bits: [UInt8]?
    for isa in ISA.available {
      for threads in 1...2 {
        let session = try Evaluation.session(
          compiled.lowered.program, constants: compiled.lowered.constants, threads: threads,
          isas: isa.included)
        let outputs = try session.run(inputs)
        let own = outputs.flatMap { output in output.withBytes { Array($0) } }
        #expect(own == bits ?? own, "\(name), \(isa), \(threads) threads")
        bits = own
        for (port, output) in zip(session.outputs, outputs) where output.type.isFloat {
          let reference = try #require(tensors["out:\(port.name)"], "output \(port.name)")
          #expect(try Agreement(output, reference).cosine > 0.97, "\(name), \(port.name), \(isa)")
        }
      }
    }
  }

  /// A fixture's model, its inputs in order, and all its tensors.
  private func load(
    _ name: String
  ) throws -> (Graph, [TensorBuffer], [String: TensorBuffer]) {
    let graph = try Graph(onnxFile: "\(ExporterFixtureTests.folder)/\(name).onnx")
    let data = try Archive.read("\(ExporterFixtureTests.folder)/\(name).npz")
    let tensors = Dictionary(uniqueKeysWithValues: data.map { ($0.name, $0.tensor) })
    let inputs = try graph.inputs.map { id in
      try #require(tensors["in:\(graph[id].name)"], "input \(graph[id].name)")
    }
    return (graph, inputs, tensors)
  }

  private func check(
    _ name: String, _ compiler: Compiler, isas: Set<ISA>, cosine: Double = 0.99999,
    relative: Double = 1e-4
  ) throws {
    let (graph, inputs, tensors) = try load(name)
    let shapes = InputShapes(
      Dictionary(
        uniqueKeysWithValues: zip(graph.inputs, inputs).map { (graph[$0].name, $1.shape) }))
    let compiled = try compiler.compile(graph, shapes: shapes)
    let session = try Evaluation.session(
      compiled.lowered.program, constants: compiled.lowered.constants, isas: isas)
    for run in 1...2 {
      let outputs = try session.run(inputs)
      for (port, output) in zip(session.outputs, outputs) {
        let reference = try #require(tensors["out:\(port.name)"], "output \(port.name)")
        try Agreement(output, reference).expect(
          "\(name), \(port.name), run \(run)", cosine: cosine, relative: relative)
      }
    }
  }
}

/// How well a tensor agrees with its reference.
struct Agreement {
  let cosine: Double
  /// max |Δ| / max |reference|
  let relative: Double
  /// The share of equal elements.
  let equalShare: Double
  let isFloat: Bool

  init(_ tensor: TensorBuffer, _ reference: TensorBuffer) throws {
    try #require(tensor.type == reference.type)
    try #require(tensor.shape == reference.shape)
    let a = try #require(tensor.floats()).map(Double.init)
    let b = try #require(reference.floats()).map(Double.init)
    var (dot, aa, bb, difference, largest) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      dot += x * y
      aa += x * x
      bb += y * y
      difference = max(difference, abs(x - y).isNaN ? .infinity : abs(x - y))
      largest = max(largest, abs(y))
    }
    cosine = aa == 0 && bb == 0 ? 1 : dot / (aa.squareRoot() * bb.squareRoot())
    relative = difference == 0 ? 0 : difference / largest
    equalShare = a.isEmpty ? 1 : Double(zip(a, b).count { $0 == $1 }) / Double(a.count)
    isFloat = tensor.type.isFloat
  }

  /// Integers must be equal, but for the places of maxima where rounding is allowed.
  func expect(_ place: String, cosine limit: Double, relative bound: Double) throws {
    guard isFloat else {
      #expect(equalShare >= (limit < 0.999 ? 0.8 : 1), "\(place)")
      return
    }
    #expect(cosine >= limit, "\(place)")
    #expect(relative <= bound, "\(place)")
  }
}
