import Tensors

/// Marks the greatest element of every line along an axis: y = 1 at the first maximum, else 0.
///
/// x, y: one shape, dense; both float32 or bfloat16 (each on its own), or both float64.
package struct Hardmax: Instruction {
  package static let opcode = "hardmax"

  package var input = Operand.none
  package var output = Operand.none
  package var axis = 0
  /// How many axes from `axis` on make a line together.
  package var axisCount = 1
  private var inputType = ElementType.float32
  private var outputType = ElementType.float32
  private var space = AxisSpace()

  package init() {}

  package init(_ input: Operand, axis: Int, to output: Operand) {
    self.input = input
    self.axis = axis
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
    visitor.field("axis_count", &axisCount)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    try preparation.require(
      x.type.isComputedInFloat32 && y.type.isComputedInFloat32
        || x.type == .float64 && y.type == .float64, self, "from \(x.type) to \(y.type)")
    try preparation.require(x.shape == y.shape, self, "\(x.shape) cannot become \(y.shape)")
    guard let space = AxisSpace(x.shape, axis: axis, count: axisCount) else {
      throw InstructionError(Hardmax.opcode, "axis \(axis) of a tensor of rank \(x.shape.rank)")
    }
    self.space = space
  }

  package func execute(_ context: borrowing ExecutionContext) {
    if inputType == .float64 {
      let x = context.pointer(input, as: Double.self)
      let y = context.pointer(output, as: Double.self)
      return lines(context) {
        x[$0]
      } store: {
        y[$0] = $1
      }
    }
    let x = FloatElements(context.pointer(input), inputType)
    let y = FloatElements(context.pointer(output), outputType)
    lines(context) {
      x[$0]
    } store: {
      y[$0] = $1
    }
  }

  private func lines<T: Real>(
    _ context: borrowing ExecutionContext, _ load: (Int) -> T, store: (Int, T) -> Void
  ) {
    guard space.extent > 0 else { return }
    for line in context.share(of: space.lineCount) {
      let start = space.offset(ofLine: line)
      var place = 0
      var highest = load(start)
      for i in 1..<space.extent where load(start + i * space.inner) > highest {
        highest = load(start + i * space.inner)
        place = i
      }
      for i in 0..<space.extent { store(start + i * space.inner, i == place ? 1 : 0) }
    }
  }
}
