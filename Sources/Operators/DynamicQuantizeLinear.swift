import Graphs
import Instructions
import Tensors

/// Quantises to uint8 with a scale and a zero point found in the data: y_scale = (max - min) / 255
/// over x and 0, y_zero_point = saturate(round(-min / y_scale)).
///
/// x: float32; y: uint8, y_scale: float32 scalar, y_zero_point: uint8 scalar. ONNX version 11.
package struct DynamicQuantizeLinear: LoweredOperator {
  package static let name = "DynamicQuantizeLinear"
  package static let sinceVersion = 11

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type == .float32 else { throw GraphError("x is \(x.type), but must be float32") }
    return [
      ValueInfo(type: .uint8, shape: x.shape), ValueInfo(type: .float32, shape: []),
      ValueInfo(type: .uint8, shape: []),
    ]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var quantize = QuantizeDynamically()
    let shape = try lowering.required(0).shape
    quantize.input = try lowering.operand(0, type: .float32)
    quantize.output = try lowering.resultOrSpare(0, .uint8, shape)
    quantize.scale = try lowering.resultOrSpare(1, .float32, [])
    quantize.zeroPoint = try lowering.resultOrSpare(2, .uint8, [])
    lowering.emit(quantize)
  }
}

extension Lowering {
  /// The tensor of an output, or one that nobody reads where nobody asks for the output.
  func resultOrSpare(
    _ index: Int, _ type: ElementType, _ shape: Shape
  ) throws(GraphError) -> Operand {
    wants(output: index) ? try result(index, type: type) : temporary(type, shape)
  }
}
