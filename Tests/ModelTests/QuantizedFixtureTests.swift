import Archives
import Compilation
import FoundationEssentials
import Graphs
import Importers
import Kernels
import Runtime
import Tensors
import Testing

/// Models with QuantizeLinear and DequantizeLinear nodes around one operator, with ONNX Runtime's
/// outputs: int8 programs keep the models' scales, and so their bits.
@Suite struct QuantizedFixtureTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/quantized").path()

  static let names: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
    .filter { $0.hasSuffix(".onnx") }.map { String($0.dropLast(5)) }.sorted()

  @Test func `there are fixtures`() {
    #expect(QuantizedFixtureTests.names.count >= 40)
  }

  @Test(arguments: names)
  func `an int8 program gives the model's own bits`(_ name: String) throws {
    let (graph, inputs, reference) = try load(name)
    let compiled = try Compiler(precision: .int8).compile(graph)
    #expect(compiled.precision == .int8)
    var bits: [UInt8]?
    for isa in ISA.available {
      for threads in 1...2 {
        let session = try Evaluation.session(
          compiled.lowered.program, constants: compiled.lowered.constants, threads: threads,
          isas: isa.included)
        let output = try session.run(inputs)[0]
        let own = output.withBytes { Array($0) }
        #expect(own == bits ?? own, "\(name), \(isa), \(threads) threads")
        bits = own
        try expect(output, reference, "\(name), \(isa)")
      }
    }
  }

  @Test(arguments: names)
  func `an explicit fp32 executes the nodes literally`(_ name: String) throws {
    let (graph, inputs, reference) = try load(name)
    let compiled = try Compiler(precision: .fp32).compile(graph)
    #expect(compiled.lowered.program.tensors.allSatisfy { $0.quantization == nil })
    let outputs = try Evaluation.run(
      compiled.lowered.program, constants: compiled.lowered.constants, inputs: inputs)
    try expect(outputs[0], reference, name)
  }

  @Test(arguments: ["conv3x3-relu-uint8", "depthwise3x3-int8", "matmul-activations-uint8"])
  func `products compute on integers`(_ name: String) throws {
    let (graph, _, _) = try load(name)
    let compiled = try Compiler(precision: .int8).compile(graph)
    let opcodes = compiled.lowered.program.instructions.map(\.opcode)
    #expect(opcodes.contains { $0.hasSuffix("_int8") })
    #expect(!opcodes.contains { $0.contains("dequantize") })
  }

  @Test(arguments: ["add-int8", "add-uint8"])
  func `a sum that is only quantised stays in 8 bits`(_ name: String) throws {
    let (graph, _, _) = try load(name)
    let opcodes = try Compiler(precision: .int8).compile(graph).lowered.program.instructions
      .map(\.opcode)
    #expect(opcodes.contains("binary_int8") && !opcodes.contains("quantize"), "\(opcodes)")
  }

  /// At most one step apart, and equal in 99.9 % of all elements (small outputs: all but one).
  private func expect(
    _ output: TensorBuffer, _ reference: TensorBuffer, _ place: String
  ) throws {
    try #require(output.type == reference.type && output.shape == reference.shape, "\(place)")
    let a = try #require(output.integers())
    let b = try #require(reference.integers())
    let differences = zip(a, b).map { abs($0 - $1) }
    #expect(differences.max() ?? 0 <= 1, "\(place)")
    #expect(differences.count { $0 != 0 } <= max(1, a.count / 1000), "\(place)")
  }

  private func load(
    _ name: String
  ) throws -> (graph: Graph, inputs: [TensorBuffer], reference: TensorBuffer) {
    let graph = try Graph(onnxFile: "\(QuantizedFixtureTests.folder)/\(name).onnx")
    let data = try Archive.read("\(QuantizedFixtureTests.folder)/\(name).npz")
    let tensors = Dictionary(uniqueKeysWithValues: data.map { ($0.name, $0.tensor) })
    let inputs = try graph.inputs.map { try #require(tensors["in:\(graph[$0].name)"]) }
    return (graph, inputs, try #require(tensors["out:y"]))
  }
}
