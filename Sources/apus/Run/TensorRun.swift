import Archives
import Compilation
import Detections
import Files
import Graphs
import Importers
import Instructions
import Kernels
import ModelFile
import Operators
import Options
import Pipelines
import Runtime
import Staging
import Tensors
import Texts

/// A run on tensors: every file is one sample.
struct TensorRun {
  private let given: Given
  private let files: [String]
  private let isas: Set<ISA>
  private let times = StageTimes(["decode", "infer", "sink"])

  init(_ given: Given, files: [String]) throws {
    self.given = given
    self.files = files
    isas = try SharedOptions.isas(given)
    for target in given[RunVerb.output] where !target.lowercased().hasSuffix(".npz") {
      guard target.lowercased().hasSuffix(".json") || target.lowercased().hasSuffix(".jsonl") else {
        throw UsageError("-o \(target): a run on tensors writes .npz, or .json with a kit")
      }
    }
  }

  func run() throws -> ExitCode {
    var opened: (shapes: [String: Shape], model: OpenedModel, session: Session)?
    var results: [[TensorBuffer]] = []
    var ports: [Program.Port] = []
    let graph =
      OpenedModel.isSource(given[RunVerb.model])
      ? try Graph(onnxFile: given[RunVerb.model]) : nil
    if given[RunVerb.allTensors] { return try AllTensorsRun(given, files, isas).run(graph) }
    if graph == nil, let held = try SourceFile.open(given[RunVerb.model]) {
      return try runStaged(held.graph, held.precision)
    }
    if let graph, files.isEmpty || graph.inputs.contains(where: { graph[$0].kind != .tensor }) {
      return try runStaged(graph)
    }
    for file in files {
      let sample = try times.measure("decode") { try TensorSample(file) }
      let shapes = try graph.map { graph in
        try sample.shapes(inputs: graph.inputs.map { graph[$0].name })
      }
      if opened == nil || (graph != nil && opened?.shapes != shapes) {
        do {
          opened = try open(shapes: shapes, sample)
        } catch let error as CompileError where error.code == .dataDependent {
          if let graph { return try runStaged(graph) }
        }
      } else if graph == nil, let current = opened, current.model.model.programs.count > 1 {
        opened = try open(shapes: nil, sample)
      }
      guard let session = opened?.session else { continue }
      ports = session.outputs
      let inputs = try sample.ordered(for: session.inputs)
      results.append(try times.measure("infer") { try session.run(inputs) })
    }
    guard let model = opened?.model else { return .done }
    try times.measure("sink") { try write(results, ports, model) }
    if let path = given[RunVerb.stages] { try times.write(to: path) }
    return .done
  }

  /// A run of a model whose shapes are known only while it runs.
  private func runStaged(_ graph: Graph, _ held: Precision? = nil) throws -> ExitCode {
    let precision = try OpenedModel.precision(
      given[SharedOptions.precision] ?? held, given[RunVerb.model], graph)
    let staged = StagedTensors(
      graph, compiler: Compiler(precision: precision), threads: given[SharedOptions.threads],
      isas: isas)
    var results: [[StagedValue]] = []
    if files.isEmpty { results.append(try times.measure("infer") { try staged.run(nil) }) }
    for file in files {
      let sample = try times.measure("decode") { try TensorSample(file) }
      results.append(try times.measure("infer") { try staged.run(sample) })
    }
    Console.diagnose("\(staged.summary)\n")
    try times.measure("sink") { try write(try staged.arrays(results)) }
    if let path = given[RunVerb.stages] { try times.write(to: path) }
    return .done
  }

  private func open(
    shapes: [String: Shape]?, _ sample: TensorSample
  ) throws -> (shapes: [String: Shape], model: OpenedModel, session: Session) {
    let path = given[RunVerb.model]
    let precision = given[SharedOptions.precision]
    let threads = given[SharedOptions.threads]
    if let shapes {
      let model: OpenedModel
      do {
        model = try OpenedModel(path, shapes: InputShapes(shapes), precision: precision)
      } catch let error as CompileError where error.code == .shapes {
        throw VerbError(.badInput, "\(sample.path): \(error.message)")
      }
      return (shapes, model, try model.session(threads: threads, isas: isas))
    }
    let model = try OpenedModel(path, precision: precision)
    var wanted: [String: Shape] = [:]
    if model.model.programs.filter({ precision == nil || $0.precision == precision?.rawValue })
      .count
      > 1
    {
      wanted = try sample.shapes(inputs: model.model.programs[0].inputs.map(\.name))
    }
    do {
      let session = try model.session(
        precision: precision, shapes: wanted, threads: threads, isas: isas)
      return (wanted, model, session)
    } catch let error as RuntimeError where error.code == .noSuchProgram {
      throw VerbError(.badInput, "\(sample.path): \(error.message)")
    }
  }

  private func write(
    _ results: [[TensorBuffer]], _ ports: [Program.Port], _ model: OpenedModel
  ) throws {
    if given[RunVerb.output].isEmpty {
      let rows = results.flatMap { result in
        zip(ports, result).map { NamedTensor($0.name, $1) }
      }
      return try Console.output(TensorRun.summary(rows))
    }
    try write(
      try ports.indices.map { index in
        NamedTensor(ports[index].name, try TensorRun.joined(results.map { $0[index] }))
      })
  }

  private func write(_ arrays: [NamedTensor]) throws {
    let targets = given[RunVerb.output]
    if targets.isEmpty { try Console.output(TensorRun.summary(arrays)) }
    for target in targets {
      guard target.lowercased().hasSuffix(".npz") else {
        throw UsageError(
          "-o \(target): objects come from pictures; a run on tensors writes .npz")
      }
      try Archive.write(arrays, to: target)
    }
  }

  /// The samples' results along the leading dimension; scalars become [N].
  static func joined(_ parts: [TensorBuffer]) throws -> TensorBuffer {
    guard let first = parts.first else { return TensorBuffer(zeros: .float32, [0]) }
    if parts.count == 1 { return first }
    let tail = Array(first.shape.dimensions.dropFirst())
    let lead = parts.reduce(0) { $0 + ($1.shape.dimensions.first ?? 1) }
    for part in parts where Array(part.shape.dimensions.dropFirst()) != tail {
      throw VerbError(
        .badInput, "results of shapes \(first.shape) and \(part.shape) cannot be concatenated")
    }
    let result = TensorBuffer(zeros: first.type, Shape([lead] + tail))
    var offset = 0
    for part in parts {
      part.withBytes { source in
        result.withMutableBytes { target in
          UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + source.count])
            .copyMemory(from: source)
        }
      }
      offset += part.byteCount
    }
    return result
  }

  private static func summary(_ arrays: [NamedTensor]) -> String {
    var table = TextTable([
      (heading: "output", alignment: .left), (heading: "type", alignment: .left),
      (heading: "shape", alignment: .left), (heading: "min", alignment: .right),
      (heading: "mean", alignment: .right), (heading: "max", alignment: .right),
    ])
    for item in arrays {
      let values = (item.tensor.floats() ?? []).map(Double.init)
      let mean = values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
      table.add(
        [item.name, "\(item.tensor.type)", "\(item.tensor.shape)"]
          + [values.min() ?? 0, mean, values.max() ?? 0].map {
            NumberText.significant($0, digits: 5)
          })
    }
    return table.text
  }
}
