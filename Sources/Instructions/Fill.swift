import Tensors

/// Sets every element to one value: y[i] = value.
///
/// y: any type of 8 to 64 bits. The field holds the element's bits, low bytes first.
package struct Fill: Instruction {
  package static let opcode = "fill"

  package var output = Operand.none
  package var bits = 0
  private var count = 0
  private var size = 1

  package init() {}

  package init(_ output: Operand, bits: Int) {
    self.output = output
    self.bits = bits
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.output("y", &output)
    visitor.field("bits", &bits)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let y = preparation[output]
    size = y.type.byteCount
    try preparation.require([1, 2, 4, 8].contains(size), self, "\(y.type) is not supported")
    count = y.shape.elementCount
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch size {
    case 1: run(UInt8(truncatingIfNeeded: bits), context)
    case 2: run(UInt16(truncatingIfNeeded: bits), context)
    case 4: run(UInt32(truncatingIfNeeded: bits), context)
    default: run(bits, context)
    }
  }

  @inline(__always)
  private func run<T>(_ value: T, _ context: borrowing ExecutionContext) {
    let target = context.pointer(output, as: T.self)
    for index in context.share(of: count, grain: 64) { target[index] = value }
  }
}
