import Tensors

/// Normalises across neighbouring channels:
/// y[c] = x[c] / (bias + alpha / size · Σ x[i]²)^beta, i from c - ⌊(size-1)/2⌋ to c + ⌈(size-1)/2⌉.
///
/// x, y: one shape, channels last, rows strided; both float32 or bfloat16 (each on its own).
package struct LocalResponseNormalization: Instruction {
  package static let opcode = "lrn"

  package var input = Operand.none
  package var output = Operand.none
  package var size = 1
  package var alpha: Float = 1e-4
  package var beta: Float = 0.75
  package var bias: Float = 1
  private var inputType = ElementType.float32
  private var outputType = ElementType.float32
  private var rows = 0
  private var channels = 0
  private var inputStride = 0
  private var outputStride = 0

  package init() {}

  package init(
    _ input: Operand, size: Int, alpha: Float, beta: Float, bias: Float, to output: Operand
  ) {
    self.input = input
    self.size = size
    self.alpha = alpha
    self.beta = beta
    self.bias = bias
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.output("y", &output, strided: true)
    visitor.field("size", &size)
    visitor.field("alpha", &alpha)
    visitor.field("beta", &beta)
    visitor.field("bias", &bias)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    try preparation.require(
      x.type.isComputedInFloat32 && y.type.isComputedInFloat32, self, "from \(x.type) to \(y.type)")
    try preparation.require(x.shape == y.shape, self, "\(x.shape) cannot become \(y.shape)")
    try preparation.require((1...1 << 24).contains(size), self, "size \(size)")
    rows = x.rowCount
    channels = x.rowLength
    inputStride = x.rowStride
    outputStride = y.rowStride
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let x = FloatElements(context.pointer(input), inputType)
    let y = FloatElements(context.pointer(output), outputType)
    let before = (size - 1) / 2
    let after = size - 1 - before
    for row in context.share(of: rows) {
      let start = row * inputStride
      for c in 0..<channels {
        var sum: Float = 0
        for i in max(c - before, 0)...min(c + after, channels - 1) {
          sum += x[start + i] * x[start + i]
        }
        let divisor = Float.pow(bias + alpha / Float(size) * sum, beta)
        y[row * outputStride + c] = x[start + c] / divisor
      }
    }
  }
}
