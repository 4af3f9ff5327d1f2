import Tensors

/// One ONNX operator at its versions: typed attributes and shape inference.
///
/// An operator is a value made from a source node. It has no evaluator: it lowers to instructions
/// (`LoweredOperator` in the room `Operators`), and constant folding runs those.
public protocol Operator: Sendable {
  /// The operator's name in the source vocabulary, e.g. `Conv`.
  static var name: String { get }
  /// The operator set: empty for `ai.onnx`, `com.microsoft`, `apus` for the compiler's own.
  static var domain: String { get }
  /// The first operator-set version whose meaning is implemented.
  static var sinceVersion: Int { get }

  /// Reads the attributes. All defaults and all version differences are handled here.
  init(importing node: NodeReader) throws(ImportError)

  /// Infers element types and shapes of the outputs, and validates everything that can be known.
  ///
  /// - Parameter inputs: what is known of each input; nil for an absent one.
  func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo]

  /// Says whether the outputs depend on the inputs' shapes only, as those of `Shape` do; such a
  /// node folds though its inputs are not constant.
  var dependsOnShapesOnly: Bool { get }

  /// Says whether the operator means what its name means today, so that passes may match it by
  /// name; old versions of some align operands otherwise.
  var hasUsualMeaning: Bool { get }
}

extension Operator {
  public static var domain: String { "" }
  public static var sinceVersion: Int { 1 }
  public var dependsOnShapesOnly: Bool { false }
  public var hasUsualMeaning: Bool { true }
}
