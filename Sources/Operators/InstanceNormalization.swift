import Graphs
import Instructions
import Tensors

/// Normalises every channel of every sample on its own:
/// y = (x - mean) / √(variance + epsilon) · scale[c] + bias[c].
///
/// x, y: [N, C, …] of rank 2 or more, float; scale, bias: [C]. Attribute `epsilon` (1e-5). ONNX
/// versions 6 to 22.
package struct InstanceNormalization: LoweredOperator {
  package static let name = "InstanceNormalization"

  package var epsilon: Float

  package init(importing node: NodeReader) throws(ImportError) {
    epsilon = try node.float("epsilon", default: 1e-5)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    try checkChannelParameters(inputs, names: ["scale", "bias"])
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    var instruction = Normalize(
      try lowering.operand(0), axis: 2, scale: try lowering.operand(1),
      bias: try lowering.operand(2), epsilon: epsilon, to: try lowering.result(0))
    instruction.period = max(shape[1], 1)
    instruction.run = max(shape.dimensions[2...].reduce(1, *), 1)
    lowering.emit(instruction)
  }
}

/// Checks that x is a float [N, C, …] and that the inputs after it are [C] of its type.
func checkChannelParameters(
  _ inputs: [ValueInfo?], names: [String]
) throws(GraphError) {
  let x = try inputs.required(0, "x")
  guard x.type.isFloat, x.shape.rank >= 2 else {
    throw GraphError("x is \(x.type) \(x.shape), but must be a float [N, C, …]")
  }
  for (index, name) in names.enumerated() {
    let parameter = try inputs.required(index + 1, name)
    guard parameter.type.isFloat, (parameter.type == .float64) == (x.type == .float64),
      parameter.shape == [x.shape[1]]
    else {
      throw GraphError(
        "\(name) is \(parameter.type) \(parameter.shape), but x has \(x.shape[1]) channels")
    }
  }
}
