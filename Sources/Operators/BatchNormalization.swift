import Graphs
import Instructions
import Tensors

/// Normalises channels with statistics from training:
/// y = (x - mean[c]) / √(variance[c] + epsilon) · scale[c] + bias[c].
///
/// x, y: [N, C, …] of rank 2 or more, float; scale, bias, mean,
/// variance: [C]. Attribute `epsilon` (1e-5). ONNX versions 7 to 15. With `training_mode` the
/// statistics are the batch's own, and outputs 1 and 2 the running ones, updated by `momentum`
/// (0.9). Otherwise further outputs are refused; `spatial` is ignored; statistics per element are
/// refused.
package struct BatchNormalization: LoweredOperator {
  package static let name = "BatchNormalization"

  package var epsilon: Float
  package var momentum: Float
  /// Uses the statistics of the batch.
  package var isTraining: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    momentum = try node.float("momentum", default: 0.9)
    isTraining = try node.bool("training_mode", default: false)
    // Before version 7 the attribute said it the other way round.
    if node.version < 7 { isTraining = try !node.bool("is_test", default: false) }
    node.ignore("consumed_inputs")
    // Old exporters wrote spatial = 0 beside statistics per channel; `outputs` checks their shape.
    node.ignore("spatial")
    epsilon = try node.float("epsilon", default: 1e-5)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    try checkChannelParameters(inputs, names: ["scale", "bias", "mean", "variance"])
    let y = ValueInfo(type: x.type, shape: x.shape)
    guard isTraining else { return [y] }
    let mean = try inputs.required(3, "mean")
    let variance = try inputs.required(4, "variance")
    return [
      y, ValueInfo(type: mean.type, shape: mean.shape),
      ValueInfo(type: variance.type, shape: variance.shape),
    ]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    if isTraining { return try lowerTraining(into: lowering) }
    let rank = try lowering.required(0).shape.rank
    let (factor, offset) = try parameters(lowering)
    if rank == 2 || (3...5).contains(rank) {
      let layout: Layout = rank == 2 ? .declared : .channelsLast
      let x = try lowering.operand(0, layout)
      lowering.emit(
        ScaleShift(x, scale: factor, bias: offset, to: try lowering.result(0, layout)))
      return
    }
    let x = try lowering.operand(0)
    let vector = Shape([lowering[factor].rowLength] + [Int](repeating: 1, count: rank - 2))
    let type: ElementType = lowering[x].type == .float64 ? .float64 : .float32
    let scaled = lowering.temporary(type, lowering[x].shape)
    lowering.emit(Binary(.multiply, x, lowering.reshaped(factor, vector), to: scaled))
    lowering.emit(
      Binary(.add, scaled, lowering.reshaped(offset, vector), to: try lowering.result(0)))
  }

  /// scale / √(variance + epsilon) and bias - mean · that, as [C]; computed here where known.
  private func parameters(
    _ lowering: Lowering
  ) throws(GraphError) -> (factor: Operand, offset: Operand) {
    let infos = [try lowering.required(1), try lowering.required(2), try lowering.required(3)]
    let variance = try lowering.required(4)
    let known = (infos + [variance]).compactMap { $0.constant?.doubles() }
    let count = variance.shape.elementCount
    if known.count == 4, known.allSatisfy({ $0.count == count }) {
      let factors = (0..<count).map { known[0][$0] / (known[3][$0] + Double(epsilon)).squareRoot() }
      let offsets = (0..<count).map { known[1][$0] - known[2][$0] * factors[$0] }
      if variance.type == .float64 {
        return (
          lowering.constant(TensorBuffer(.float64, [count], factors)),
          lowering.constant(TensorBuffer(.float64, [count], offsets))
        )
      }
      return (
        lowering.constant(TensorBuffer([count], factors.map { Float($0) })),
        lowering.constant(TensorBuffer([count], offsets.map { Float($0) }))
      )
    }
    let type: ElementType = variance.type == .float64 ? .float64 : .float32
    let vector: Shape = [count]
    let raised = lowering.temporary(type, vector)
    lowering.emit(
      Unary(try lowering.operand(4), to: raised, Activation(.affine, alpha: 1, beta: epsilon)))
    let deviation = lowering.temporary(type, vector)
    lowering.emit(Unary(raised, to: deviation, Activation(.sqrt)))
    let factor = lowering.temporary(type, vector)
    lowering.emit(Binary(.divide, try lowering.operand(1), deviation, to: factor))
    let shift = lowering.temporary(type, vector)
    lowering.emit(Binary(.multiply, try lowering.operand(3), factor, to: shift))
    let offset = lowering.temporary(type, vector)
    lowering.emit(Binary(.subtract, try lowering.operand(2), shift, to: offset))
    return (factor, offset)
  }
}

extension TensorBuffer {
  /// The elements of a float tensor as float64.
  func doubles() -> [Double]? {
    type == .float64 ? elements(as: Double.self) : floats()?.map { Double($0) }
  }
}
