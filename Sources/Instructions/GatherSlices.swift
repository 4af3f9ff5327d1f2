import Tensors

/// Takes whole slices of a tensor by index: y[o, k, i] = x[o, indices[k], i].
///
/// x: any shape, o running over the axes before `axis` and i over those behind it; indices: int32
/// or int64, any shape, k running over all of them; y: as many elements as o × k × i, x's element
/// type. A negative index counts from the end; one out of range is a fault at run time.
package struct GatherSlices: Instruction {
  package static let opcode = "gather_slices"

  package var input = Operand.none
  package var indices = Operand.none
  package var output = Operand.none
  package var axis = 0
  private var outer = 0
  private var extent = 0
  private var indexCount = 0
  private var innerByteCount = 0
  private var indexType = ElementType.int64

  package init() {}

  package init(_ input: Operand, at indices: Operand, axis: Int, to output: Operand) {
    self.input = input
    self.indices = indices
    self.axis = axis
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("indices", &indices)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    let index = preparation[indices]
    try preparation.require(
      x.type == y.type && x.type.byteCount > 0, self, "\(x.type) into \(y.type)")
    try preparation.require(
      index.type == .int32 || index.type == .int64, self, "indices are \(index.type)")
    try preparation.require(
      axis >= 0 && axis < x.shape.rank, self, "axis \(axis) of \(x.shape)")
    outer = x.shape.dimensions[..<axis].reduce(1, *)
    let inner = x.shape.dimensions[(axis + 1)...].reduce(1, *)
    extent = x.shape[axis]
    indexCount = index.shape.elementCount
    indexType = index.type
    innerByteCount = inner * x.type.byteCount
    let expected = Shape([outer, indexCount, inner]).checkedElementCount
    try preparation.require(
      expected == y.shape.elementCount, self,
      "\(indexCount) slices of \(x.shape) along axis \(axis) into \(y.shape)")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch indexType {
    case .int32: run(Int32.self, context)
    default: run(Int64.self, context)
    }
  }

  private func run<I: FixedWidthInteger>(_: I.Type, _ context: borrowing ExecutionContext) {
    let source = context.pointer(input)
    let target = context.pointer(output)
    let places = context.pointer(indices, as: I.self)
    for row in context.share(of: outer * indexCount) {
      let o = row / indexCount
      let place = context.place(Int(truncatingIfNeeded: places[row % indexCount]), extent)
      guard place >= 0 else { return }
      (target + row * innerByteCount).copyMemory(
        from: source + (o * extent + place) * innerByteCount, byteCount: innerByteCount)
    }
  }
}

extension ExecutionContext {
  /// The position that an index means on an axis of this extent: negative ones count from the end.
  /// One out of range is recorded as a fault and clamped; -1 where the axis is empty.
  @inline(__always)
  package func place(_ index: Int, _ extent: Int) -> Int {
    let place = index < 0 ? index &+ extent : index
    if place >= 0 && place < extent { return place }
    fail(.indexOutOfRange)
    return place < 0 ? min(0, extent - 1) : extent - 1
  }
}
