import Graphs
import Instructions
import Tensors

/// An operator that becomes instructions.
public protocol LoweredOperator: Operator {
  /// Emits the instructions that compute the outputs. Types and shapes have been validated by
  /// `outputs(for:)`.
  func lower(into lowering: Lowering) throws(GraphError)
}
