import Graphs
import Instructions
import Tensors

/// Quantises: y = saturate(round(x / y_scale) + y_zero_point), ties to even.
///
/// x: float or int32; y_scale: one element, one per position of `axis` (default 1), or with
/// `block_size` one per block of that many positions; y_zero_point: likewise, its type is y's
/// (`output_dtype`, or uint8, where it is absent): an integer of 2 to 16 bits, float8 or float4.
/// `saturate` 0 lets float8 become infinity or NaN; `precision` is accepted: the division is one of
/// float32. ONNX versions 10 to 25.
package struct QuantizeLinear: LoweredOperator {
  package static let name = "QuantizeLinear"
  package static let sinceVersion = 10
  package var axis: Int
  package var blockSize: Int
  package var type: ElementType?
  package var saturates: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    (axis, blockSize) = try node.quantizationBlocks()
    saturates = try node.bool("saturate", default: true)
    node.ignore("precision")
    type = try node.elementType("output_dtype")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat || x.type == .int32 else {
      throw GraphError("\(x.type) cannot be quantised; only floats and int32")
    }
    let type = inputs.optional(2)?.type ?? type ?? .uint8
    guard type.isQuantized, type.bitCount <= 16 else {
      throw GraphError(
        "quantisation to \(type) is not supported; only to integers of 2 to 16 bits, float8 and "
          + "float4")
    }
    _ = try inputs.quantizationAxis(axis, blockSize, x.shape)
    return [ValueInfo(type: type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let layout = lowering.keptLayout(rank: shape.rank)
    let type = try lowering.outputInfo(0).type
    // What is kept in the same 8 bits already needs no arithmetic.
    if let known = lowering.inputInfos.quantization(of: type),
      lowering.nativeQuantization(0) == known.quantization
    {
      let x = try lowering.quantizedOperand(0, layout, as: known.quantization)
      guard known.isSigned else { return try lowering.alias(0, to: x, layout) }
      lowering.emit(
        LookUp(x, in: lowering.signFlip(to: .int8), to: try lowering.result(0, layout)))
      return
    }
    let axis = try lowering.inputInfos.quantizationAxis(axis, blockSize, shape)
    guard type.isInteger, try lowering.required(0).type.isFloat,
      try lowering.required(0).type != .float64, !lowering.hasScaleBlocks(blockSize)
    else {
      var quantize = QuantizeBlocks()
      quantize.input = try lowering.operand(0)
      (quantize.scale, quantize.zeroPoint) = try lowering.scaleOperands()
      (quantize.axis, quantize.blockSize) = (axis, blockSize)
      quantize.saturates = saturates
      quantize.output = try lowering.result(0, type: type)
      return lowering.emit(quantize)
    }
    var quantize = Quantize()
    quantize.input = try lowering.operand(0, layout)
    (quantize.scale, quantize.zeroPoint) = try lowering.scaleOperands()
    quantize.axis = layout.position(ofAxis: axis, rank: shape.rank)
    quantize.output = try lowering.result(0, layout)
    lowering.emit(quantize)
  }
}

extension NodeReader {
  /// The attributes of both directions that say which elements share a scale.
  func quantizationBlocks() throws(ImportError) -> (axis: Int, blockSize: Int) {
    let blockSize = try int("block_size", default: 0)
    guard blockSize >= 0 else { throw invalid("block_size is \(blockSize)") }
    return (try int("axis", default: 1), blockSize)
  }

  /// An attribute that names an element type; nil where it is absent or 0.
  func elementType(_ name: String) throws(ImportError) -> ElementType? {
    guard let number = try int(name), number != 0 else { return nil }
    guard let known = UInt8(exactly: number).flatMap({ ElementType(rawValue: $0) }) else {
      throw invalid("\(name) is \(number), which is no element type")
    }
    return known
  }
}

extension ElementType {
  /// Integers of 2 to 32 bits, float8 and float4.
  var isQuantized: Bool {
    SmallFloat(self) != nil || integerRange != nil && bitCount <= 32
  }
}

extension [ValueInfo?] {
  /// The axis whose positions (or blocks of positions) have scales of their own; 0 for one scale.
  /// Validates scale and zero point, inputs 1 and 2.
  func quantizationAxis(
    _ axis: Int, _ blockSize: Int, _ shape: Shape
  ) throws(GraphError) -> Int {
    let scale = try required(1, "scale")
    guard scale.type.isFloat || scale.type == .float8E8M0, scale.type != .float64 else {
      throw GraphError("the scale is \(scale.type), but must be a float")
    }
    let count = scale.shape.elementCount
    if let zero = optional(2), zero.shape.elementCount != count {
      throw GraphError("\(zero.shape.elementCount) zero points for \(count) scales")
    }
    if count == 1 { return 0 }
    let known = try normalized(axis: axis, rank: shape.rank)
    var wanted: Shape = [shape[known]]
    if blockSize > 0 {
      wanted = shape
      wanted[known] = shape[known] == 0 ? 0 : (shape[known] - 1) / blockSize + 1
    }
    guard scale.shape == wanted else {
      let blocks = blockSize > 0 ? ", blocks of \(blockSize)" : ""
      throw GraphError("scales of shape \(scale.shape) for axis \(axis) of \(shape)\(blocks)")
    }
    return known
  }
}

extension Lowering {
  /// Says whether scales belong to blocks of an axis, not to the whole tensor or to positions.
  func hasScaleBlocks(_ blockSize: Int) -> Bool {
    blockSize > 0 && (info(1)?.shape.elementCount ?? 1) != 1
  }

  /// The scale (input 1) as float32, and the zero point (input 2) if there is one.
  func scaleOperands() throws(GraphError) -> (scale: Operand, zeroPoint: Operand) {
    var scale = try operand(1)
    if self[scale].type != .float32 {
      if self[scale].type == .float8E8M0 {
        let wide = temporary(.float32, self[scale].shape)
        emit(CastSmall(scale, to: wide))
        scale = wide
      } else {
        scale = try operand(1, type: .float32)
      }
    }
    return (scale, info(2) == nil ? .none : try operand(2))
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
