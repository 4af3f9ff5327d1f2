import Tensors

/// Converts the element type where one of the two is smaller than a byte or an 8-bit float: y = x.
///
/// x, y: one shape, dense, any numeric type or bool. Floats become small integers by truncation and
/// keep the low bits, as integers do; small floats are rounded to nearest, ties to even. What is
/// too large for float8 becomes its largest number (`saturates`), or infinity or NaN; float8e8m0
/// rounds to a power of two as `rounding` says.
package struct CastSmall: Instruction {
  package static let opcode = "cast_small"

  package var input = Operand.none
  package var output = Operand.none
  package var saturates = true
  package var rounding = PowerOfTwo.Rounding.up
  private var inputType = ElementType.float32
  private var outputType = ElementType.float32
  private var count = 0

  package init() {}

  package init(
    _ input: Operand, to output: Operand, saturates: Bool = true,
    rounding: PowerOfTwo.Rounding = .up
  ) {
    self.input = input
    self.output = output
    self.saturates = saturates
    self.rounding = rounding
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("y", &output)
    visitor.field("saturates", &saturates)
    visitor.field("rounding", &rounding)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    count = y.shape.elementCount
    try preparation.require(
      NumericElements.supports(x.type) && NumericElements.supports(y.type) && x.shape == y.shape,
      self, "\(x.type) \(x.shape) cannot become \(y.type) \(y.shape)")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let x = NumericElements(context.pointer(input), inputType)
    let y = NumericElements(context.pointer(output), outputType)
    var rules = NumericElements.Rules()
    rules.saturates = saturates
    rules.rounding = rounding
    let share = context.share(of: count, grain: 16 * NumericElements.grain)
    if share.upperBound == count && !share.isEmpty { y.clearTail(count: count) }
    if inputType.integerRange != nil && outputType.integerRange != nil {
      for i in share { y.set(x.whole(i), at: i, rules) }
    } else {
      for i in share { y.set(x.real(i), at: i, rules) }
    }
  }
}
