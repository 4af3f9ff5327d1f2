import Tensors

/// Copies a tensor between two arrangements in memory, converting the element type if need be:
/// y[Σ iₖ·targetStridesₖ + targetOffset] = x[Σ iₖ·sourceStridesₖ + sourceOffset] for every index i
/// below `extents`.
///
/// x, y: dense. Strides and offsets count elements and may be zero or negative. One instruction is
/// thus transpose, slice, expand, tile, concatenation along any axis, and change of layout. Types:
/// equal, or both among float32, bfloat16, float16.
package struct Copy: Instruction {
  package static let opcode = "copy"

  package var input = Operand.none
  package var output = Operand.none
  package var extents: [Int] = []
  package var sourceStrides: [Int] = []
  package var targetStrides: [Int] = []
  package var sourceOffset = 0
  package var targetOffset = 0
  private var sourceType = ElementType.float32
  private var targetType = ElementType.float32

  package init() {}

  package init(
    _ input: Operand, to output: Operand, extents: [Int], sourceStrides: [Int],
    targetStrides: [Int], sourceOffset: Int = 0, targetOffset: Int = 0
  ) {
    self.input = input
    self.output = output
    self.extents = extents
    self.sourceStrides = sourceStrides
    self.targetStrides = targetStrides
    self.sourceOffset = sourceOffset
    self.targetOffset = targetOffset
  }

  /// A copy of the whole of `input` into the whole of `output`, axis i of the output being axis
  /// `axes[i]` of the input (nil: the same order).
  package static func converting(
    _ input: Operand, _ source: TensorSpec, to output: Operand, _ target: TensorSpec, axes: [Int]?
  ) -> Copy {
    let strides = source.shape.denseStrides
    return Copy(
      input, to: output, extents: target.shape.dimensions,
      sourceStrides: axes.map { $0.map { strides[$0] } } ?? strides,
      targetStrides: target.shape.denseStrides)
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.update("y", &output)
    visitor.field("extents", &extents)
    visitor.field("source_strides", &sourceStrides)
    visitor.field("target_strides", &targetStrides)
    visitor.field("source_offset", &sourceOffset)
    visitor.field("target_offset", &targetOffset)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let source = preparation[input]
    let target = preparation[output]
    sourceType = source.type
    targetType = target.type
    let floats: Set<ElementType> = [.float32, .bfloat16, .float16]
    try preparation.require(
      source.type == target.type || floats.isSuperset(of: [source.type, target.type]), self,
      "cannot convert \(source.type) to \(target.type)")
    try preparation.require(
      (1...16).contains(source.type.byteCount), self, "\(source.type) is not supported")
    try preparation.require(
      extents.count == sourceStrides.count && extents.count == targetStrides.count
        && extents.count <= 16, self, "extents and strides differ in rank")
    // No position of the target is written twice, so hostile extents cannot make it spin.
    let count = Shape(extents).checkedElementCount
    try preparation.require(
      count.map { $0 <= target.shape.elementCount } ?? false, self,
      "\(extents) elements into \(target.shape)")
    try check(sourceStrides, sourceOffset, within: source, preparation)
    try check(targetStrides, targetOffset, within: target, preparation)
  }

  /// Every address that the copy visits must lie inside the tensor.
  private func check(
    _ strides: [Int], _ offset: Int, within spec: TensorSpec, _ preparation: Preparation
  ) throws(InstructionError) {
    let count = spec.shape.elementCount
    guard !extents.contains(0) else { return }
    var low = offset
    var high = offset
    for (extent, step) in zip(extents, strides) {
      let (reach, overflow) = (extent - 1).multipliedReportingOverflow(by: step)
      try preparation.require(
        extent > 0 && !overflow && reach.magnitude < 1 << 48, self, "extent \(extent), stride \(step)")
      if reach < 0 { low += reach } else { high += reach }
    }
    try preparation.require(
      low >= 0 && high < count, self,
      "elements \(low)...\(high) of \"\(spec.name)\", which has \(count)")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let from = context.pointer(input)
    let to = context.pointer(output)
    if sourceType == targetType {
      switch sourceType.byteCount {
      case 1: run(from, to, UInt8.self, UInt8.self, context) { $0 }
      case 2: run(from, to, UInt16.self, UInt16.self, context) { $0 }
      case 4: run(from, to, UInt32.self, UInt32.self, context) { $0 }
      case 8: run(from, to, UInt64.self, UInt64.self, context) { $0 }
      default: run(from, to, SIMD2<UInt64>.self, SIMD2<UInt64>.self, context) { $0 }
      }
      return
    }
    switch (sourceType, targetType) {
    case (.float32, .bfloat16): run(from, to, Float.self, BFloat16.self, context) { BFloat16($0) }
    case (.bfloat16, .float32): run(from, to, BFloat16.self, Float.self, context) { Float($0) }
    case (.float16, .float32): run(from, to, Float16.self, Float.self, context) { Float($0) }
    case (.float32, .float16): run(from, to, Float.self, Float16.self, context) { Float16($0) }
    case (.float16, .bfloat16):
      run(from, to, Float16.self, BFloat16.self, context) { BFloat16(Float($0)) }
    default:
      run(from, to, BFloat16.self, Float16.self, context) { Float16(Float($0)) }
    }
  }

  /// Walks the outermost axis in shares; the innermost loop is a plain strided loop.
  @inline(__always)
  private func run<S: BitwiseCopyable, T: BitwiseCopyable>(
    _ from: UnsafeMutableRawPointer, _ to: UnsafeMutableRawPointer, _: S.Type, _: T.Type,
    _ context: borrowing ExecutionContext, _ convert: (S) -> T
  ) {
    let source = from.assumingMemoryBound(to: S.self) + sourceOffset
    let target = to.assumingMemoryBound(to: T.self) + targetOffset
    let rank = extents.count
    guard rank > 0 else {
      if context.part == 0 { target[0] = convert(source[0]) }
      return
    }
    let inner = extents[rank - 1]
    guard inner > 0 else { return }
    let innerSource = sourceStrides[rank - 1]
    let innerTarget = targetStrides[rank - 1]
    var rows = 1
    for axis in 0..<rank - 1 { rows *= extents[axis] }
    for row in context.share(of: rows) {
      var rest = row
      var s = 0
      var t = 0
      var axis = rank - 2
      while axis >= 0 {
        let i = rest % extents[axis]
        rest /= extents[axis]
        s += i * sourceStrides[axis]
        t += i * targetStrides[axis]
        axis -= 1
      }
      for i in 0..<inner { target[t + i * innerTarget] = convert(source[s + i * innerSource]) }
    }
  }
}
