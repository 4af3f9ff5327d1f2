import Tensors

/// Sums along an axis up to every element: y[i] = x[0] + … + x[i].
///
/// x, y: one shape, dense; both float32 or bfloat16 (each on its own), both float64, or one integer
/// type. Exclusive: without x[i] itself; reversed: from the end.
package struct CumulativeSum: Instruction {
  package static let opcode = "cumulative_sum"

  package var input = Operand.none
  package var output = Operand.none
  package var axis = 0
  package var isExclusive = false
  package var isReversed = false
  private var inputType = ElementType.float32
  private var outputType = ElementType.float32
  private var space = AxisSpace()

  package init() {}

  package init(
    _ input: Operand, axis: Int, isExclusive: Bool = false, isReversed: Bool = false,
    to output: Operand
  ) {
    self.input = input
    self.axis = axis
    self.isExclusive = isExclusive
    self.isReversed = isReversed
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
    visitor.field("exclusive", &isExclusive)
    visitor.field("reversed", &isReversed)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    try preparation.require(
      x.type.isComputedInFloat32 && y.type.isComputedInFloat32
        || x.type == y.type && x.type.isArithmetic, self, "from \(x.type) to \(y.type)")
    guard x.shape == y.shape, let space = AxisSpace(x.shape, axis: axis) else {
      throw InstructionError(
        CumulativeSum.opcode, "\(x.shape) along axis \(axis) cannot become \(y.shape)")
    }
    self.space = space
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch inputType {
    case .float32, .bfloat16:
      let x = FloatElements(context.pointer(input), inputType)
      let y = FloatElements(context.pointer(output), outputType)
      lines(context) {
        x[$0]
      } store: {
        y[$0] = $1
      }
    case .float64: run(context, Double.self)
    case .int8: run(context, Int8.self)
    case .uint8: run(context, UInt8.self)
    case .int16: run(context, Int16.self)
    case .uint16: run(context, UInt16.self)
    case .int32: run(context, Int32.self)
    case .uint32: run(context, UInt32.self)
    case .int64: run(context, Int64.self)
    default: run(context, UInt64.self)
    }
  }

  private func run<T: Number>(_ context: borrowing ExecutionContext, _: T.Type) {
    let x = context.pointer(input, as: T.self)
    let y = context.pointer(output, as: T.self)
    lines(context) {
      x[$0]
    } store: {
      y[$0] = $1
    }
  }

  private func lines<T: Number>(
    _ context: borrowing ExecutionContext, _ load: (Int) -> T, store: (Int, T) -> Void
  ) {
    for line in context.share(of: space.lineCount) {
      let start = space.offset(ofLine: line)
      var sum = T.zero
      for i in 0..<space.extent {
        let place = start + (isReversed ? space.extent - 1 - i : i) * space.inner
        // Read first: the sums may replace the elements.
        let value = load(place)
        if isExclusive { store(place, sum) }
        sum = T.plus(sum, value)
        if !isExclusive { store(place, sum) }
      }
    }
  }
}
