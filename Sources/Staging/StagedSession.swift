import Graphs
import Operators
import Runtime
import Synchronization
import Tensors

/// One running instance of a staged model: owns the memory of its stages' programs.
///
/// Make one per stream. It may be handed from thread to thread, but is used by one at a time: a
/// second thread that calls it meanwhile gets an error (`inUse`) and changes nothing.
///
/// Sendable because everything that changes is touched only while `claim` is held; what `cancel`
/// touches has a lock.
public final class StagedSession: @unchecked Sendable {
  /// What a run consisted of.
  public struct Report: Sendable, Hashable {
    /// The stages that were run, those inside loops once for each time.
    public var stages = 0
    /// How many of them had to be compiled; the others were kept from earlier.
    public var compiled = 0
    /// Nodes run between stages: control flow, sequences, optionals.
    public var hostNodes = 0
    /// The times that loops went round, all together.
    public var iterations = 0
  }

  public let model: StagedModel
  private let sessions: StageSessions
  private let claim = Atomic<Bool>(false)
  private var last = Report()

  init(_ model: StagedModel, options: Session.Options) {
    self.model = model
    sessions = StageSessions(options, limits: model.limits)
  }

  /// Runs the model on values in the order of its inputs; returns the outputs in order.
  ///
  /// - Parameter inputs: nil for an optional input without a value.
  /// - Throws: `StagingError`: inputs that do not fit, a model that makes no sense for them, a
  ///   limit, lack of memory, or that the run was cancelled.
  public func run(_ inputs: [StagedValue?]) throws(StagingError) -> [StagedValue] {
    guard claim.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else {
      throw StagingError(
        .inUse, "another thread is using this session; make one session per thread")
    }
    defer { claim.store(false, ordering: .releasing) }
    guard inputs.count == model.inputs.count else {
      throw StagingError(
        .wrongInput, "\(inputs.count) values for \(model.inputs.count) inputs")
    }
    var given: [StagedValue?] = []
    for (port, value) in zip(model.inputs, inputs) { given.append(try port.accept(value)) }
    sessions.begin()
    var run = StagedRun(model, sessions)
    let results = try run.compute(model.root, given)
    last = run.report
    return results
  }

  /// Runs the model on values by name; returns the outputs by name.
  ///
  /// - Throws: `StagingError`, as for values in order; for an unknown name listing the model's.
  public func run(_ inputs: [String: StagedValue]) throws(StagingError) -> [String: StagedValue] {
    for name in inputs.keys.sorted() where !model.inputs.contains(where: { $0.name == name }) {
      let names = model.inputs.map { "\"\($0.name)\"" }.joined(separator: ", ")
      throw StagingError(
        .wrongInput, "the model has no input \"\(name)\"; its inputs are \(names)")
    }
    let results = try run(model.inputs.map { inputs[$0.name] })
    return Dictionary(
      zip(model.outputs.map(\.name), results), uniquingKeysWith: { first, _ in first })
  }

  /// Ends the run that another thread is doing, after the instruction it is at; without a run, does
  /// nothing.
  public func cancel() { sessions.cancel() }

  /// What the last run that succeeded consisted of.
  public var report: Report { last }
}

extension StagedModel.Port {
  /// Checks a value against what the model declares; what is declared as an optional becomes one.
  func accept(_ value: StagedValue?) throws(StagingError) -> StagedValue {
    let place = "input \"\(name)\""
    guard let value else {
      if kind == .optional { return .optional(nil) }
      throw StagingError(.wrongInput, "no value is given for it", place: place)
    }
    if kind == .optional {
      if case .optional = value { return value }
      return .optional(value)
    }
    guard value.kind == kind else {
      throw StagingError(
        .wrongInput, "the model takes \(kind), and \(value.kind) is given", place: place)
    }
    let tensors: [TensorBuffer] =
      switch value {
      case .tensor(let tensor): [tensor]
      case .sequence(let tensors): tensors
      case .optional: []
      }
    for tensor in tensors where !fits(tensor) {
      let extents = dimensions.map { list in
        list.isEmpty ? " scalar" : " " + list.map(\.description).joined(separator: "x")
      }
      throw StagingError(
        .wrongInput,
        "the model takes \(type?.name ?? "a tensor")\(extents ?? ""), and \(tensor.type) "
          + "\(tensor.shape) is given", place: place)
    }
    return value
  }

  private func fits(_ tensor: TensorBuffer) -> Bool {
    guard type == nil || type == tensor.type else { return false }
    guard let dimensions else { return true }
    return dimensions.count == tensor.shape.rank
      && zip(dimensions, tensor.shape.dimensions).allSatisfy { declared, extent in
        if case .known(let known) = declared { known == extent } else { true }
      }
  }
}
