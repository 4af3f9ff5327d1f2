import Graphs
import Instructions
import Tensors

/// A tensor written in the model.
///
/// output: what exactly one of `value`, `value_float`, `value_floats`, `value_int`, `value_ints`
/// holds. ONNX versions 1 to 25. Refused: strings and sparse tensors.
package struct Constant: LoweredOperator {
  package static let name = "Constant"
  package var value: TensorBuffer

  package init(importing node: NodeReader) throws(ImportError) {
    for name in ["value_string", "value_strings", "sparse_value"] where node.has(name) {
      throw node.unsupported("\(name) is not supported: use a dense numeric tensor")
    }
    if let tensor = try node.tensor("value") {
      value = tensor
    } else if let float = try node.float("value_float") {
      value = TensorBuffer([], [float])
    } else if let floats = try node.floats("value_floats") {
      value = TensorBuffer([floats.count], floats)
    } else if let int = try node.int("value_int") {
      value = TensorBuffer([int]).reshaped([])
    } else if let ints = try node.ints("value_ints") {
      value = TensorBuffer(ints)
    } else {
      throw node.invalid("the constant has no value")
    }
  }

  package init(_ value: TensorBuffer) { self.value = value }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    [ValueInfo(type: value.type, shape: value.shape, constant: value)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.alias(0, to: lowering.constant(value))
  }
}
