import FoundationEssentials
import Graphs
import Importers
import Instructions
import Operators
import Runtime
import Tensors
import Testing

@testable import Compilation

/// A fixture, calibrated on one seeded random sample.
private func calibrated(
  _ name: String, _ method: RangeMethod = .minmax
) throws -> (graph: Graph, ranges: Ranges, sample: [TensorBuffer]) {
  let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/exporters").path()
  let graph = try Graph(onnxFile: "\(folder)/\(name).onnx")
  let calibrator = try Calibrator(Compiler().compile(graph))
  var random = RandomInputs()
  let sample = random.tensors(for: calibrator.inputs)
  let observer = try calibrator.observer()
  try observer.observe(sample, sample: 0, name: name)
  return (graph, calibrator.calibration([observer]).ranges(method: method), sample)
}

@Suite struct QuantizationAssignmentTests {
  @Test func `outputs and what follows the last product stay float`() throws {
    let (graph, ranges, _) = try calibrated("yolov8-legacy11")
    let optimised = try Compiler().compile(graph).optimised
    let typed = try QuantizationAssignment(optimised, QuantizationOptions(ranges: ranges)).graph
    for id in typed.outputs { #expect(typed[id].quantization == nil) }
    let products = typed.nodes.indices.filter {
      QuantizationAssignment.multiplies(typed.nodes[$0], in: typed)
    }
    let last = try #require(products.last)
    for node in typed.nodes[(last + 1)...] {
      for case let id? in node.outputs { #expect(typed[id].quantization == nil, "\(node.name)") }
    }
    for index in products {
      let input = try #require(typed.nodes[index].inputs[0])
      #expect(typed[input].quantization != nil, "\(typed.nodes[index].name)")
    }
  }

  @Test func `a missing range is named`() throws {
    var (graph, ranges, _) = try calibrated("resnet-legacy9")
    let optimised = try Compiler().compile(graph).optimised
    let input = optimised[try #require(optimised.inputs.first)].name
    ranges.values[input] = nil
    let error = #expect(throws: CompileError.self) {
      try QuantizationAssignment(optimised, QuantizationOptions(ranges: ranges))
    }
    #expect(
      error?.message
        == "the table has no range for \"\(input)\"; calibrate again, or add a line for it")
  }

  @Test func `values of depthwise convolutions have scales per channel`() throws {
    let (graph, ranges, _) = try calibrated("mobilenetv2-legacy11")
    let optimised = try Compiler().compile(graph).optimised
    let typed = try QuantizationAssignment(optimised, QuantizationOptions(ranges: ranges)).graph
    let depthwise = typed.nodes.filter { ($0.op as? Conv)?.groupCount ?? 1 > 1 }
    #expect(!depthwise.isEmpty)
    for node in depthwise {
      let id = try #require(node.inputs[0])
      #expect(typed[id].quantization?.isPerChannel == true, "\(node.name)")
    }
  }

  @Test func `one scale for all where equalisation is off`() throws {
    let (graph, ranges, _) = try calibrated("superresolution-legacy9")
    let optimised = try Compiler().compile(graph).optimised
    func perChannel(_ equalization: Float) throws -> Int {
      let options = QuantizationOptions(ranges: ranges, equalization: equalization)
      return try QuantizationAssignment(optimised, options).graph.values
        .count { $0.constant == nil && $0.quantization?.isPerChannel == true }
    }
    #expect(try perChannel(0) == 0)
    #expect(try perChannel(0.5) > 0)
  }

  @Test func `symmetric activations have zero point 128`() throws {
    let (graph, ranges, _) = try calibrated("resnet-legacy9")
    let compiled = try Compiler(
      precision: .int8, quantization: QuantizationOptions(ranges: ranges, isSymmetric: true)
    ).compile(graph)
    let program = compiled.lowered.program
    let bytes = program.tensors.filter { $0.type == .uint8 && $0.quantization != nil }
    #expect(!bytes.isEmpty)
    for tensor in bytes {
      #expect(tensor.quantization?.zeroPoints.allSatisfy { $0 == 128 } == true, "\(tensor.name)")
    }
  }

  @Test func `products keep their curves`() throws {
    let (graph, ranges, sample) = try calibrated("yolov8-legacy17")
    let compiled = try Compiler(
      precision: .int8, quantization: QuantizationOptions(ranges: ranges)
    ).compile(graph)
    let (program, constants) = (compiled.lowered.program, compiled.lowered.constants)
    let products = program.instructions.compactMap { $0 as? QuantizedConvolution }
    let product = try #require(products.first { $0.curve.isPresent })
    let kept = try #require(constants[product.curve])
    func run(_ change: (inout [UInt8]) -> Void) throws -> [[UInt8]] {
      var bytes = kept.withBytes { Array($0) }
      change(&bytes)
      var changed = constants
      changed[product.curve] = TensorBuffer(kept.type, kept.shape, bytes)
      let outputs = try Evaluation.run(program, constants: changed, inputs: sample)
      return outputs.map { output in output.withBytes { Array($0) } }
    }
    let wanted = try run { _ in }
    // Of another version: it is searched again, and found.
    #expect(try run { $0[0] = 2 } == wanted)
    // The value of all pieces is 0.
    #expect(try run { for i in 24..<152 { $0[i] = 0 } } != wanted)
    // Values that leave no room for slopes.
    #expect(throws: RuntimeError.self) {
      try run { for i in 24..<152 { $0[i] = i % 2 == 0 ? 0 : 0x80 } }
    }
  }

  @Test func `int8 programs are exact, whatever became 8 bits`() throws {
    let (graph, ranges, _) = try calibrated("decomposed")
    let options = QuantizationOptions(ranges: ranges)
    for precision in Precision.allCases {
      let compiled = try Compiler(precision: precision, quantization: options).compile(graph)
      #expect(compiled.lowered.program.isExact == (precision == .int8), "\(precision)")
    }
  }

  @Test func `without ranges int8 says what it needs`() throws {
    let (graph, _, _) = try calibrated("resnet-legacy9")
    let error = #expect(throws: CompileError.self) {
      try Compiler(precision: .int8).compile(graph)
    }
    #expect(
      error?.message
        == "int8 needs the ranges of values: calibrate on samples of the model's input")
  }

  @Test func `nodes that are to stay float do`() throws {
    let (graph, ranges, _) = try calibrated("resnet-legacy9")
    let optimised = try Compiler().compile(graph).optimised
    let node = try #require(optimised.nodes.first { $0.op is Conv })
    let compiled = try Compiler(
      precision: .int8,
      quantization: QuantizationOptions(ranges: ranges, floatNodes: [node.name])
    ).compile(graph)
    let program = compiled.lowered.program
    let own = zip(program.instructions, program.origins).filter { $1 == node.name }
    #expect(own.contains { $0.0.opcode == "convolution" })
    #expect(!own.contains { $0.0.opcode == "convolution_int8" })
  }
}

@Suite struct BiasCorrectionTests {
  @Test func `the mean error of rounded weights leaves the outputs`() throws {
    let (graph, ranges, sample) = try calibrated("superresolution-legacy9")
    let float = try Compiler().compile(graph)
    var options = QuantizationOptions(ranges: ranges)
    let reference = try mean(float, sample)
    let plain = try mean(Compiler(precision: .int8, quantization: options).compile(graph), sample)
    options.means = try ChannelMeans(Calibrator(float), samples: [sample])
    let corrected = try mean(
      Compiler(precision: .int8, quantization: options).compile(graph), sample)
    #expect(abs(corrected - reference) < abs(plain - reference))
  }

  private func mean(_ compiled: CompiledProgram, _ sample: [TensorBuffer]) throws -> Double {
    let outputs = try Evaluation.run(
      compiled.lowered.program, constants: compiled.lowered.constants, inputs: sample)
    let values = try #require(outputs[0].floats())
    return values.reduce(0) { $0 + Double($1) } / Double(values.count)
  }
}

@Suite struct MethodChoiceTests {
  @Test func `auto is at least as good as every method`() throws {
    let (graph, _, sample) = try calibrated("mobilenetv3-legacy14")
    let float = try Compiler().compile(graph)
    let calibrator = try Calibrator(float)
    let observer = try calibrator.observer()
    try observer.observe(sample, sample: 0, name: "sample")
    let choice = try MethodChoice(
      float, calibrator, calibration: calibrator.calibration([observer]), samples: [sample])
    #expect(Set(RangeMethod.allCases.map(\.rawValue)).isSubset(of: choice.trials.map(\.name)))
    #expect(choice.options.ranges.method.hasPrefix("auto: "))
  }

  @Test func `a time budget ends the search with what was tried first`() throws {
    let (graph, _, sample) = try calibrated("mobilenetv3-legacy14")
    let float = try Compiler().compile(graph)
    let calibrator = try Calibrator(float)
    let observer = try calibrator.observer()
    try observer.observe(sample, sample: 0, name: "sample")
    let calibration = calibrator.calibration([observer])
    func choice(_ budget: Duration?) throws -> MethodChoice {
      try MethodChoice(
        float, calibrator, calibration: calibration, samples: [sample], budget: budget)
    }
    let short = try choice(.zero)
    #expect(short.endedEarly)
    #expect(short.trials.map(\.name) == ["minmax"])
    #expect(short.options.ranges.method == "auto: minmax")
    #expect(try !choice(.seconds(3600)).endedEarly)
  }

  @Test func `stored tables leave out channels and nothing else`() throws {
    let (_, ranges, _) = try calibrated("mobilenetv2-legacy11")
    let short = ranges.withoutChannels
    #expect(ranges.values.values.contains { $0.channels != nil })
    #expect(short.values.values.allSatisfy { $0.channels == nil })
    #expect(short.values.mapValues(\.high) == ranges.values.mapValues(\.high))
    #expect(try Ranges(parsing: short.text, path: "table").values == short.values)
  }
}

@Suite struct ReportBuilderTests {
  @Test func `every 8-bit layer has a scale and a similarity`() throws {
    let (graph, ranges, sample) = try calibrated("resnet-legacy9")
    let compiled = try Compiler(
      precision: .int8, quantization: QuantizationOptions(ranges: ranges)
    ).compile(graph)
    let builder = ReportBuilder(compiled)
    let layers = try builder.layers(sample)
    let convolutions = layers.filter { $0.operatorName == "Conv" }
    #expect(!convolutions.isEmpty)
    for layer in convolutions {
      #expect(layer.precision == "int8", "\(layer.name)")
      #expect(layer.cosine ?? 0 > 0.9, "\(layer.name)")
    }
    #expect(layers.contains { !$0.scales.isEmpty })
  }

  @Test func `what stays float is said, with the reason`() throws {
    let (graph, ranges, _) = try calibrated("lstm-legacy9")
    let compiled = try Compiler(
      precision: .int8, quantization: QuantizationOptions(ranges: ranges)
    ).compile(graph)
    let notes = ReportBuilder(compiled).notes
    #expect(notes.contains { $0.text.contains("8-bit states would add up") })
  }
}
