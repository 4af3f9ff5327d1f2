import CApus
import Instructions
import Kernels
import ModelFile
import Planner
import Runtime
import Tensors

/// A model of programs: a model file, or what was compiled in memory.
package final class FileModel: LoadedModel {
  package let inputs: PortTable
  package let outputs: PortTable
  package let programs: [ProgramDescription]
  package let preprocessing: [String: String]
  package let postprocessing: String?
  package let description: String
  package let texts: TextTable
  private let model: Model
  /// What was compiled in memory; nil for a file.
  private let contents: ModelContents?

  /// Opens a model file.
  package convenience init(_ archive: ModelArchive) throws {
    let model = try Model(archive)
    let proof = try archive.proof()
    try self.init(
      model, processing: archive.processing(), origin: archive.origin(), proof: proof,
      contents: nil)
  }

  /// Makes a model of what was compiled.
  package convenience init(_ contents: ModelContents) throws {
    try self.init(
      Model(contents), processing: contents.processing, origin: contents.origin,
      proof: contents.proof, contents: contents)
  }

  private init(
    _ model: Model, processing: Processing, origin: [String: String], proof: ProofStatus,
    contents: ModelContents?
  ) throws {
    guard let first = model.programs.first else {
      throw Failure(APUS_MALFORMED, "the model has no program")
    }
    self.model = model
    self.contents = contents
    inputs = PortTable(first.inputs.map(FileModel.port))
    outputs = PortTable(first.outputs.map(FileModel.port))
    programs = model.programs.map(FileModel.describe)
    preprocessing = Dictionary(
      processing.inputs.map { ($0.name, $0.text) }, uniquingKeysWith: { first, _ in first })
    postprocessing = processing.postprocessing
    description =
      (origin.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      + ["proof: \(proof.isProven ? "proven" : "NOT PROVEN"): \(proof.sentence)"])
      .joined(separator: "\n") + "\n"
    texts = TextTable(
      Array(preprocessing.values) + [postprocessing, description].compactMap { $0 }
        + programs.map(\.precision))
  }

  private static func port(_ port: Program.Port) -> PortDescription {
    PortDescription(port.name, port.type, port.shape)
  }

  private static func describe(_ head: ProgramHead) -> ProgramDescription {
    let io = (head.inputs + head.outputs).reduce(0) { sum, port in
      let bytes = port.shape.checkedElementCount.flatMap { port.type.byteCount(of: $0) } ?? 0
      return sum.addingReportingOverflow(bytes).partialValue
    }
    return ProgramDescription(
      precision: head.precision, weightByteCount: head.weightByteCount,
      arenaByteCount: head.arenaByteCount, ioByteCount: io, operationCount: head.operationCount,
      inputs: PortTable(head.inputs.map(port)))
  }

  package func session(_ request: SessionRequest) throws -> any Runner {
    var shapes = request.shapes
    if let only = shapes.removeValue(forKey: "") {
      guard inputs.count == 1 else {
        throw Failure(
          APUS_INVALID_ARGUMENT,
          "shapes needs names, as NAME=1x3x640x640: the inputs are "
            + inputs.ports.map(\.name).joined(separator: ", "))
      }
      shapes[inputs.ports[0].name] = only
    }
    let index = try model.index(precision: request.precision, shapes: shapes)
    return FileRunner(
      try model.session(
        index, options: Session.Options(threads: request.threads, isas: request.isas)))
  }

  package func compiled(_ request: CompileRequest) throws -> any LoadedModel {
    throw Failure(
      APUS_INVALID_ARGUMENT,
      "the model is compiled already; apus_compile takes models that were opened from ONNX")
  }

  package func write(to path: String) throws {
    guard let contents else {
      throw Failure(
        APUS_INVALID_ARGUMENT, "the model comes from a file; copy that file to \(path) instead")
    }
    try ModelWriter.write(contents, to: path)
  }
}

/// A session of a program.
package final class FileRunner: Runner {
  package let inputs: PortTable
  package let outputs: PortTable
  private let session: Session

  package init(_ session: Session) {
    self.session = session
    let specs = session.tensorSpecs
    func table(_ ports: [Program.Port]) -> PortTable {
      PortTable(
        ports.map {
          PortDescription($0.name, $0.type, $0.shape, specs[Int($0.operand.index)].quantization)
        })
    }
    inputs = table(session.inputs)
    outputs = table(session.outputs)
  }

  package var threadCount: Int { session.threadCount }

  package var memory: RunnerMemory {
    var memory = RunnerMemory()
    memory.weights = session.memory.weightByteCount + session.memory.derivedWeightByteCount
    memory.arena = session.memory.arenaByteCount
    memory.scratch = session.memory.scratchByteCount
    memory.io = session.memory.ioByteCount
    return memory
  }

  package func set(_ index: Int, _ tensor: TensorView) throws {
    try tensor.borrowed { try session.setInput(index, $0) }
  }

  package func set(_ index: Int, _ value: Value) throws {
    guard case .tensor(let tensor) = value else {
      throw Failure(
        APUS_WRONG_TENSOR, "input \(index) takes a tensor; \(value.kindName) is given")
    }
    try session.setInput(index, tensor)
  }

  package func inputMemory(_ index: Int) throws -> TensorView {
    let bytes = try session.withInput(index) { $0 }
    let port = session.inputs[index]
    return TensorView(
      type: port.type, shape: port.shape, base: bytes.baseAddress, byteCount: bytes.count)
  }

  package func bind(input index: Int, _ tensor: TensorView?, size: Int) throws {
    guard let tensor else { return try session.bind(input: index, to: nil) }
    try check(tensor, session.inputs, index, "input")
    try bindable {
      try session.bind(input: index, to: UnsafeRawBufferPointer(start: tensor.base, count: size))
    }
  }

  package func bind(output index: Int, _ tensor: TensorView?, size: Int) throws {
    guard let tensor else { return try session.bind(output: index, to: nil) }
    try check(tensor, session.outputs, index, "output")
    try bindable {
      try session.bind(
        output: index, to: UnsafeMutableRawBufferPointer(start: tensor.base, count: size))
    }
  }

  private func check(
    _ tensor: TensorView, _ ports: [Program.Port], _ index: Int, _ kind: String
  ) throws {
    guard ports.indices.contains(index) else {
      throw Failure(
        APUS_INVALID_ARGUMENT, "there is no \(kind) \(index); there are \(ports.count)")
    }
    let port = ports[index]
    guard tensor.type == port.type, tensor.shape == port.shape else {
      throw Failure(
        APUS_WRONG_TENSOR,
        "\(kind) \"\(port.name)\" is \(port.type) \(port.shape), the memory to bind is "
          + "\(tensor.type) \(tensor.shape)")
    }
  }

  /// What fits in type and shape and is refused cannot be bound.
  private func bindable(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as RuntimeError where error.code == .wrongTensor {
      throw Failure(APUS_CANNOT_BIND, error.description)
    }
  }

  package func run() throws { try session.run() }

  package func cancel() { session.cancel() }

  package func outputView(_ index: Int) throws -> TensorView {
    let bytes = try session.withOutput(index) { $0 }
    let port = session.outputs[index]
    return TensorView(
      type: port.type, shape: port.shape,
      base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), byteCount: bytes.count)
  }

  package func output(_ index: Int) throws -> Value { .tensor(try session.output(index)) }
}
