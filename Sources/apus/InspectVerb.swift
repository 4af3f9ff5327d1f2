import Compilation
import Graphs
import Importers
import Instructions
import ModelFile
import Options
import Runtime
import Tensors
import Texts

/// `apus inspect`: what is in a model, and how to fill its inputs.
enum InspectVerb: Verb {
  static let model = Argument("MODEL", help: "a model file (.apus) or a source model (.onnx)")
  static let graph = Flag("graph", help: "the nodes of a source model")
  static let program = Flag("program", help: "tensors and instructions of the programs")
  static let memory = Flag("memory", help: "memory by kind, known before anything is loaded")
  static let shape = Option.shapes("shape", help: "input shapes, for --program of a source model")

  static let command = Command(
    "inspect", summary: "show what is in a model",
    arguments: [model],
    options: [graph, program, memory, shape, SharedOptions.precision, SharedOptions.json],
    examples: ["apus inspect model.onnx --graph", "apus inspect detector.apus --memory"])

  static func run(_ given: Given) throws -> ExitCode {
    OpenedModel.isSource(given[model]) ? try inspectSource(given) : try inspectFile(given)
  }

  // MARK: Source models

  private static func inspectSource(_ given: Given) throws -> ExitCode {
    let graph = try Graph(onnxFile: given[model])
    if given[program] || given[memory] {
      let shapes = try given[shape].map { try InputShapes($0, for: graph) } ?? InputShapes()
      let opened = try OpenedModel(
        given[model], shapes: shapes, precision: given[SharedOptions.precision])
      return try show(given, opened.model, Processing())
    }
    if given[Self.graph] {
      try Console.output(graph.text)
      return .done
    }
    var counts: [String: Int] = [:]
    for node in graph.nodes { counts[type(of: node.op).name, default: 0] += 1 }
    let weights = graph.values.reduce(0) { $0 + ($1.constant?.elementCount ?? 0) }
    let operators = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    if given[SharedOptions.json] {
      var writer = JSONWriter(isIndented: true)
      writer.object { object in
        object.field("model", given[model])
        object.field("nodes", graph.nodes.count)
        object.field("weights", weights)
        ports(&object, "inputs", graph.inputs.map { graph[$0] })
        ports(&object, "outputs", graph.outputs.map { graph[$0] })
        object.object("operators") { row in
          for (name, count) in operators { row.field(name, count) }
        }
        object.object("origin") { row in
          for (key, value) in graph.origin { row.field(key, value) }
        }
      }
      try Console.output(writer.text + "\n")
      return .done
    }
    var text = "\(given[model]): ONNX, \(graph.nodes.count) nodes, "
    text += "\(NumberText.grouped(weights)) weights\n"
    for (key, value) in graph.origin { text += "\(key): \(value)\n" }
    for id in graph.inputs {
      text += "input  \(describe(graph[id]))\n"
      text += hint(graph[id])
    }
    for id in graph.outputs { text += "output \(describe(graph[id]))\n" }
    text += "operators: \(operators.map { "\($0.key) \($0.value)" }.joined(separator: ", "))\n"
    try Console.output(text)
    return .done
  }

  private static func ports(
    _ writer: inout JSONWriter, _ key: String, _ values: [Graph.Value]
  ) {
    writer.array(key) { array in
      for value in values {
        array.object { row in
          row.field("name", value.name)
          row.field("type", value.type?.name)
          row.field("shape", (value.dimensions ?? []).map(\.description))
        }
      }
    }
  }

  private static func describe(_ value: Graph.Value) -> String {
    let extents = (value.dimensions ?? []).map(\.description).joined(separator: "x")
    return "\(value.name): \(value.type?.name ?? "?") \(extents.isEmpty ? "scalar" : extents)"
  }

  /// How to fill an input that takes pictures.
  private static func hint(_ value: Graph.Value) -> String {
    let extents = (value.dimensions ?? []).map { dimension -> Int? in
      if case .known(let extent) = dimension { extent } else { nil }
    }
    guard let type = value.type,
      let option = Preprocessing.suggestedOption(
        input: value.name, dimensions: extents, type: type)
    else { return "" }
    return "       for pictures add, with the model's own numbers: \(option)\n"
  }

  // MARK: Model files

  private static func inspectFile(_ given: Given) throws -> ExitCode {
    guard !given[graph] else {
      throw UsageError("--graph shows source models; a model file has programs: --program")
    }
    let archive = try ModelArchive(mapping: given[model])
    return try show(given, Model(archive), archive.processing())
  }

  private static func show(
    _ given: Given, _ model: Model, _ processing: Processing
  ) throws -> ExitCode {
    if given[SharedOptions.json] {
      try Console.output(try json(given, model, processing))
      return .done
    }
    var text = given[program] || given[memory] ? "" : model.archive?.manifest ?? ""
    for index in model.programs.indices {
      if given[memory] { text += try memoryTable(model, index) }
      if given[program] { text += try model.dump(index) }
      if !given[memory] && !given[program] { text += try quantizationTable(model, index) }
    }
    if !given[memory] && !given[program] {
      text += howToFill(model, processing)
    }
    try Console.output(text)
    return .done
  }

  private static func howToFill(_ model: Model, _ processing: Processing) -> String {
    var text = ""
    for port in model.programs.first?.inputs ?? [] {
      if let given = processing.inputs.first(where: { $0.name == port.name }) {
        text += "input \(port.name) is made of pictures: \(given.text)\n"
      } else {
        text += "input \(port.name) takes \(port.type) \(port.shape) from a .npz file; "
        text += "it is the model's own type at every precision\n"
      }
    }
    return text
  }

  /// What the 8-bit tensors of a program stand for; empty where it has none.
  private static func quantizationTable(_ model: Model, _ index: Int) throws -> String {
    let tensors = try model.quantizedTensors(index)
    if tensors.isEmpty { return "" }
    var table = TextTable([
      (heading: "8-bit tensor: real = scale (q - zero point)", alignment: .left),
      (heading: "type", alignment: .left), (heading: "scale", alignment: .right),
      (heading: "zero point", alignment: .right),
    ])
    for (name, type, quantization) in tensors {
      let scales = quantization.scales
      let (low, high) = (scales.min() ?? 0, scales.max() ?? 0)
      let zeros = Set(quantization.zeroPoints)
      table.add([
        name, type.name,
        quantization.isPerChannel ? "\(low) ... \(high) (\(scales.count))" : "\(scales[0])",
        zeros.count == 1
          ? "\(quantization.zeroPoints[0])" : "\(zeros.min() ?? 0) ... \(zeros.max() ?? 0)",
      ])
    }
    return table.text
  }

  private static func memoryTable(_ model: Model, _ index: Int) throws -> String {
    let memory = try model.session(index).memory
    let head = model.programs[index]
    var table = TextTable([
      (heading: "memory of the \(head.precision) program", alignment: .left),
      (heading: "bytes", alignment: .right), (heading: "", alignment: .left),
    ])
    for (name, bytes) in [
      ("weights, shared by sessions and processes", memory.weightByteCount),
      ("weights in forms made at load", memory.derivedWeightByteCount),
      ("arena", memory.arenaByteCount), ("scratch", memory.scratchByteCount),
      ("inputs and outputs", memory.ioByteCount),
    ] {
      table.add([name, NumberText.grouped(bytes), NumberText.bytes(bytes)])
    }
    return table.text
  }

  private static func json(
    _ given: Given, _ model: Model, _ processing: Processing
  ) throws -> String {
    let memories = try model.programs.indices.map { try model.session($0).memory }
    let quantized = try model.programs.indices.map { try model.quantizedTensors($0) }
    let proof = try model.archive?.proof() ?? .unproven
    let origin = try model.archive?.origin() ?? [:]
    var writer = JSONWriter(isIndented: true)
    writer.object { object in
      object.field("model", given[Self.model])
      object.field("proven", proof.isProven)
      object.field("proof", proof.sentence)
      object.object("origin") { row in
        for (key, value) in origin.sorted(by: { $0.key < $1.key }) { row.field(key, value) }
      }
      object.object("preprocessing") { row in
        for input in processing.inputs { row.field(input.name, input.text) }
      }
      object.field("postprocessing", processing.postprocessing)
      object.array("programs") { array in
        for ((head, memory), tensors) in zip(zip(model.programs, memories), quantized) {
          array.object { row in
            row.field("precision", head.precision)
            row.field("gop", Double(head.operationCount) / 1e9)
            row.field("weights_bytes", memory.weightByteCount)
            row.field("derived_weights_bytes", memory.derivedWeightByteCount)
            row.field("arena_bytes", memory.arenaByteCount)
            row.field("scratch_bytes", memory.scratchByteCount)
            row.field("io_bytes", memory.ioByteCount)
            row.array("quantization") { list in
              for (name, type, quantization) in tensors {
                list.object { item in
                  item.field("name", name)
                  item.field("type", type.name)
                  item.field("scales", quantization.scales.map { Double($0) })
                  item.field("zero_points", quantization.zeroPoints.map { Int($0) })
                }
              }
            }
            for (key, ports) in [("inputs", head.inputs), ("outputs", head.outputs)] {
              row.array(key) { list in
                for port in ports {
                  list.object { item in
                    item.field("name", port.name)
                    item.field("type", port.type.name)
                    item.field("shape", port.shape.dimensions)
                  }
                }
              }
            }
          }
        }
      }
    }
    return writer.text + "\n"
  }
}
