import Graphs
import Instructions
import Tensors

/// What tells one element-wise operator of two inputs from the next.
package protocol BinaryDefinition: Sendable {
  static var name: String { get }
  /// The element types that it takes.
  static func takes(_ type: ElementType) -> Bool
  /// The function; attributes are read here.
  static func function(_ node: NodeReader) throws(ImportError) -> Binary.Function
}

/// A definition of a function without attributes: one line.
package protocol PlainBinaryDefinition: BinaryDefinition {
  static var function: Binary.Function { get }
}

extension PlainBinaryDefinition {
  package static func function(_ node: NodeReader) throws(ImportError) -> Binary.Function {
    function
  }

  package static func takes(_ type: ElementType) -> Bool {
    if function.isLogic { return type == .bool }
    if function.isArithmetic || function.isComparison { return type.isInteger || type.isFloat }
    return type.isInteger
  }
}

/// Combines two tensors element by element: y = f(a, b), with f as `Definition` says.
///
/// a, b: shapes that broadcast (numpy's rules), one element type; y: the broadcast shape, the same
/// type, or bool for comparisons. Before version 7, b's axes stood at `axis` of a where `broadcast`
/// was set. All ONNX versions.
package struct BinaryOperator<Definition: BinaryDefinition>: LoweredOperator {
  package static var name: String { Definition.name }

  package var function: Binary.Function
  /// Applied to the result; set by the compiler.
  package var activation = Activation.none

  /// The axis of a at which b's axes begin, where an old model says so.
  private var axis: Int?

  package init(importing node: NodeReader) throws(ImportError) {
    function = try Definition.function(node)
    guard node.version < 7 else { return }
    node.ignore("consumed_inputs")
    let axis = try node.int("axis")
    if try node.bool("broadcast", default: false) { self.axis = axis }
  }

  package var hasUsualMeaning: Bool { axis == nil }

  /// What is known of b, with axes of 1 behind its own where `axis` says so.
  private func aligned(_ a: ValueInfo, _ b: ValueInfo) throws(GraphError) -> ValueInfo {
    guard let axis, b.shape.rank > 0, a.shape.rank > 0 else { return b }
    let place = try normalized(axis: axis, rank: a.shape.rank)
    guard place + b.shape.rank <= a.shape.rank else {
      throw GraphError("\(b.shape) does not fit to \(a.shape) from axis \(axis) on")
    }
    let ones = [Int](repeating: 1, count: a.shape.rank - place - b.shape.rank)
    return ValueInfo(type: b.type, shape: Shape(b.shape.dimensions + ones))
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let a = try inputs.required(0, "a")
    let b = try inputs.required(1, "b")
    try checkSameType([a, b])
    guard Definition.takes(a.type) else {
      throw GraphError("the inputs are \(a.type), which \(Definition.name) does not take")
    }
    let type = function.isComparison || function.isLogic ? ElementType.bool : a.type
    return [ValueInfo(type: type, shape: try broadcastShape([a, try aligned(a, b)]))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    if axis == nil, try lowering.lowerQuantizedBinary(function, activation) { return }
    let rank = try lowering.outputInfo(0).shape.rank
    if axis != nil {
      let shape = try aligned(lowering.required(0), lowering.required(1)).shape
      let b = lowering.reshaped(try lowering.operand(1), shape)
      let a = try lowering.operand(0)
      return lowering.emit(
        Binary(function, a, b, to: try lowering.result(0), activation: activation))
    }
    let layout = lowering.broadcastLayout(over: [0, 1], rank: rank)
    let a = try lowering.broadcastOperand(0, layout, rank: rank)
    let b = try lowering.broadcastOperand(1, layout, rank: rank)
    let y = try lowering.result(0, layout)
    lowering.emit(Binary(function, a, b, to: y, activation: activation))
  }
}
