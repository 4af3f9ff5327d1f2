import Kernels
import Tensors

/// Turns every line along an axis into shares of one: y = exp(x - max) / Σ exp(x - max).
///
/// x, y: one shape, dense; both float32 or bfloat16 (each on its own), or both float64. The
/// logarithmic form is y = x - max - log Σ exp(x - max). Lines of adjacent elements may also become
/// uint8 with one quantisation, where x is float32 or bfloat16 and the form not logarithmic.
package struct Softmax: Instruction {
  package static let opcode = "softmax"

  package var input = Operand.none
  package var output = Operand.none
  package var axis = 0
  /// How many axes from `axis` on make a line together.
  package var axisCount = 1
  package var isLogarithmic = false
  var inputType = ElementType.float32
  var outputType = ElementType.float32
  var space = AxisSpace()
  private var kernel: SoftmaxKernel?
  /// 1 / scale and zero point of a uint8 result.
  var byteInverse: Float = 1
  var byteZero: Int32 = 0
  /// Whether fused multiply-adds may be used.
  var isFused = false

  package init() {}

  package init(_ input: Operand, axis: Int, isLogarithmic: Bool = false, to output: Operand) {
    self.input = input
    self.axis = axis
    self.isLogarithmic = isLogarithmic
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
    visitor.field("axis_count", &axisCount)
    visitor.field("logarithmic", &isLogarithmic)
  }

  package var replacements: [Replacement] { [Replacement(input, by: output)] }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    kernel = nil
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    isFused = !preparation.isExact
    let isQuantized = y.type == .uint8 && y.quantization != nil && !isLogarithmic
    try preparation.require(
      x.type.isComputedInFloat32 && (y.type.isComputedInFloat32 || isQuantized)
        || x.type == .float64 && y.type == .float64, self, "from \(x.type) to \(y.type)")
    try preparation.require(x.shape == y.shape, self, "\(x.shape) cannot become \(y.shape)")
    guard let space = AxisSpace(x.shape, axis: axis, count: axisCount) else {
      throw InstructionError(
        Softmax.opcode, "axis \(axis) of a tensor of rank \(x.shape.rank)")
    }
    self.space = space
    if isQuantized {
      let quantization = try preparation.quantization(self, "y", output, perChannel: false)
      try preparation.require(
        space.inner == 1, self, "bytes of lines that are \(space.inner) elements apart")
      byteInverse = 1 / quantization.scale(0)
      byteZero = quantization.zeroPoint(0)
    }
    if x.type != .float64 {
      kernel = SoftmaxKernel.best(of: SoftmaxKernel.all, isas: preparation.isas)
    }
    try preparation.require(!isQuantized || kernel != nil, self, "no kernel stores bytes")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard space.extent > 0 else { return }
    if let kernel { return executeVectors(kernel, context) }
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
    for line in context.share(of: space.lineCount) {
      let start = space.offset(ofLine: line)
      let step = space.inner
      var highest = -T.infinity
      for i in 0..<space.extent { highest = Binary.larger(highest, load(start + i * step)) }
      var sum: T = 0
      if isLogarithmic {
        for i in 0..<space.extent { sum += T.exp(load(start + i * step) - highest) }
        let shift = highest + T.log(sum)
        for i in 0..<space.extent { store(start + i * step, load(start + i * step) - shift) }
      } else {
        for i in 0..<space.extent { sum += T.exp(load(start + i * step) - highest) }
        // The input is read again, not the output: rounding it to bfloat16 would add an error.
        for i in 0..<space.extent {
          let place = start + i * step
          store(place, T.exp(load(place) - highest) / sum)
        }
      }
    }
  }
}
