import Tensors

/// Multiplies along an axis up to every element: y[i] = x[0] · … · x[i].
///
/// x, y: one shape, dense; both float32 or bfloat16 (each on its own), both float64, or one integer
/// type, which wraps around. Exclusive: without x[i] itself; reversed: from the end.
package struct CumulativeProduct: Instruction {
  package static let opcode = "cumulative_product"

  package var input = Operand.none
  package var output = Operand.none
  package var axis = 0
  package var isExclusive = false
  package var isReversed = false
  private var inputType = ElementType.float32
  private var outputType = ElementType.float32
  private var space = AxisSpace()

  package init() {}

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
    guard x.shape == y.shape, axis < x.shape.rank, let space = AxisSpace(x.shape, axis: axis) else {
      throw InstructionError(
        Self.opcode, "\(x.shape) along axis \(axis) cannot become \(y.shape)")
    }
    self.space = space
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let x = NumericElements(context.pointer(input), inputType)
    let y = NumericElements(context.pointer(output), outputType)
    for line in context.share(of: space.lineCount) {
      if inputType.isInteger {
        run(line, 1) {
          x.whole($0)
        } multiply: {
          $0 &* $1
        } store: {
          y.set($0, at: $1)
        }
      } else {
        run(line, 1.0) {
          x.real($0)
        } multiply: {
          inputType == .float64 ? $0 * $1 : Double(Float($0 * $1))
        } store: {
          y.set($0, at: $1)
        }
      }
    }
  }

  @inline(__always)
  private func run<T>(
    _ line: Int, _ one: T, load: (Int) -> T, multiply: (T, T) -> T, store: (T, Int) -> Void
  ) {
    let start = space.offset(ofLine: line)
    var product = one
    for i in 0..<space.extent {
      let place = start + (isReversed ? space.extent - 1 - i : i) * space.inner
      // Read first: the products may replace the elements.
      let value = load(place)
      if isExclusive { store(product, place) }
      product = multiply(product, value)
      if !isExclusive { store(product, place) }
    }
  }
}
