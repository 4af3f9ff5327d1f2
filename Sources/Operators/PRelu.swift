import Graphs
import Instructions
import Tensors

/// Scales what is negative: y = x < 0 ? slope · x : x.
///
/// x, y: any shape, float or integer; slope: broadcastable to x (one way). ONNX versions 7 to 16.
package struct PRelu: LoweredOperator, ActivationFunction {
  package static let name = "PRelu"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    let slope = try inputs.required(1, "slope")
    try checkSameType([x, slope])
    guard x.type.isInteger || x.type.isFloat else { throw GraphError("x is \(x.type)") }
    guard Shape.broadcast(x.shape, slope.shape) == x.shape else {
      throw GraphError("slope \(slope.shape) does not broadcast to x \(x.shape)")
    }
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  /// With one constant slope it is a leaky ReLU.
  package func activation(for inputs: [ValueInfo?]) -> Activation? {
    guard inputs.count == 2, let slope = inputs[1], slope.shape.elementCount == 1,
      slope.type.isFloat, slope.type != .float64, let alpha = slope.constant?.floats()?.first
    else { return nil }
    return Activation(.leakyRelu, alpha: alpha)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let rank = try lowering.outputInfo(0).shape.rank
    let layout = lowering.layout(0)
    let x = try lowering.operand(0, layout)
    if let activation = activation(for: [lowering.info(0), lowering.info(1)]) {
      lowering.emit(Unary(x, to: try lowering.result(0, layout), activation))
      return
    }
    let slope = try lowering.broadcastOperand(1, layout, rank: rank)
    lowering.emit(Binary(.prelu, x, slope, to: try lowering.result(0, layout)))
  }
}
