import Graphs
import Instructions
import Tensors

/// What tells one element-wise operator of one input from the next.
package protocol UnaryDefinition: Sendable {
  static var name: String { get }
  static var domain: String { get }
  /// Whether integers are allowed besides floats.
  static var takesIntegers: Bool { get }
  /// The function with its parameters; all defaults are here.
  static func activation(_ node: NodeReader) throws(ImportError) -> Activation
}

extension UnaryDefinition {
  package static var domain: String { "" }
  package static var takesIntegers: Bool { false }
}

/// A definition of a function without parameters: one line.
package protocol PlainUnaryDefinition: UnaryDefinition {
  static var function: Activation.Function { get }
}

extension PlainUnaryDefinition {
  package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
    Activation(function)
  }
}

/// Applies a function to every element: y = f(x), with f as `Definition` says.
///
/// x, y: one shape of any rank, one element type: a float, or where the function allows it (`Abs`,
/// `Neg`, `Sign`, `Relu`) an integer. All ONNX versions from 7 on: later ones only added types.
package struct UnaryOperator<Definition: UnaryDefinition>: LoweredOperator, ActivationFunction {
  package static var name: String { Definition.name }
  package static var domain: String { Definition.domain }

  package var function: Activation

  package init(importing node: NodeReader) throws(ImportError) {
    function = try Definition.activation(node)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat || Definition.takesIntegers && x.type.isInteger else {
      throw GraphError("x is \(x.type), which \(Definition.name) does not take")
    }
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func activation(for inputs: [ValueInfo?]) -> Activation? {
    guard let x = inputs.first ?? nil, !x.type.isFloat || x.type == .float64 else {
      return function
    }
    return nil
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let layout = lowering.layout(0)
    let x = try lowering.operand(0, layout)
    lowering.emit(Unary(x, to: try lowering.result(0, layout), function))
  }
}
