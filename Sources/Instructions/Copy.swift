import Tensors

/// Copies a tensor between two arrangements in memory, converting the element type if need be:
/// y[Σ iₖ·targetStridesₖ + targetOffset] = x[Σ iₖ·sourceStridesₖ + sourceOffset] for every index i
/// below `extents`.
///
/// x, y: dense. Strides and offsets count elements and may be zero or negative. One instruction is
/// thus transpose, slice, expand, tile, concatenation along any axis, and change of layout. Types:
/// equal, or both among float32, bfloat16, float16. `CopyPlan` says how the copy runs.
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
  private var plan: CopyPlan?
  private var converter: ElementConverter?

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
    plan = nil
    guard count != 0 else { return }
    converter =
      source.type == target.type
      ? nil : ElementConverter(from: source.type, to: target.type, isas: preparation.isas)
    let axes = extents.indices.map {
      CopyPlan.Axis(extent: extents[$0], source: sourceStrides[$0], target: targetStrides[$0])
    }
    let plan = CopyPlan(
      axes, elementSize: target.type.byteCount, converts: converter != nil, preparation)
    preparation.requestScratch(plan.scratchByteCount * preparation.parts)
    self.plan = plan
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
        extent > 0 && !overflow && reach.magnitude < 1 << 48, self,
        "extent \(extent), stride \(step)")
      if reach < 0 { low += reach } else { high += reach }
    }
    try preparation.require(
      low >= 0 && high < count, self,
      "elements \(low)...\(high) of \"\(spec.name)\", which has \(count)")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard let plan else { return }
    let size = sourceType.byteCount
    let from = context.pointer(input) + sourceOffset * size
    let to = context.pointer(output) + targetOffset * targetType.byteCount
    if plan.isTransposition {
      plan.transpose(from, to, converter, context)
      return
    }
    if let converter {
      plan.convert(from, to, converter, context)
      return
    }
    switch size {
    case 1: plan.copy(from, to, UInt8.self, context)
    case 2: plan.copy(from, to, UInt16.self, context)
    case 4: plan.copy(from, to, UInt32.self, context)
    case 8: plan.copy(from, to, UInt64.self, context)
    default: plan.copy(from, to, SIMD2<UInt64>.self, context)
    }
  }
}
