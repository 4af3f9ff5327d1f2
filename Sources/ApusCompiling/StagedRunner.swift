import ApusC
import CApus
import Graphs
import Operators
import Runtime
import Staging
import Tensors

/// A session of a source model whose shapes are known only when it runs: programs are made while it
/// does, and kept.
///
/// Sendable because one thread at a time calls it (`Runner`), but for `cancel`, which the staged
/// session takes from any.
final class StagedRunner: Runner, @unchecked Sendable {
  let inputs: PortTable
  let outputs: PortTable
  let threadCount: Int
  private let session: StagedSession
  private var given: [StagedValue?]
  private var isSet: [Bool]
  private var results: [StagedValue]?

  init(_ model: SourceModel, _ session: StagedSession, threads: Int?) {
    inputs = model.inputs
    outputs = model.outputs
    self.session = session
    threadCount = threads ?? WorkerPool.recommendedThreadCount
    given = Array(repeating: nil, count: model.inputs.count)
    isSet = Array(repeating: false, count: model.inputs.count)
  }

  /// Programs come and go with the shapes; what they hold together is not known before a run.
  var memory: RunnerMemory { RunnerMemory() }

  func set(_ index: Int, _ tensor: TensorView) throws {
    given[index] = .tensor(tensor.copied())
    isSet[index] = true
  }

  func set(_ index: Int, _ value: Value) throws {
    given[index] = try StagedRunner.staged(value)
    isSet[index] = true
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
      "the model's shapes depend on what it is given, so the session has no fixed memory; give the "
        + "session shapes, or set its inputs")
  }

  func run() throws {
    for (index, port) in inputs.ports.enumerated() where !isSet[index] {
      guard port.kind == APUS_OPTIONAL else {
        throw Failure(APUS_INVALID_ARGUMENT, "input \"\(port.name)\" is not set")
      }
    }
    results = nil
    results = try reporting { try session.run(given) }
  }

  func cancel() { session.cancel() }

  private func result(_ index: Int) throws(Failure) -> StagedValue {
    guard let results else {
      throw Failure(APUS_INVALID_ARGUMENT, "the session has not run yet, or its run failed")
    }
    return results[index]
  }

  func outputView(_ index: Int) throws -> TensorView {
    guard case .tensor(let tensor) = try output(index) else {
      throw Failure(
        APUS_INVALID_ARGUMENT,
        "output \"\(outputs.ports[index].name)\" is no tensor; use apus_session_output_value")
    }
    return TensorView(tensor)
  }

  func output(_ index: Int) throws -> Value { StagedRunner.value(try result(index)) }

  // MARK: Values

  private static func value(_ staged: StagedValue?) -> Value {
    switch staged {
    case .tensor(let tensor): .tensor(tensor)
    case .sequence(let tensors): .sequence(tensors.map { .tensor($0) })
    case .optional(let inner): value(inner)
    case nil: .absent
    }
  }

  private static func staged(_ value: Value) throws(Failure) -> StagedValue? {
    switch value {
    case .tensor(let tensor): return .tensor(tensor)
    case .absent: return nil
    case .sequence(let elements):
      var tensors: [TensorBuffer] = []
      for element in elements {
        guard case .tensor(let tensor) = element else {
          throw Failure(APUS_WRONG_TENSOR, "a sequence holds tensors, not \(element.kindName)")
        }
        tensors.append(tensor)
      }
      return .sequence(tensors)
    }
  }
}
