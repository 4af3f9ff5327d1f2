import Graphs

/// Why a graph could not be compiled.
public struct CompileError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure.
  public struct Code: Sendable, Hashable {
    package let name: String
    package init(_ name: String) { self.name = name }
    /// The model contradicts itself: shapes or types that do not fit.
    public static let invalidModel = Code("invalid model")
    /// A shape is missing or does not fit the model's inputs.
    public static let shapes = Code("shapes")
    /// Shapes depend on data that only a run has, or the model has control flow: it cannot become
    /// one program, but it can be run in stages.
    public static let dataDependent = Code("data-dependent")
    /// The model is beyond what the compiler can do, or over a limit.
    public static let unsupported = Code("unsupported")
    /// Data given for proofs does not fit the model.
    public static let invalidData = Code("invalid data")
    /// The compiler contradicts itself.
    public static let internalError = Code("internal error")
  }

  public var code: Code
  /// What is wrong, with the numbers, and what to do.
  public var message: String
  /// The node or tensor.
  public var place: String?
  /// The name of the value whose contents were needed; nil where something else is wrong.
  public var neededValue: String?
  package var neededID: Graph.ValueID?

  public init(_ code: Code, _ message: String, place: String? = nil) {
    self.code = code
    self.message = message
    self.place = place
  }

  /// An error of a graph, whose names are those of the values.
  init(_ error: GraphError, in graph: Graph) {
    self.init(
      error.needsStages ? .dataDependent : .invalidModel, error.message,
      place: error.place.map { "node \($0)" })
    neededID = error.neededValue
    neededValue = error.neededValue.map { graph[$0].name }
  }

  public var description: String { place.map { "\($0): \(message)" } ?? message }
}
