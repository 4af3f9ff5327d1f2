import FoundationEssentials
import Graphs
import Importers
import Instructions
import Kernels
import ModelFile
import Operators
import Runtime
import Tensors
import Testing

@testable import Compilation

/// A fixture model by name.
private func fixture(_ name: String) throws -> Graph {
  let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/exporters").path()
  return try Graph(onnxFile: "\(folder)/\(name).onnx")
}

/// The operators of a graph, by name.
private func operators(_ graph: Graph) -> [String: Int] {
  graph.nodes.reduce(into: [:]) { $0[type(of: $1.op).name, default: 0] += 1 }
}

@Suite struct CompilerTests {
  @Test func `shape arithmetic folds away`() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path()
    let detector = try Graph(onnxFile: folder + "Samples/detector/detector.onnx")
    for (graph, name) in [(detector, "Shape"), (try fixture("bert-legacy11"), "ConstantOfShape")] {
      let compiled = try Compiler().compile(graph)
      #expect(operators(compiled.origin)[name, default: 0] > 0, "\(name)")
      #expect(operators(compiled.optimised)[name] == nil, "\(name)")
    }
  }

  @Test func `normalisation moves into the convolutions`() throws {
    let compiled = try Compiler().compile(fixture("paddle-hard"))
    #expect(operators(compiled.source)["BatchNormalization"] == 3)
    #expect(operators(compiled.optimised)["BatchNormalization"] == nil)
  }

  @Test func `activations and residuals move into the convolutions`() throws {
    let compiled = try Compiler().compile(fixture("resnet-legacy9"))
    let left = operators(compiled.optimised)
    #expect(operators(compiled.source)["Relu", default: 0] > 0)
    #expect(left["Relu"] == nil)
    #expect(left["Add"] == nil)
    #expect(left["Conv"] == operators(compiled.source)["Conv"])
  }

  @Test func `spelt-out layer normalisation and GELU are recognised`() throws {
    let compiled = try Compiler().compile(fixture("vit-legacy14"))
    let left = operators(compiled.optimised)
    #expect(left["LayerNormalization", default: 0] > 0)
    #expect(left["Erf"] == nil)
    #expect(left["ReduceMean", default: 0] < operators(compiled.source)["ReduceMean", default: 0])
  }

  @Test func `without fusion every source node is lowered`() throws {
    let graph = try fixture("resnet-legacy9")
    let compiled = try Compiler(fuses: false).compile(graph)
    #expect(operators(compiled.optimised) == operators(compiled.source))
  }

  @Test func `the same input gives the same bytes`() throws {
    func bytes() throws -> [UInt8] {
      let compiled = try Compiler(precision: .bf16).compile(fixture("mobilenetv3-legacy14"))
      return try ModelWriter.bytes(of: ModelAssembly.contents(of: [compiled]))
    }
    let first = try bytes()
    #expect(try bytes() == first)
  }

  @Test func `concatenations become views where rows stay aligned`() throws {
    let compiled = try Compiler().compile(fixture("densenet-legacy9"))
    let views = compiled.lowered.program.tensors.filter { spec in
      if case .view = spec.storage { return spec.rowStride > spec.rowLength }
      return false
    }
    #expect(views.count > 0)
  }

  @Test func `bf16 keeps outputs and gates in float32`() throws {
    let graph = try Compiler().compile(fixture("mobilenetv3-legacy14")).optimised
    let storage = StorageAssignment(graph)
    #expect(!storage.bfloat16.isEmpty)
    for id in graph.outputs { #expect(storage.storage(of: id) == .float32) }
    for id in storage.bfloat16 {
      let shape = try #require(graph[id].shape)
      #expect(shape.rank < 3 || shape.dimensions.dropFirst(2).contains { $0 != 1 })
    }
    #expect(StorageAssignment(graph, floatNodes: graph.nodes.count).bfloat16.isEmpty)
  }
}

@Suite struct InputShapesTests {
  @Test func `an open dimension names the option to add`() throws {
    var graph = Graph()
    let x = graph.add(
      Graph.Value(
        name: "x", type: .float32, dimensions: [.symbol("n"), .known(3), .symbol("height")]))
    graph.inputs = [x]
    let error = #expect(throws: CompileError.self) { try InputShapes().resolved(for: graph) }
    #expect(error?.code == .shapes)
    #expect(error?.message.contains("--shape x=1x3xheight") == true)
    #expect(try InputShapes(["x": [2, 3, 8]]).resolved(for: graph) == [[2, 3, 8]])
  }

  @Test func `a contradiction prints both sides`() throws {
    var graph = Graph()
    let x = graph.add(
      Graph.Value(name: "x", type: .float32, dimensions: [.symbol(""), .known(3)]))
    graph.inputs = [x]
    let error = #expect(throws: CompileError.self) {
      try InputShapes(["x": [1, 4]]).resolved(for: graph)
    }
    #expect(error?.message.contains("1x4") == true)
    #expect(error?.message.contains("?x3") == true)
    #expect(throws: CompileError.self) { try InputShapes(["y": [1, 3]]).resolved(for: graph) }
    #expect(try InputShapes().resolved(for: graph) == [[1, 3]])
  }
}

@Suite struct ProofTests {
  @Test func `a right program is proved and a wrong reference is not`() throws {
    let compiled = try Compiler().compile(fixture("squeezenet-legacy9"))
    var contents = try ModelAssembly.contents(of: [compiled])
    var random = RandomInputs()
    let inputs = random.tensors(for: compiled.lowered.program.inputs)
    let outputs = try Evaluation.run(
      compiled.lowered.program, constants: compiled.lowered.constants, inputs: inputs)
    let port = try #require(compiled.lowered.program.outputs.first)
    let right = try Proof([compiled]).prove(
      &contents, samples: [Proof.Sample(inputs: inputs, reference: [port.name: outputs[0]])])
    #expect(right.passes)
    #expect(contents.proof.isProven)
    #expect(contents.selfTests.count == 1)

    let values = try #require(outputs[0].floats())
    let wrong = TensorBuffer(outputs[0].shape, values.reversed())
    let refused = try Proof([compiled]).prove(
      &contents, samples: [Proof.Sample(inputs: inputs, reference: [port.name: wrong])])
    #expect(!refused.passes)
    #expect(!contents.proof.isProven)
  }

  @Test func `a file that computes other bits is not proved`() throws {
    let path = FileManager.default.temporaryDirectory
      .appending(path: "apus-proof-\(UInt64.random(in: 0 ... .max)).apus").path()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let written = try Compiler().compile(fixture("paddle-hard"))
    let other = try Compiler(fuses: false).compile(fixture("paddle-hard"))
    var contents = try ModelAssembly.contents(of: [written])
    let proof = Proof([written])
    var result = try proof.prove(&contents, samples: nil)
    try ModelWriter.write(contents, to: path)
    try proof.compareFile(path, with: contents, &result)
    #expect(result.passes)

    var changed = try ModelAssembly.contents(of: [other])
    changed.selfTests = contents.selfTests
    try proof.compareFile(path, with: changed, &result)
    #expect(!result.passes)
  }

  @Test func `random inputs that a model cannot stand leave it unproven`() throws {
    var graph = Graph()
    for name in ["a", "b"] {
      graph.inputs.append(
        graph.add(Graph.Value(name: name, type: .int32, dimensions: [.known(3)])))
    }
    let y = graph.add(Graph.Value(name: "y"))
    let node = NodeReader(
      name: "ratio", operatorName: "Div", domain: "", version: 14, inputs: [true, true],
      outputs: [true], attributes: [:])
    let type = try #require(OperatorCatalog.type(domain: "", name: "Div"))
    graph.nodes = [
      Graph.Node(
        name: "ratio", op: try type.init(importing: node), inputs: graph.inputs, outputs: [y])
    ]
    graph.outputs = [y]
    let compiled = try Compiler().compile(graph)
    var contents = try ModelAssembly.contents(of: [compiled])
    let result = try Proof([compiled]).prove(&contents, samples: nil)
    #expect(result.obstacle?.contains("divided by zero") == true)
    #expect(!contents.proof.isProven)
    #expect(contents.proof.sentence.contains("random inputs"))
    let ones = TensorBuffer(.int32, [3], [1, 1, 1] as [Int32])
    let given = try Proof([compiled]).prove(
      &contents, samples: [Proof.Sample(inputs: [ones, ones])])
    #expect(given.passes && contents.proof.isProven)
  }

  @Test func `without data the proof says so`() throws {
    let compiled = try Compiler().compile(fixture("squeezenet-legacy9"))
    var contents = try ModelAssembly.contents(of: [compiled])
    let result = try Proof([compiled]).prove(&contents, samples: nil)
    #expect(result.isOnRandomData)
    #expect(contents.proof.sentence.contains("PROVED ON RANDOM DATA"))
  }
}
