import ApusC
import CApus
import Compilation
import Graphs
import Runtime
import Synchronization
import Tensors

/// A session of a source model: compiles when the shapes of the inputs are known, and anew when
/// they change.
///
/// Sendable because one thread at a time calls it (`Runner`), but for `cancel`, which touches the
/// session only.
final class SourceRunner: Runner, @unchecked Sendable {
  let inputs: PortTable
  let outputs: PortTable
  private let model: SourceModel
  private let compiler: Compiler
  private let request: SessionRequest
  private var given: [TensorBuffer?]
  private var current: (shapes: [Shape], session: Session)?
  /// The session again, for whoever cancels.
  private let running = Mutex<Session?>(nil)

  init(
    _ model: SourceModel, _ precision: Precision, _ shapes: InputShapes, _ request: SessionRequest
  ) throws {
    self.model = model
    self.request = request
    inputs = model.inputs
    outputs = model.outputs
    compiler = Compiler(precision: precision)
    given = Array(repeating: nil, count: model.inputs.count)
  }

  var threadCount: Int {
    current?.session.threadCount ?? request.threads ?? WorkerPool.recommendedThreadCount
  }

  var memory: RunnerMemory {
    var memory = RunnerMemory()
    guard let session = current?.session else { return memory }
    memory.weights = session.memory.weightByteCount
    memory.arena = session.memory.arenaByteCount
    memory.scratch = session.memory.scratchByteCount
    memory.io = session.memory.ioByteCount
    return memory
  }

  func set(_ index: Int, _ tensor: TensorView) throws { given[index] = tensor.copied() }

  func set(_ index: Int, _ value: Value) throws {
    guard case .tensor(let tensor) = value else {
      throw Failure(
        APUS_WRONG_TENSOR, "input \(index) takes a tensor; \(value.kindName) is given")
    }
    given[index] = tensor
  }

  func inputMemory(_ index: Int) throws -> TensorView { throw unbound }
  func bind(input index: Int, _ tensor: TensorView?, size: Int) throws {
    if tensor != nil { throw unbound }
  }
  func bind(output index: Int, _ tensor: TensorView?, size: Int) throws {
    if tensor != nil { throw unbound }
  }

  private var unbound: Failure {
    Failure(
      APUS_CANNOT_BIND,
      "a session of an ONNX model has no memory before it runs; compile the model, or set inputs")
  }

  func run() throws {
    try reporting {
      var tensors: [TensorBuffer] = []
      for (port, tensor) in zip(inputs.ports, given) {
        guard let tensor else {
          throw Failure(APUS_INVALID_ARGUMENT, "input \"\(port.name)\" is not set")
        }
        tensors.append(tensor)
      }
      let session = try session(for: tensors)
      for (index, tensor) in tensors.enumerated() { try session.setInput(index, tensor) }
      try session.run()
    }
  }

  private func session(for tensors: [TensorBuffer]) throws -> Session {
    let shapes = tensors.map(\.shape)
    if let current, current.shapes == shapes { return current.session }
    let named = Dictionary(
      zip(inputs.ports.map(\.name), shapes), uniquingKeysWith: { first, _ in first })
    let program = try compiler.compile(model.graph, shapes: InputShapes(named))
    let made = try ModelAssembly.model(of: ModelAssembly.contents(of: [program]))
    let session = try made.session(
      0, options: Session.Options(threads: request.threads, isas: request.isas))
    current = (shapes, session)
    running.withLock { $0 = session }
    return session
  }

  func cancel() { running.withLock { $0 }?.cancel() }

  private func ran() throws(Failure) -> Session {
    guard let session = current?.session else {
      throw Failure(APUS_INVALID_ARGUMENT, "the session has not run yet")
    }
    return session
  }

  func outputView(_ index: Int) throws -> TensorView {
    let session = try ran()
    let bytes = try session.withOutput(index) { $0 }
    let port = session.outputs[index]
    return TensorView(
      type: port.type, shape: port.shape,
      base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), byteCount: bytes.count)
  }

  func output(_ index: Int) throws -> Value { .tensor(try ran().output(index)) }
}
