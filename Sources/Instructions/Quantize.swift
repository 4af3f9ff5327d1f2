import Tensors

/// Quantises: y = saturate(round(x / scale) + zero point), ties to even.
///
/// x: float32 or bfloat16; scale: float32 of one element, or one per position of `axis`; zeroPoint:
/// as many of y's type, or absent (0); y: int8, uint8, int16 or uint16, x's shape.
package struct Quantize: Instruction {
  package static let opcode = "quantize"

  package var input = Operand.none
  package var scale = Operand.none
  package var zeroPoint = Operand.none
  package var output = Operand.none
  package var axis = 0
  private var channels = QuantizedChannels()
  private var inputType = ElementType.float32
  private var outputType = ElementType.uint8

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("scale", &scale)
    visitor.input("zero_point", &zeroPoint)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    let types: Set<ElementType> = [.int8, .uint8, .int16, .uint16]
    try preparation.require(
      (x.type == .float32 || x.type == .bfloat16) && types.contains(y.type) && x.shape == y.shape,
      self, "\(x.type) \(x.shape) into \(y.type) \(y.shape)")
    channels = try QuantizedChannels(
      self, x.shape, scale, zeroPoint, axis: axis, type: y.type, preparation)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch outputType {
    case .int8: run(Int8.self, context)
    case .uint8: run(UInt8.self, context)
    case .int16: run(Int16.self, context)
    default: run(UInt16.self, context)
    }
  }

  private func run<T: FixedWidthInteger>(_: T.Type, _ context: borrowing ExecutionContext) {
    let source = FloatElements(context.pointer(input), inputType)
    let target = context.pointer(output, as: T.self)
    let scales = context.pointer(scale, as: Float.self)
    let zeros = zeroPoint.isPresent ? context.pointer(zeroPoint, as: T.self) : nil
    for run in context.share(of: channels.runCount) {
      let channel = channels.channel(ofRun: run)
      let factor = scales[channel]
      let zero = Float(zeros?[channel] ?? 0)
      for i in channels.elements(ofRun: run) {
        let value = (source[i] / factor).rounded(.toNearestOrEven) + zero
        target[i] = T(clamping: Int(saturating: value))
      }
    }
  }
}

/// Dequantises: y = (x - zero point) · scale.
///
/// x: int8, uint8, int16, uint16 or int32; scale: float32 of one element, or one per position of
/// `axis`; zeroPoint: as many of x's type, or absent (0); y: float32 or bfloat16, x's shape.
package struct Dequantize: Instruction {
  package static let opcode = "dequantize"

  package var input = Operand.none
  package var scale = Operand.none
  package var zeroPoint = Operand.none
  package var output = Operand.none
  package var axis = 0
  private var channels = QuantizedChannels()
  private var inputType = ElementType.uint8
  private var outputType = ElementType.float32

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("scale", &scale)
    visitor.input("zero_point", &zeroPoint)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    let types: Set<ElementType> = [.int8, .uint8, .int16, .uint16, .int32]
    try preparation.require(
      (y.type == .float32 || y.type == .bfloat16) && types.contains(x.type) && x.shape == y.shape,
      self, "\(x.type) \(x.shape) into \(y.type) \(y.shape)")
    channels = try QuantizedChannels(
      self, x.shape, scale, zeroPoint, axis: axis, type: x.type, preparation)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch inputType {
    case .int8: run(Int8.self, context)
    case .uint8: run(UInt8.self, context)
    case .int16: run(Int16.self, context)
    case .uint16: run(UInt16.self, context)
    default: run(Int32.self, context)
    }
  }

  private func run<T: FixedWidthInteger>(_: T.Type, _ context: borrowing ExecutionContext) {
    let source = context.pointer(input, as: T.self)
    let target = FloatElements(context.pointer(output), outputType)
    let scales = context.pointer(scale, as: Float.self)
    let zeros = zeroPoint.isPresent ? context.pointer(zeroPoint, as: T.self) : nil
    for run in context.share(of: channels.runCount) {
      let channel = channels.channel(ofRun: run)
      let factor = scales[channel]
      let zero = Int(zeros?[channel] ?? 0)
      for i in channels.elements(ofRun: run) { target[i] = Float(Int(source[i]) - zero) * factor }
    }
  }
}

/// Quantises with a scale and a zero point found in the data: scale = (max - min) / 255 over x and
/// 0, zero point = saturate(round(-min / scale)).
///
/// x: float32; y: uint8, x's shape; scale: float32, zeroPoint: uint8, one element each.
package struct QuantizeDynamically: Instruction {
  package static let opcode = "quantize_dynamically"

  package var input = Operand.none
  package var output = Operand.none
  package var scale = Operand.none
  package var zeroPoint = Operand.none
  private var count = 0

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("y", &output)
    visitor.output("scale", &scale)
    visitor.output("zero_point", &zeroPoint)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    try preparation.require(
      x.type == .float32 && y.type == .uint8 && x.shape == y.shape
        && preparation[scale].type == .float32 && preparation[scale].shape.elementCount == 1
        && preparation[zeroPoint].type == .uint8
        && preparation[zeroPoint].shape.elementCount == 1, self,
      "\(x.type) \(x.shape) into \(y.type) \(y.shape)")
    count = x.shape.elementCount
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard context.part == 0 else { return }
    let source = context.pointer(input, as: Float.self)
    let target = context.pointer(output, as: UInt8.self)
    var low: Float = 0
    var high: Float = 0
    for i in 0..<count {
      low = min(low, source[i])
      high = max(high, source[i])
    }
    let step = high > low ? (high - low) / 255 : 1
    let zero = min(max((-low / step).rounded(.toNearestOrEven), 0), 255)
    for i in 0..<count {
      let value = (source[i] / step).rounded(.toNearestOrEven) + zero
      target[i] = UInt8(clamping: Int(saturating: value))
    }
    context.pointer(scale, as: Float.self)[0] = step
    context.pointer(zeroPoint, as: UInt8.self)[0] = UInt8(clamping: Int(saturating: zero))
  }
}

/// The runs of elements that share a scale: the whole tensor in pieces, or what lies behind each
/// position of an axis.
struct QuantizedChannels: Sendable {
  private(set) var runCount = 0
  private var runLength = 1
  private var channelCount = 1
  private var elementCount = 0

  init() {}

  init(
    _ instruction: any Instruction, _ shape: Shape, _ scale: Operand, _ zeroPoint: Operand,
    axis: Int, type: ElementType, _ preparation: Preparation
  ) throws(InstructionError) {
    let factors = preparation[scale]
    channelCount = factors.shape.elementCount
    elementCount = shape.elementCount
    try preparation.require(
      factors.type == .float32 && (channelCount > 0 || elementCount == 0), instruction,
      "scales are \(factors.type) \(factors.shape)")
    if zeroPoint.isPresent {
      let zeros = preparation[zeroPoint]
      try preparation.require(
        zeros.type == type && zeros.shape.elementCount == channelCount, instruction,
        "zero points are \(zeros.type) \(zeros.shape) for \(channelCount) scales of \(type)")
    }
    if channelCount == 1 {
      runLength = 4096
    } else {
      try preparation.require(
        axis >= 0 && axis < shape.rank && shape[axis] == channelCount, instruction,
        "\(channelCount) scales for axis \(axis) of \(shape)")
      runLength = max(1, shape.dimensions[(axis + 1)...].reduce(1, *))
    }
    runCount = (elementCount + runLength - 1) / runLength
  }

  @inline(__always)
  func channel(ofRun run: Int) -> Int { channelCount == 1 ? 0 : run % channelCount }

  @inline(__always)
  func elements(ofRun run: Int) -> Range<Int> {
    run * runLength..<min((run + 1) * runLength, elementCount)
  }
}
