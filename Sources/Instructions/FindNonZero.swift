import Tensors

/// Lists where a tensor is not zero: column c of y is the index of the c-th such element.
///
/// x: any type of 8 to 64 bits; y: int64 [rank of x, count], row-major order. Where x holds fewer
/// than `count` such elements, the remaining columns are zero; more are left out.
package struct FindNonZero: Instruction {
  package static let opcode = "find_non_zero"

  package var input = Operand.none
  package var output = Operand.none
  private var extents: [Int] = []
  private var count = 0
  private var limit = 0
  private var type = ElementType.float32

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
    type = x.type
    try preparation.require(
      [1, 2, 4, 8].contains(x.type.byteCount) && y.type == .int64 && y.shape.rank == 2
        && y.shape[0] == max(x.shape.rank, 1), self,
      "\(x.type) \(x.shape) into \(y.type) \(y.shape)")
    extents = x.shape.rank == 0 ? [1] : x.shape.dimensions
    count = x.shape.elementCount
    limit = y.shape[1]
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard context.part == 0 else { return }
    switch type.byteCount {
    case 1: run(UInt8.self, ignoring: 0, context)
    // The sign of a float's zero does not matter.
    case 2: run(UInt16.self, ignoring: type.isFloat ? 0x8000 : 0, context)
    case 4: run(UInt32.self, ignoring: type.isFloat ? 1 << 31 : 0, context)
    default: run(UInt64.self, ignoring: type.isFloat ? 1 << 63 : 0, context)
    }
  }

  private func run<T: FixedWidthInteger>(
    _: T.Type, ignoring sign: T, _ context: borrowing ExecutionContext
  ) {
    let source = context.pointer(input, as: T.self)
    let target = context.pointer(output, as: Int64.self)
    for i in 0..<limit * extents.count { target[i] = 0 }
    var found = 0
    for index in 0..<count where source[index] & ~sign != 0 && found < limit {
      var rest = index
      var axis = extents.count - 1
      while axis >= 0 {
        target[axis * limit + found] = Int64(rest % extents[axis])
        rest /= extents[axis]
        axis -= 1
      }
      found += 1
    }
  }
}
