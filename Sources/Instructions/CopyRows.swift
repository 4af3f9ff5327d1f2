import Tensors

/// Copies a run of every row: y[r, targetOffset + i] = x[r, sourceOffset + i] for i below `count`.
///
/// x: [rows, X], y: [rows, Y], rows strided, one element type. It is concatenation and splitting
/// along the last axis; the compiler removes it where producer and consumers can work on a view.
package struct CopyRows: Instruction {
  package static let opcode = "copy_rows"

  package var input = Operand.none
  package var output = Operand.none
  package var sourceOffset = 0
  package var targetOffset = 0
  package var count = 0
  private var rows = 0
  private var sourceStride = 0
  private var targetStride = 0
  private var size = 0

  package init() {}

  package init(
    _ input: Operand, from sourceOffset: Int = 0, to output: Operand, at targetOffset: Int = 0,
    count: Int
  ) {
    self.input = input
    self.output = output
    self.sourceOffset = sourceOffset
    self.targetOffset = targetOffset
    self.count = count
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.update("y", &output, strided: true)
    visitor.field("source_offset", &sourceOffset)
    visitor.field("target_offset", &targetOffset)
    visitor.field("count", &count)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    try preparation.require(
      x.type == y.type && x.type.byteCount > 0, self, "\(x.type) into \(y.type)")
    try preparation.require(
      x.rowCount == y.rowCount, self, "\(x.rowCount) rows into \(y.rowCount)")
    try preparation.require(
      count >= 0 && sourceOffset >= 0 && targetOffset >= 0 && sourceOffset <= x.rowLength
        && targetOffset <= y.rowLength && count <= x.rowLength - sourceOffset
        && count <= y.rowLength - targetOffset, self,
      "\(count) elements from \(sourceOffset) of \(x.rowLength) "
        + "to \(targetOffset) of \(y.rowLength)"
    )
    rows = x.rowCount
    sourceStride = x.rowStride
    targetStride = y.rowStride
    size = x.type.byteCount
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let source = context.pointer(input) + sourceOffset * size
    let target = context.pointer(output) + targetOffset * size
    for row in context.share(of: rows) {
      (target + row * targetStride * size).copyMemory(
        from: source + row * sourceStride * size, byteCount: count * size)
    }
  }
}
