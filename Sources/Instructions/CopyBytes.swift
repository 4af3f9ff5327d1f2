import Tensors

/// Copies the bytes of a tensor: y has x's bits, whatever the two types make of them.
///
/// x, y: dense, any types and shapes that take the same number of bytes.
package struct CopyBytes: Instruction {
  package static let opcode = "copy_bytes"

  package var input = Operand.none
  package var output = Operand.none
  private var byteCount = 0

  package init() {}

  package init(_ input: Operand, to output: Operand) {
    self.input = input
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("y", &output)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    byteCount = y.byteCount
    try preparation.require(
      x.byteCount == y.byteCount, self,
      "\(x.type) \(x.shape) and \(y.type) \(y.shape) differ in bytes")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let share = context.share(of: byteCount, grain: 4096)
    (context.pointer(output) + share.lowerBound).copyMemory(
      from: context.pointer(input) + share.lowerBound, byteCount: share.count)
  }
}
