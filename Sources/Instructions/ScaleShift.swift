import Kernels
import Tensors

/// Scales and shifts every channel: y[r, c] = activation(x[r, c] · scale[c] + bias[c]).
///
/// x, y: one shape, channels last, rows strided; scale, bias: [C] as element counts; all float32 or
/// bfloat16 (each on its own), or all float64 (without an activation).
package struct ScaleShift: Instruction {
  package static let opcode = "scale_shift"

  package var input = Operand.none
  package var scale = Operand.none
  package var bias = Operand.none
  package var output = Operand.none
  package var activation = Activation.none
  var inputType = ElementType.float32
  var scaleType = ElementType.float32
  var biasType = ElementType.float32
  var outputType = ElementType.float32
  var rows = 0
  var channels = 0
  var inputStride = 0
  var outputStride = 0
  private var kernel: ElementwiseKernel?

  package init() {}

  package init(
    _ input: Operand, scale: Operand, bias: Operand, to output: Operand,
    activation: Activation = .none
  ) {
    self.input = input
    self.scale = scale
    self.bias = bias
    self.output = output
    self.activation = activation
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.input("scale", &scale)
    visitor.input("bias", &bias)
    visitor.output("y", &output, strided: true)
    visitor.field("activation", &activation)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    kernel = nil
    let x = preparation[input]
    let y = preparation[output]
    let types = [x.type, preparation[scale].type, preparation[bias].type, y.type]
    (inputType, scaleType, biasType, outputType) = (types[0], types[1], types[2], types[3])
    try preparation.require(
      types.allSatisfy(\.isComputedInFloat32)
        || types.allSatisfy { $0 == .float64 } && activation == .none, self,
      "\(types[0]) · \(types[1]) + \(types[2]) into \(types[3])")
    channels = x.rowLength
    try preparation.require(
      x.shape == y.shape && preparation[scale].shape.elementCount == channels
        && preparation[bias].shape.elementCount == channels, self,
      "\(x.shape) · \(preparation[scale].shape) + \(preparation[bias].shape) "
        + "cannot become \(y.shape)"
    )
    rows = x.rowCount
    inputStride = x.rowStride
    outputStride = y.rowStride
    if inputType != .float64 && activation.isVector {
      kernel = ElementwiseKernel.best(of: ElementwiseKernel.all, isas: preparation.isas)
    }
  }

  package func execute(_ context: borrowing ExecutionContext) {
    if let kernel { return executeVectors(kernel, context) }
    if inputType == .float64 { return executeDoubles(context) }
    let x = FloatElements(context.pointer(input), inputType)
    let scales = FloatElements(context.pointer(scale), scaleType)
    let biases = FloatElements(context.pointer(bias), biasType)
    let y = FloatElements(context.pointer(output), outputType)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: FloatElements.blockLength) { block in
      guard let values = block.baseAddress else { return }
      for row in context.share(of: rows) {
        var c = 0
        while c < channels {
          let length = min(FloatElements.blockLength, channels - c)
          x.load(row * inputStride + c, step: 1, count: length, to: values)
          for i in 0..<length { values[i] = values[i] * scales[c + i] + biases[c + i] }
          activation.apply(to: values, count: length)
          y.store(row * outputStride + c, step: 1, count: length, from: values)
          c += length
        }
      }
    }
  }

  private func executeDoubles(_ context: borrowing ExecutionContext) {
    let x = context.pointer(input, as: Double.self)
    let scales = context.pointer(scale, as: Double.self)
    let biases = context.pointer(bias, as: Double.self)
    let y = context.pointer(output, as: Double.self)
    for row in context.share(of: rows) {
      for c in 0..<channels {
        y[row * outputStride + c] = x[row * inputStride + c] * scales[c] + biases[c]
      }
    }
  }
}
