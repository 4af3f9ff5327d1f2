import Graphs
import Instructions
import Tensors

/// Batch normalisation with the batch's own statistics, as in training.
extension BatchNormalization {
  /// Emits y = (x - m[c]) / √(v[c] + epsilon) · scale[c] + bias[c] with mean m and variance v of
  /// the channel in this batch, and, where asked for, the running statistics: mean · momentum +
  /// m · (1 - momentum), and likewise the variance.
  func lowerTraining(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.operand(0)
    let shape = lowering[x].shape
    let wide: ElementType = lowering[x].type == .float64 ? .float64 : .float32
    let axes = [0] + Array(2..<shape.rank)
    var vector = shape
    for axis in axes { vector[axis] = 1 }
    let make = { (shape: Shape) in lowering.temporary(wide, shape) }
    let mean = make(vector)
    lowering.emit(Reduce(.mean, x, axes: axes, to: mean))
    let centred = make(shape)
    lowering.emit(Binary(.subtract, x, mean, to: centred))
    let squares = make(shape)
    lowering.emit(Unary(centred, to: squares, Activation(.square)))
    let variance = make(vector)
    lowering.emit(Reduce(.mean, squares, axes: axes, to: variance))
    let raised = make(vector)
    lowering.emit(Unary(variance, to: raised, Activation(.affine, alpha: 1, beta: epsilon)))
    let deviation = make(vector)
    lowering.emit(Unary(raised, to: deviation, Activation(.sqrt)))
    let factor = make(vector)
    let scale = lowering.reshaped(try lowering.operand(1, type: wide), vector)
    lowering.emit(Binary(.divide, scale, deviation, to: factor))
    let scaled = make(shape)
    lowering.emit(Binary(.multiply, centred, factor, to: scaled))
    let bias = lowering.reshaped(try lowering.operand(2, type: wide), vector)
    lowering.emit(Binary(.add, scaled, bias, to: try lowering.result(0)))
    for (output, current) in [(1, mean), (2, variance)] where lowering.wants(output: output) {
      let channels: Shape = [shape[1]]
      let old = make(channels)
      lowering.emit(
        Unary(
          try lowering.operand(output + 2, type: wide), to: old,
          Activation(.affine, alpha: momentum)))
      let new = make(channels)
      lowering.emit(
        Unary(
          lowering.reshaped(current, channels), to: new,
          Activation(.affine, alpha: 1 - momentum)))
      lowering.emit(Binary(.add, old, new, to: try lowering.result(output)))
    }
  }
}
