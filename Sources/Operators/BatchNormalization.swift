import Graphs
import Instructions
import Tensors

/// Normalises channels with statistics from training:
/// y = (x - mean[c]) / √(variance[c] + epsilon) · scale[c] + bias[c].
///
/// x, y: [N, C, …] of rank 2 or more, float; scale, bias, mean,
/// variance: [C]. Attribute `epsilon` (1e-5). ONNX versions 7 to 15, inference only:
/// `training_mode` and further outputs are refused; `momentum` and `spatial` are ignored;
/// statistics per element are refused.
package struct BatchNormalization: LoweredOperator {
  package static let name = "BatchNormalization"

  package var epsilon: Float

  package init(importing node: NodeReader) throws(ImportError) {
    node.ignore("momentum")
    if try node.bool("training_mode", default: false) {
      throw node.unsupported("training_mode; export the model for inference (model.eval())")
    }
    // Old exporters wrote spatial = 0 beside statistics per channel; `outputs` checks their shape.
    node.ignore("spatial")
    epsilon = try node.float("epsilon", default: 1e-5)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    try checkChannelParameters(inputs, names: ["scale", "bias", "mean", "variance"])
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
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
