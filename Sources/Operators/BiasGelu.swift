import Graphs
import Instructions
import Tensors

/// Adds a bias, then applies GELU: y = gelu(x + bias).
///
/// x, y: any shape, float16 or float32; bias: [last extent of x]. com.microsoft version 1.
package struct BiasGelu: LoweredOperator {
  package static let name = "BiasGelu"
  package static let domain = "com.microsoft"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    _ = try inputs.required(1, "bias")
    return try biasedOutputs(inputs)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.emitBiased(.init(.gelu))
  }
}

/// Adds a bias if there is one, then applies the tanh form of GELU: y = gelu(x + bias).
///
/// x, y: any shape, float16 or float32; bias (optional): [last extent of x]. com.microsoft version
/// 1.
package struct FastGelu: LoweredOperator, ActivationFunction {
  package static let name = "FastGelu"
  package static let domain = "com.microsoft"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    try biasedOutputs(inputs)
  }

  package func activation(for inputs: [ValueInfo?]) -> Activation? {
    inputs.optional(1) == nil ? Activation(.geluTanh) : nil
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.emitBiased(.init(.geluTanh))
  }
}

/// Checks x and its optional bias.
private func biasedOutputs(_ inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
  let x = try inputs.required(0, "x")
  guard x.type.isFloat, x.type != .float64 else { throw GraphError("x is \(x.type)") }
  if let bias = inputs.optional(1) {
    try checkSameType([x, bias])
    guard let width = x.shape.dimensions.last, bias.shape == [width] else {
      throw GraphError("the bias is \(bias.shape), but x is \(x.shape)")
    }
  }
  return [ValueInfo(type: x.type, shape: x.shape)]
}

extension Lowering {
  /// Output 0 is the function of input 0 plus the vector that is input 1, if given.
  fileprivate func emitBiased(_ function: Activation) throws(GraphError) {
    let rank = try outputInfo(0).shape.rank
    let layout = layout(0)
    let x = try operand(0, layout)
    guard info(1) != nil else {
      return emit(Unary(x, to: try result(0, layout), function))
    }
    let bias = try broadcastOperand(1, layout, rank: rank)
    emit(Binary(.add, x, bias, to: try result(0, layout), activation: function))
  }
}
