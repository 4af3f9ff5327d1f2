import Tensors

/// Quantises to any quantised type: y = saturate(round(x / scale) + zero point).
///
/// x: float32, bfloat16, float64 or int32; scale: float32 of one element, one per position of
/// `axis`, or one per block of `blockSize` positions of it (x's shape otherwise); zeroPoint: as
/// many of any numeric type, or absent (0); y: an integer of 2 to 16 bits (rounded, ties to even,
/// and saturated), a float8 or float4 (rounded by the conversion), x's shape. All dense; the
/// division is one of float32.
package struct QuantizeBlocks: Instruction {
  package static let opcode = "quantize_blocks"

  package var input = Operand.none
  package var scale = Operand.none
  package var zeroPoint = Operand.none
  package var output = Operand.none
  package var axis = 0
  /// 0: none.
  package var blockSize = 0
  package var saturates = true
  private var blocks = ScaleBlocks()
  private var types = QuantizedTypes()

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("scale", &scale)
    visitor.input("zero_point", &zeroPoint)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
    visitor.field("block_size", &blockSize)
    visitor.field("saturates", &saturates)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    let sources: Set<ElementType> = [.float32, .bfloat16, .float64, .int32]
    let isInteger = y.type.integerRange != nil && y.type.bitCount <= 16
    try preparation.require(
      sources.contains(x.type) && (isInteger || SmallFloat(y.type) != nil) && x.shape == y.shape,
      self, "\(x.type) \(x.shape) into \(y.type) \(y.shape)")
    blocks = try ScaleBlocks(
      self, x.shape, scale, zeroPoint, axis: axis, blockSize: blockSize, preparation)
    types = QuantizedTypes(x.type, zeroPoint.isPresent ? preparation[zeroPoint].type : nil, y.type)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let x = NumericElements(context.pointer(input), types.input)
    let y = NumericElements(context.pointer(output), types.output)
    let scales = context.pointer(scale, as: Float.self)
    let zeros =
      zeroPoint.isPresent
      ? NumericElements(context.pointer(zeroPoint), types.zeroPoint) : nil
    let range = types.output.integerRange
    var rules = NumericElements.Rules()
    rules.saturates = saturates
    let count = blocks.elementCount
    let share = context.share(of: count, grain: 16 * NumericElements.grain)
    if share.upperBound == count && !share.isEmpty { y.clearTail(count: count) }
    for i in share {
      let block = blocks.block(of: i)
      let quotient = Double(Float(x.real(i)) / scales[block])
      if let range {
        let value = quotient.rounded(.toNearestOrEven) + Double(zeros?.whole(block) ?? 0)
        y.set(
          min(max(Int(saturating: value), range.lowerBound), range.upperBound), at: i, rules)
      } else {
        y.set(quotient + (zeros?.real(block) ?? 0), at: i, rules)
      }
    }
  }
}

/// Dequantises from any quantised type: y = (x - zero point) · scale.
///
/// x: an integer, a float8 or float4; scale: float32 of one element, one per position of `axis`, or
/// one per block of `blockSize` positions of it (x's shape otherwise); zeroPoint: as many of any
/// numeric type, or absent (0); y: float32, bfloat16 or float64, x's shape. All dense.
package struct DequantizeBlocks: Instruction {
  package static let opcode = "dequantize_blocks"

  package var input = Operand.none
  package var scale = Operand.none
  package var zeroPoint = Operand.none
  package var output = Operand.none
  package var axis = 0
  /// 0: none.
  package var blockSize = 0
  private var blocks = ScaleBlocks()
  private var types = QuantizedTypes()

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("scale", &scale)
    visitor.input("zero_point", &zeroPoint)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
    visitor.field("block_size", &blockSize)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    let targets: Set<ElementType> = [.float32, .bfloat16, .float64]
    try preparation.require(
      targets.contains(y.type) && NumericElements.supports(x.type) && x.shape == y.shape, self,
      "\(x.type) \(x.shape) into \(y.type) \(y.shape)")
    blocks = try ScaleBlocks(
      self, x.shape, scale, zeroPoint, axis: axis, blockSize: blockSize, preparation)
    types = QuantizedTypes(x.type, zeroPoint.isPresent ? preparation[zeroPoint].type : nil, y.type)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let x = NumericElements(context.pointer(input), types.input)
    let y = NumericElements(context.pointer(output), types.output)
    let scales = context.pointer(scale, as: Float.self)
    let zeros =
      zeroPoint.isPresent
      ? NumericElements(context.pointer(zeroPoint), types.zeroPoint) : nil
    for i in context.share(of: blocks.elementCount, grain: 64) {
      let block = blocks.block(of: i)
      let difference = Float(x.real(i) - (zeros?.real(block) ?? 0))
      y.set(Double(difference * scales[block]), at: i)
    }
  }
}

/// The element types of an instruction that quantises or dequantises.
private struct QuantizedTypes: Sendable {
  var input = ElementType.float32
  var zeroPoint = ElementType.float32
  var output = ElementType.float32

  init() {}

  init(_ input: ElementType, _ zeroPoint: ElementType?, _ output: ElementType) {
    self.input = input
    self.zeroPoint = zeroPoint ?? .float32
    self.output = output
  }
}

/// Which elements share a scale: all of them, those at a position of an axis, or those of a block
/// of positions.
private struct ScaleBlocks: Sendable {
  private(set) var elementCount = 0
  private var space = AxisSpace()
  private var blockSize = 1
  private var blockCount = 1
  private enum Kind { case one, axis, blocks }
  private var kind = Kind.one

  init() {}

  init(
    _ instruction: any Instruction, _ shape: Shape, _ scale: Operand, _ zeroPoint: Operand,
    axis: Int, blockSize: Int, _ preparation: Preparation
  ) throws(InstructionError) {
    let scales = preparation[scale]
    elementCount = shape.elementCount
    let count = scales.shape.elementCount
    try preparation.require(
      scales.type == .float32 && (count > 0 || elementCount == 0), instruction,
      "scales are \(scales.type) \(scales.shape)")
    if zeroPoint.isPresent {
      let zeros = preparation[zeroPoint]
      try preparation.require(
        NumericElements.supports(zeros.type) && zeros.shape.elementCount == count, instruction,
        "zero points are \(zeros.type) \(zeros.shape) for \(count) scales")
    }
    if count == 1 { return }
    guard axis >= 0, axis < shape.rank, let space = AxisSpace(shape, axis: axis) else {
      throw InstructionError(type(of: instruction).opcode, "axis \(axis) of \(shape)")
    }
    self.space = space
    if blockSize == 0 {
      kind = .axis
      try preparation.require(
        count == space.extent, instruction, "\(count) scales for axis \(axis) of \(shape)")
      return
    }
    kind = .blocks
    self.blockSize = blockSize
    blockCount = blockSize > 0 ? (space.extent - 1) / max(blockSize, 1) + 1 : 0
    var wanted = shape
    wanted[axis] = space.extent == 0 ? 0 : blockCount
    try preparation.require(
      blockSize > 0 && scales.shape == wanted, instruction,
      "scales of shape \(scales.shape) for blocks of \(blockSize) along axis \(axis) of \(shape)")
  }

  /// The scale of an element.
  @inline(__always)
  func block(of index: Int) -> Int {
    switch kind {
    case .one: return 0
    case .axis: return index / space.inner % space.extent
    case .blocks:
      let (line, inner) = index.quotientAndRemainder(dividingBy: space.inner)
      let (outer, place) = line.quotientAndRemainder(dividingBy: space.extent)
      return (outer * blockCount + place / blockSize) * space.inner + inner
    }
  }
}
