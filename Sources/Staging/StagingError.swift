import Compilation
import Graphs
import Runtime

/// Why a model could not be run in stages.
public struct StagingError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure.
  public struct Code: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// An input is missing, unknown, or of another kind, type or shape than the model declares.
    public static let wrongInput = Code(description: "wrong input")
    /// The model makes no sense for these inputs.
    public static let invalidModel = Code(description: "invalid model")
    /// The run would go beyond a limit: times of loops, memory.
    public static let limit = Code(description: "limit")
    /// There is not enough memory, or the system allows no more threads.
    public static let noResources = Code(description: "no resources")
    /// The data made an instruction impossible, such as an index out of range.
    public static let fault = Code(description: "fault")
    /// Another thread is running the session.
    public static let inUse = Code(description: "in use")
    /// The run was cancelled.
    public static let cancelled = Code(description: "cancelled")
    /// Apus contradicts itself.
    public static let internalError = Code(description: "internal error")
  }

  public var code: Code
  /// What is wrong, with the numbers, and what to do.
  public var message: String
  /// The node, input or output.
  public var place: String?

  package init(_ code: Code, _ message: String, place: String? = nil) {
    self.code = code
    self.message = message
    self.place = place
  }

  init(_ error: CompileError) {
    let code: Code =
      switch error.code {
      case .shapes: .wrongInput
      case .internalError: .internalError
      default: .invalidModel
      }
    self.init(code, error.message, place: error.place)
  }

  init(_ error: RuntimeError) {
    let code: Code =
      switch error.code {
      case .outOfMemory, .outOfThreads: .noResources
      case .fault: .fault
      case .inUse: .inUse
      case .cancelled: .cancelled
      default: .internalError
      }
    self.init(code, error.message, place: error.place)
  }

  init(_ error: GraphError, at node: Graph.Node) {
    self.init(.invalidModel, error.message, place: "node \(error.at(node).place ?? "")")
  }

  public var description: String { place.map { "\($0): \(message)" } ?? message }
}
