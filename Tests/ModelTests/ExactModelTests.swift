import Archives
import Compilation
import FoundationEssentials
import Graphs
import Importers
import Instructions
import Kernels
import Runtime
import Tensors
import Testing

/// Whole models in programs with quantised tensors: the same bits on every ISA that this machine
/// has, and for any number of threads.
@Suite struct ExactModelTests {
  private static let isas: [ISA] = [.portable, .avx2, .avx512, .avx512bf16].filter(\.isAvailable)

  /// Real models, beside the project; not part of it.
  private static let models = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "shared/data/models").path()

  private static let realModels: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: models)) ?? [])
    .filter { $0.hasSuffix(".onnx") }.sorted()

  @Test(arguments: ExporterFixtureTests.names)
  func `a fixture gives the same bits everywhere`(_ name: String) throws {
    let graph = try Graph(onnxFile: "\(ExporterFixtureTests.folder)/\(name).onnx")
    let data = try Archive.read("\(ExporterFixtureTests.folder)/\(name).npz")
    let tensors = Dictionary(uniqueKeysWithValues: data.map { ($0.name, $0.tensor) })
    let inputs = try graph.inputs.map { id in
      try #require(tensors["in:\(graph[id].name)"], "input \(graph[id].name)")
    }
    let shapes = InputShapes(
      Dictionary(
        uniqueKeysWithValues: zip(graph.inputs, inputs).map { (graph[$0].name, $1.shape) }))
    try compare(Compiler().compile(graph, shapes: shapes), inputs, name)
  }

  @Test func `says which instruction sets it covers`() {
    print("exact models compared on:", ExactModelTests.isas.map(\.description))
    #expect(ExactModelTests.isas.contains(.portable))
  }

  @Test(
    .enabled(if: !realModels.isEmpty, "NO MODELS: ../shared/data/models is absent"),
    arguments: realModels)
  func `a real model gives the same bits everywhere`(_ name: String) throws {
    let graph = try Graph(onnxFile: "\(ExactModelTests.models)/\(name)")
    var open: [String: Shape] = [:]
    for id in graph.inputs where graph[id].shape == nil {
      // Batches of one; whatever else is open is made large enough for any network.
      open[graph[id].name] = Shape(
        (graph[id].dimensions ?? []).enumerated().map { axis, dimension in
          if case .known(let extent) = dimension { return extent }
          return axis == 0 ? 1 : 224
        })
    }
    let compiled = try Compiler().compile(graph, shapes: InputShapes(open))
    var random = RandomInputs()
    // Plain C is slow: one run of it.
    try compare(
      compiled, random.tensors(for: compiled.lowered.program.inputs), name, portableThreads: 1)
  }

  /// Runs the program with a quantised tensor that nobody uses, which makes it exact.
  private func compare(
    _ compiled: CompiledProgram, _ inputs: [TensorBuffer], _ name: String, portableThreads: Int = 3
  ) throws {
    var program = compiled.lowered.program
    program.tensors.append(
      TensorSpec(
        name: "unused", type: .uint8, shape: [1],
        quantization: Quantization(scale: 1, zeroPoint: 0)))
    var wanted: [TensorBuffer] = []
    for isa in ExactModelTests.isas {
      for threads in 1...(isa == .portable ? portableThreads : 3) {
        let session = try Evaluation.session(
          program, constants: compiled.lowered.constants, threads: threads, isas: isa.included)
        let outputs = try session.run(inputs)
        if wanted.isEmpty { wanted = outputs }
        for (port, (output, first)) in zip(session.outputs, zip(outputs, wanted)) {
          let isEqual = output.withBytes { a in first.withBytes { b in a.elementsEqual(b) } }
          #expect(isEqual, "\(name), \(port.name), \(isa), \(threads) threads")
        }
      }
    }
  }
}
