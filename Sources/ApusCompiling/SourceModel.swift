import ApusC
import CApus
import Compilation
import Graphs
import Importers
import ModelFile
import Runtime
import Staging
import Synchronization
import Tensors

/// Puts the compiler behind the C interface's door.
@c(capus_install_compiler) public func installCompiler() {
  CompilerDoor.opener = SourceOpener()
}

/// Opens ONNX models.
private struct SourceOpener: CompilerDoor.Opener {
  func open(path: String) throws -> any LoadedModel {
    try reporting {
      let name = path.split(separator: "/").last.map(String.init) ?? path
      let (graph, parts) = try Graph.withParts(onnxFile: path)
      return SourceModel(graph, parts, name: name)
    }
  }

  func open(_ bytes: UnsafeRawBufferPointer, folder: String?) throws -> any LoadedModel {
    try reporting {
      let (graph, parts) = try Graph.withParts(onnxBytes: Array(bytes), directory: folder)
      return SourceModel(graph, parts, name: "memory")
    }
  }

  func open(_ source: ModelFile.SourceModel) throws -> any LoadedModel {
    try reporting {
      guard source.format == "onnx", let precision = Precision(rawValue: source.precision) else {
        throw Failure(
          APUS_UNAVAILABLE,
          "the file holds a model of the form '\(source.format)' for '\(source.precision)', which "
            + "this release does not know; use a newer release")
      }
      return SourceModel(
        try Graph(onnxParts: source.parts), source.parts, name: "memory", compiledTo: precision)
    }
  }
}

/// A source model: a graph whose programs are made when shapes are known.
final class SourceModel: LoadedModel {
  let inputs: PortTable
  let outputs: PortTable
  let programs: [ProgramDescription] = []
  let preprocessing: [String: String] = [:]
  let postprocessing: String? = nil
  let description: String
  let texts: TextTable
  let graph: Graph
  /// What the graph was read from.
  let parts: [NamedTensor]
  let name: String
  /// The precision in which it shall run, where it was compiled: its shapes depend on data, so that
  /// each run plans what is left to plan. Nil for a model as its authors made it.
  let target: Precision?
  /// What sessions of one precision share.
  private let staged = Mutex<[Precision: StagedModel]>([:])

  init(
    _ graph: Graph, _ parts: [NamedTensor], name: String, compiledTo target: Precision? = nil
  ) {
    self.graph = graph
    self.parts = parts
    self.name = name
    self.target = target
    inputs = PortTable(graph.inputs.map { SourceModel.port(graph[$0]) })
    outputs = PortTable(graph.outputs.map { SourceModel.port(graph[$0]) })
    description =
      graph.origin.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
      + "\nproof: NOT PROVEN: the model is not compiled\n"
    texts = TextTable([description])
  }

  private static func port(_ value: Graph.Value) -> PortDescription {
    PortDescription(
      name: value.name, kind: kind(value.kind), type: value.type,
      dimensions: value.dimensions?.map { dimension in
        switch dimension {
        case .known(let extent): (extent, nil)
        case .symbol(let name): (nil, name)
        }
      })
  }

  private static func kind(_ kind: Graph.Kind) -> apus_kind {
    switch kind {
    case .tensor: APUS_TENSOR
    case .sequence: APUS_SEQUENCE
    case .optional: APUS_OPTIONAL
    }
  }

  /// The shapes by the names of inputs; the only input may go without its name.
  func inputShapes(_ given: [String: Shape]) throws(Failure) -> InputShapes {
    var shapes = given
    if let only = shapes.removeValue(forKey: "") {
      guard inputs.count == 1 else {
        throw Failure(
          APUS_INVALID_ARGUMENT,
          "shapes needs names, as NAME=1x3x640x640: the inputs are "
            + inputs.ports.map(\.name).joined(separator: ", "))
      }
      shapes[inputs.ports[0].name] = only
    }
    return InputShapes(shapes)
  }

  /// A precision by its name; nil: the model's own.
  func precision(_ name: String?) throws(Failure) -> Precision {
    guard let name else { return target ?? graph.ownPrecision }
    guard let precision = Precision(rawValue: name) else {
      throw Failure(
        APUS_INVALID_ARGUMENT,
        "precision: '\(name)' is unknown; known are "
          + Precision.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return precision
  }

  func session(_ request: SessionRequest) throws -> any Runner {
    let precision = try precision(request.precision)
    guard precision != .int8 || graph.ownPrecision == .int8 else {
      throw Failure(
        APUS_INVALID_ARGUMENT,
        "int8 needs the ranges of values: compile the model with samples or a table of ranges")
    }
    return try reporting {
      let model = staged.withLock { known in
        let model = known[precision] ?? StagedModel(graph, compiler: Compiler(precision: precision))
        known[precision] = model
        return model
      }
      let shapes = try inputShapes(request.shapes)
      let options = Session.Options(threads: request.threads, isas: request.isas)
      // Where all shapes are known there may be one program, with memory to bind.
      if isSettled(shapes), let session = try model.session(for: shapes, options: options) {
        return FileRunner(session)
      }
      return StagedRunner(self, model.session(options: options), threads: request.threads)
    }
  }

  /// Says whether these shapes leave nothing open.
  private func isSettled(_ shapes: InputShapes) -> Bool {
    graph.inputs.allSatisfy { id in
      let value = graph[id]
      return value.kind == .tensor && (shapes.shapes[value.name] ?? value.shape) != nil
    }
  }

  func compiled(_ request: CompileRequest) throws -> any LoadedModel {
    try reporting { try SourceCompilation(self, request).run() }
  }

  func write(to path: String) throws {
    guard let target else {
      throw Failure(
        APUS_INVALID_ARGUMENT, "the model is not compiled; call apus_compile first")
    }
    var contents = ModelContents()
    contents.origin = Dictionary(graph.origin) { first, _ in first }
    contents.origin["source"] = name
    contents.origin["compiler"] = "apus \(String(cString: apus_version()))"
    contents.proof = ProofStatus(
      isProven: false, sentence: "shapes depend on data, so that there is no program to prove")
    contents.source = ModelFile.SourceModel(
      format: "onnx", precision: target.rawValue, parts: parts)
    try ModelWriter.write(contents, to: path)
  }
}
