import Tensors

/// Keeps one triangle of every matrix: y[…, i, j] = x[…, i, j] where j - i ≥ diagonal (`upper`) or
/// j - i ≤ diagonal, else 0.
///
/// x, y: [..., rows, columns], one shape and type, dense.
package struct KeepTriangle: Instruction {
  package static let opcode = "keep_triangle"

  package var input = Operand.none
  package var output = Operand.none
  package var isUpper = true
  package var diagonal = 0
  private var rowCount = 0
  private var height = 1
  private var width = 0
  private var size = 1

  package init() {}

  package init(_ input: Operand, isUpper: Bool, diagonal: Int, to output: Operand) {
    self.input = input
    self.isUpper = isUpper
    self.diagonal = diagonal
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("y", &output)
    visitor.field("is_upper", &isUpper)
    visitor.field("diagonal", &diagonal)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    size = x.type.byteCount
    try preparation.require(
      x.type == y.type && size > 0 && x.shape == y.shape && x.shape.rank >= 2, self,
      "\(x.type) \(x.shape) into \(y.type) \(y.shape)")
    width = x.rowLength
    height = max(x.shape[x.shape.rank - 2], 1)
    rowCount = x.rowCount
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let source = context.pointer(input)
    let target = context.pointer(output)
    // Far diagonals must not overflow.
    let shift = min(max(diagonal, -height - width - 1), height + width + 1)
    for row in context.share(of: rowCount) {
      let border = min(max(row % height + shift + (isUpper ? 0 : 1), 0), width)
      let from = source + row * width * size
      let to = target + row * width * size
      let kept = isUpper ? border..<width : 0..<border
      let dropped = isUpper ? 0..<border : border..<width
      (to + kept.lowerBound * size).copyMemory(
        from: from + kept.lowerBound * size, byteCount: kept.count * size)
      let zeros = UnsafeMutableRawBufferPointer(
        start: to + dropped.lowerBound * size, count: dropped.count * size)
      zeros.initializeMemory(as: UInt8.self, repeating: 0)
    }
  }
}
