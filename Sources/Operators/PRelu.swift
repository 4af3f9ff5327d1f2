import Graphs
import Instructions
import Tensors

/// Scales what is negative: y = x < 0 ? slope · x : x.
///
/// x, y: any shape, float or integer; slope: broadcastable to x (one way); before version 7 also
/// [C], one per channel of [N, C, …]. ONNX versions 1 to 16.
package struct PRelu: LoweredOperator, ActivationFunction {
  package static let name = "PRelu"

  /// A vector of slopes belongs to the channels, as before version 7.
  private var hasChannelSlopes: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    hasChannelSlopes = node.version < 7
    node.ignore("consumed_inputs")
  }

  /// The slope's shape as it is broadcast to x.
  private func slopeShape(_ x: Shape, _ slope: Shape) -> Shape {
    guard hasChannelSlopes, x.rank > 2, slope.rank == 1, slope[0] == x[1] else { return slope }
    return Shape([slope[0]] + [Int](repeating: 1, count: x.rank - 2))
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    let slope = try inputs.required(1, "slope")
    try checkSameType([x, slope])
    guard x.type.isInteger || x.type.isFloat else { throw GraphError("x is \(x.type)") }
    guard Shape.broadcast(x.shape, slopeShape(x.shape, slope.shape)) == x.shape else {
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
    let given = try lowering.required(1).shape
    let wanted = slopeShape(try lowering.outputInfo(0).shape, given)
    if wanted != given {
      let slope = lowering.reshaped(try lowering.operand(1), wanted)
      let x = try lowering.operand(0)
      return lowering.emit(Binary(.prelu, x, slope, to: try lowering.result(0)))
    }
    let slope = try lowering.broadcastOperand(1, layout, rank: rank)
    lowering.emit(Binary(.prelu, x, slope, to: try lowering.result(0, layout)))
  }
}
