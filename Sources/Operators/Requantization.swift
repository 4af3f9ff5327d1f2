import Graphs
import Instructions
import Tensors

/// How an exact integer sum becomes 8 bits again: y = saturate(round(sum · (x_scale · w_scale /
/// y_scale)) + y_zero), rounded to even, the factor in float32.
struct Requantization {
  /// The node's inputs.
  var xScale: Int
  var wScale: Int
  var yScale: Int
  var yZero: Int

  /// Checks scales and zero point, and returns the type of y.
  func type(_ inputs: [ValueInfo?]) throws(GraphError) -> ElementType {
    for (index, name) in [(xScale, "x_scale"), (wScale, "w_scale"), (yScale, "y_scale")] {
      let info = try inputs.required(index, name)
      guard info.type == .float32 || info.type == .float16 || info.type == .bfloat16 else {
        throw GraphError("\(name) is \(info.type), but must be a float of at most 32 bits")
      }
    }
    guard try inputs.required(yScale, "y_scale").shape.elementCount == 1,
      try inputs.required(yZero, "y_zero_point").shape.elementCount == 1
    else { throw GraphError("y_scale and y_zero_point must have one element") }
    let type = try inputs.required(yZero, "y_zero_point").type
    guard type == .int8 || type == .uint8 else {
      throw GraphError("y_zero_point is \(type), but must be int8 or uint8")
    }
    return type
  }

  /// Emits y from the int32 sum.
  ///
  /// - Parameters:
  ///   - xShape, wShape: what the scales are seen as, broadcastable to the sum.
  func lower(
    into lowering: Lowering, _ sum: Operand, xShape: Shape, wShape: Shape, y: Operand
  ) throws(GraphError) {
    let shape = lowering[sum].shape
    let real = lowering.temporary(.float32, shape)
    lowering.emit(Cast(sum, to: real))
    let x = lowering.reshaped(try lowering.operand(xScale, type: .float32), xShape)
    let w = lowering.reshaped(try lowering.operand(wScale, type: .float32), wShape)
    guard let both = Shape.broadcast(xShape, wShape) else {
      throw GraphError("scales of shapes \(xShape) and \(wShape)")
    }
    let product = lowering.temporary(.float32, both)
    lowering.emit(Binary(.multiply, x, w, to: product))
    let factor = lowering.temporary(.float32, both)
    let divisor = lowering.reshaped(try lowering.operand(yScale, type: .float32), [1])
    lowering.emit(Binary(.divide, product, divisor, to: factor))
    let scaled = lowering.temporary(.float32, shape)
    lowering.emit(Binary(.multiply, real, factor, to: scaled))
    var quantize = Quantize()
    quantize.input = scaled
    quantize.scale = lowering.constant(TensorBuffer([1], [1]))
    quantize.zeroPoint = lowering.reshaped(try lowering.operand(yZero), [1])
    quantize.output = y
    lowering.emit(quantize)
  }
}
