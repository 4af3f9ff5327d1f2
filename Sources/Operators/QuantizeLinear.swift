import Graphs
import Instructions
import Tensors

/// Quantises: y = saturate(round(x / y_scale) + y_zero_point), ties to even.
///
/// x: float; y_scale: one element, or one per position of `axis` (default 1); y_zero_point:
/// likewise, its type is y's (uint8 where it is absent, or `output_dtype`): int8, uint8, int16,
/// uint16. ONNX versions 10 to 25. Refused: blocks of an axis, and types below 8 bits or float8.
package struct QuantizeLinear: LoweredOperator {
  package static let name = "QuantizeLinear"
  package static let sinceVersion = 10
  package var axis: Int
  package var type: ElementType?

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.quantizationAxis()
    node.ignore("saturate", "precision")
    let number = try node.int("output_dtype", default: 0)
    if number != 0 {
      guard let known = UInt8(exactly: number).flatMap({ ElementType(rawValue: $0) }) else {
        throw node.invalid("output_dtype \(number) is not known")
      }
      type = known
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard [.float32, .float16, .bfloat16].contains(x.type) else {
      throw GraphError("\(x.type) cannot be quantised; only float32, float16 and bfloat16")
    }
    let type = inputs.optional(2)?.type ?? type ?? .uint8
    guard [.int8, .uint8, .int16, .uint16].contains(type) else {
      throw GraphError("quantisation to \(type) is not supported; only to 8 and 16 bits")
    }
    _ = try inputs.quantizationAxis(axis, x.shape)
    return [ValueInfo(type: type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let layout = lowering.keptLayout(rank: shape.rank)
    // What is kept in the same 8 bits already needs no arithmetic.
    if let known = lowering.inputInfos.quantization(of: try lowering.outputInfo(0).type),
      lowering.nativeQuantization(0) == known.quantization
    {
      let x = try lowering.quantizedOperand(0, layout, as: known.quantization)
      guard known.isSigned else { return try lowering.alias(0, to: x, layout) }
      lowering.emit(
        LookUp(x, in: lowering.signFlip(to: .int8), to: try lowering.result(0, layout)))
      return
    }
    var quantize = Quantize()
    quantize.input = try lowering.operand(0, layout)
    quantize.scale = try lowering.operand(1, type: .float32)
    if lowering.info(2) != nil { quantize.zeroPoint = try lowering.operand(2) }
    let axis = try lowering.inputInfos.quantizationAxis(axis, shape)
    quantize.axis = layout.position(ofAxis: axis, rank: shape.rank)
    quantize.output = try lowering.result(0, layout)
    lowering.emit(quantize)
  }
}

extension NodeReader {
  /// The attributes of both directions that say which elements share a scale.
  func quantizationAxis() throws(ImportError) -> Int {
    let axis = try int("axis", default: 1)
    guard try int("block_size", default: 0) == 0 else {
      throw unsupported("block_size is not supported: quantise per tensor or per axis")
    }
    return axis
  }
}

extension [ValueInfo?] {
  /// The axis whose positions have scales of their own; 0 for one scale. Validates scale and zero
  /// point, inputs 1 and 2.
  func quantizationAxis(_ axis: Int, _ shape: Shape) throws(GraphError) -> Int {
    let scale = try required(1, "scale")
    guard scale.type.isFloat, scale.type != .float64 else {
      throw GraphError("the scale is \(scale.type), but must be a float")
    }
    let count = scale.shape.elementCount
    if let zero = optional(2), zero.shape.elementCount != count {
      throw GraphError("\(zero.shape.elementCount) zero points for \(count) scales")
    }
    if count == 1 { return 0 }
    let known = try normalized(axis: axis, rank: shape.rank)
    guard scale.shape == [shape[known]] else {
      throw GraphError("scales of shape \(scale.shape) for axis \(axis) of \(shape)")
    }
    return known
  }
}

extension [ValueInfo?] {
  /// The quantisation that constant scale and zero point (inputs 1 and 2) of one element say, for
  /// 8-bit elements brought to uint8; nil where they say something else.
  package func quantization(
    of type: ElementType
  ) -> (quantization: Quantization, isSigned: Bool)? {
    guard type == .uint8 || type == .int8, let scale = optional(1)?.constant?.floats(),
      scale.count == 1, scale[0] > 0, scale[0].isFinite
    else { return nil }
    var zero = 0
    if let given = optional(2) {
      guard let known = given.constant?.integers(), known.count == 1 else { return nil }
      zero = known[0]
    }
    let isSigned = type == .int8
    return (
      Quantization(scale: scale[0], zeroPoint: Int32(zero + (isSigned ? 128 : 0))), isSigned
    )
  }
}

extension Lowering {
  /// The table between int8 elements and the uint8 ones that are 128 more.
  func signFlip(to type: ElementType) -> Operand {
    let bytes = (0..<256).map { UInt8($0) ^ 0x80 }
    let table =
      type == .uint8
      ? TensorBuffer(.uint8, [256], bytes)
      : TensorBuffer(.int8, [256], bytes.map { Int8(bitPattern: $0) })
    return constant(table, name: "\(node.name).sign")
  }
}
