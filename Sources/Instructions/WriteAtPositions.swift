import Tensors

/// Writes a piece of every line along an axis, from a position per batch on:
/// y[b, …, positions[b] + s, …] = updates[b, …, s, …].
///
/// y: holds what was there before; updates: y's type and shape but for the axis, where it is no
/// longer; positions: int64 [first extent of y]. A piece that goes beyond the end continues at the
/// beginning (`isCircular`), else it is a fault at run time.
package struct WriteAtPositions: Instruction {
  package static let opcode = "write_at_positions"

  package var updates = Operand.none
  package var positions = Operand.none
  package var output = Operand.none
  package var axis = 1
  package var isCircular = false
  private var space = AxisSpace()
  private var extent = 0
  private var linesPerBatch = 1
  private var sliceByteCount = 0

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("updates", &updates)
    visitor.input("positions", &positions)
    visitor.update("y", &output)
    visitor.field("axis", &axis)
    visitor.field("is_circular", &isCircular)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let y = preparation[output]
    let update = preparation[updates]
    let index = preparation[positions]
    try preparation.require(
      y.type == update.type && y.type.byteCount > 0 && axis >= 1 && axis < y.shape.rank
        && update.shape.rank == y.shape.rank && index.type == .int64
        && index.shape == [y.shape[0]], self,
      "\(update.type) \(update.shape) at \(index.type) \(index.shape) into \(y.type) \(y.shape)")
    var rest = update.shape
    rest[axis] = y.shape[axis]
    guard rest == y.shape, update.shape[axis] <= y.shape[axis],
      let space = AxisSpace(update.shape, axis: axis)
    else {
      throw InstructionError(
        Self.opcode, "\(update.shape) into \(y.shape) along axis \(axis)")
    }
    self.space = space
    extent = y.shape[axis]
    linesPerBatch = max(y.shape.dimensions[1..<axis].reduce(1, *), 1)
    sliceByteCount = space.inner * y.type.byteCount
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let source = context.pointer(updates)
    let target = context.pointer(output)
    let starts = context.pointer(positions, as: Int64.self)
    for outer in context.share(of: space.outer) {
      var start = Int(starts[outer / linesPerBatch])
      if start < 0 || !isCircular && start > extent - space.extent {
        context.fail(.indexOutOfRange)
        start = 0
      }
      start %= max(extent, 1)
      for place in 0..<space.extent {
        let to = (start + place) % extent
        (target + (outer * extent + to) * sliceByteCount).copyMemory(
          from: source + (outer * space.extent + place) * sliceByteCount,
          byteCount: sliceByteCount)
      }
    }
  }
}
