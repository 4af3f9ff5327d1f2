import Graphs
import Instructions
import Tensors

/// An operator that applies one function to every element of its first input, so that the producer
/// of that input may apply it while it stores its result.
package protocol ActivationFunction: Operator {
  /// The function, or nil where it is not known at compile time or not a function of one float.
  ///
  /// - Parameter inputs: what is known of each input, bounds of `Clip` among them.
  func activation(for inputs: [ValueInfo?]) -> Activation?
}

/// Applies a function that the compiler recognised in a pattern of nodes: y = f(x).
///
/// x, y: any shape, float. Not in any source vocabulary.
package struct Activate: LoweredOperator, ActivationFunction {
  package static let name = "Activate"
  package static let domain = "apus"

  package var function: Activation

  package init(_ function: Activation) { self.function = function }

  package init(importing node: NodeReader) throws(ImportError) {
    throw node.unsupported("the operator belongs to the compiler and cannot be imported")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    guard let x = inputs.first ?? nil else { throw GraphError("input x is missing") }
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func activation(for inputs: [ValueInfo?]) -> Activation? { function }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let layout = lowering.layout(0)
    let x = try lowering.operand(0, layout)
    lowering.emit(Unary(x, to: try lowering.result(0, layout), function))
  }
}
