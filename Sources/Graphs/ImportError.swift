/// Why a source model could not be read.
public struct ImportError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure.
  public struct Code: Sendable, Hashable {
    package let name: String
    package init(_ name: String) { self.name = name }
    /// The file is not there or cannot be read.
    public static let unreadable = Code("unreadable")
    /// The bytes are not a model: truncated, corrupt, over a limit.
    public static let malformed = Code("malformed")
    /// The model uses something that is not supported; `message` names all of it.
    public static let unsupported = Code("unsupported")
    /// A node contradicts the operator's definition.
    public static let invalidNode = Code("invalid node")
  }

  public var code: Code
  /// What is wrong, with the operands, and what to do.
  public var message: String
  /// Where: `node "conv1" (Conv)`, `byte 1234`, a file.
  public var place: String?
  /// The nodes that cannot be imported, all of them; empty where the file itself is the problem.
  public var problems: [ImportProblem] = []

  public init(_ code: Code, _ message: String, place: String? = nil) {
    self.code = code
    self.message = message
    self.place = place
  }

  public var description: String { place.map { "\($0): \(message)" } ?? message }
}

/// One node that cannot be imported.
public struct ImportProblem: Sendable, Hashable {
  /// The node's name.
  public var node: String
  public var operatorName: String
  /// The operator set: `ai.onnx`, `com.microsoft` …
  public var domain: String
  /// The version of the operator set that the model asks for.
  public var version: Int
  /// What is wrong.
  public var reason: String
  /// What to do; nil where the reason says it.
  public var remedy: String?

  public init(
    node: String, operatorName: String, domain: String, version: Int, reason: String,
    remedy: String? = nil
  ) {
    self.node = node
    self.operatorName = operatorName
    self.domain = domain
    self.version = version
    self.reason = reason
    self.remedy = remedy
  }
}
