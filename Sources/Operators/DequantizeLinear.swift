import Graphs
import Instructions
import Tensors

/// Dequantises: y = (x - x_zero_point) · x_scale.
///
/// x: an integer of 2 to 32 bits, float8 or float4; x_scale: float (or float8e8m0) of one element,
/// one per position of `axis` (default 1), or with `block_size` one per block of that many
/// positions; x_zero_point: likewise, of x's type, or absent (0); y: of the scale's type, or
/// `output_dtype`. ONNX versions 10 to 25.
package struct DequantizeLinear: LoweredOperator {
  package static let name = "DequantizeLinear"
  package static let sinceVersion = 10
  package var axis: Int
  package var blockSize: Int
  package var type: ElementType?

  package init(importing node: NodeReader) throws(ImportError) {
    (axis, blockSize) = try node.quantizationBlocks()
    type = try node.elementType("output_dtype")
    guard type?.isFloat ?? true else {
      throw node.invalid("output_dtype is \(type ?? .float32), but must be a float")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isQuantized else {
      throw GraphError(
        "dequantisation of \(x.type) is not supported; only of integers of 2 to 32 bits, float8 "
          + "and float4")
    }
    if let zero = inputs.optional(2), zero.type != x.type {
      throw GraphError("the zero point is \(zero.type), but x is \(x.type)")
    }
    _ = try inputs.quantizationAxis(axis, blockSize, x.shape)
    let scale = try inputs.required(1, "x_scale").type
    guard let type = type ?? (scale.isFloat ? scale : nil) else {
      throw GraphError("a scale of \(scale) needs output_dtype")
    }
    return [ValueInfo(type: type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let layout = lowering.keptLayout(rank: shape.rank)
    // A value that is to be kept in just these 8 bits.
    let type = try lowering.required(0).type
    if let known = lowering.inputInfos.quantization(of: type),
      lowering.quantization(ofOutput: 0) == known.quantization
    {
      let x = try lowering.operand(0, layout)
      if known.isSigned {
        let y = try lowering.quantizedResult(0, layout)
        lowering.emit(LookUp(x, in: lowering.signFlip(to: .uint8), to: y))
      } else {
        try lowering.alias(0, to: x, layout, quantization: known.quantization)
      }
      return
    }
    let axis = try lowering.inputInfos.quantizationAxis(axis, blockSize, shape)
    let types: Set<ElementType> = [.int8, .uint8, .int16, .uint16, .int32]
    guard types.contains(type), try lowering.outputInfo(0).type != .float64,
      !lowering.hasScaleBlocks(blockSize)
    else {
      var dequantize = DequantizeBlocks()
      dequantize.input = try lowering.operand(0)
      (dequantize.scale, dequantize.zeroPoint) = try lowering.scaleOperands()
      (dequantize.axis, dequantize.blockSize) = (axis, blockSize)
      dequantize.output = try lowering.result(0)
      return lowering.emit(dequantize)
    }
    var dequantize = Dequantize()
    dequantize.input = try lowering.operand(0, layout)
    (dequantize.scale, dequantize.zeroPoint) = try lowering.scaleOperands()
    dequantize.axis = layout.position(ofAxis: axis, rank: shape.rank)
    dequantize.output = try lowering.result(0, layout)
    lowering.emit(dequantize)
  }
}
