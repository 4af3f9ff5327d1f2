import Graphs
import Instructions
import Tensors

/// Dequantises: y = (x - x_zero_point) · x_scale.
///
/// x: int8, uint8, int16, uint16 or int32; x_scale: float of one element, or one per position of
/// `axis` (default 1), its type is y's; x_zero_point: likewise, of x's type, or absent (0). ONNX
/// versions 10 to 25. Refused: blocks of an axis, and types below 8 bits or float8.
package struct DequantizeLinear: LoweredOperator {
  package static let name = "DequantizeLinear"
  package static let sinceVersion = 10
  package var axis: Int

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.quantizationAxis()
    _ = try node.int("output_dtype", default: 0)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard [.int8, .uint8, .int16, .uint16, .int32].contains(x.type) else {
      throw GraphError("dequantisation of \(x.type) is not supported; only of 8, 16 and 32 bits")
    }
    if let zero = inputs.optional(2), zero.type != x.type {
      throw GraphError("the zero point is \(zero.type), but x is \(x.type)")
    }
    _ = try inputs.quantizationAxis(axis, x.shape)
    return [ValueInfo(type: try inputs.required(1, "x_scale").type, shape: x.shape)]
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
    var dequantize = Dequantize()
    dequantize.input = try lowering.operand(0, layout)
    dequantize.scale = try lowering.operand(1, type: .float32)
    if lowering.info(2) != nil { dequantize.zeroPoint = try lowering.operand(2) }
    let axis = try lowering.inputInfos.quantizationAxis(axis, shape)
    dequantize.axis = layout.position(ofAxis: axis, rank: shape.rank)
    dequantize.output = try lowering.result(0, layout)
    lowering.emit(dequantize)
  }
}
