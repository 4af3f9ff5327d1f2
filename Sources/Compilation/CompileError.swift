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

  public init(_ code: Code, _ message: String, place: String? = nil) {
    self.code = code
    self.message = message
    self.place = place
  }

  init(_ error: GraphError) {
    self.init(.invalidModel, error.message, place: error.place.map { "node \($0)" })
  }

  public var description: String { place.map { "\($0): \(message)" } ?? message }
}
