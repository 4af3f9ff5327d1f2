import Kernels
import Tensors

/// Applies a function to every element: y = activation(x).
///
/// x, y: one shape, rows strided. Types: both float32 or bfloat16 (each on its own), both float64,
/// or one integer type for identity, relu, negate, absolute, sign and square.
package struct Unary: Instruction {
  package static let opcode = "unary"

  package var input = Operand.none
  package var output = Operand.none
  package var activation = Activation.none
  var inputType = ElementType.float32
  var outputType = ElementType.float32
  var walk = Walk()
  /// Whether fused multiply-adds may be used.
  var isFused = false
  private var kernel: ElementwiseKernel?

  package init() {}

  package init(_ input: Operand, to output: Operand, _ activation: Activation) {
    self.input = input
    self.output = output
    self.activation = activation
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.output("y", &output, strided: true)
    visitor.field("activation", &activation)
  }

  package var replacements: [Replacement] { [Replacement(input, by: output)] }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    kernel = nil
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    isFused = !preparation.isExact
    try preparation.require(
      x.shape == y.shape, self, "\(x.shape) cannot become \(y.shape)")
    let bothFloat = x.type.isComputedInFloat32 && y.type.isComputedInFloat32
    let integer = x.type.isInteger && Unary.integerFunctions.contains(activation.function)
    try preparation.require(
      bothFloat || x.type == y.type && (x.type == .float64 || integer), self,
      "\(activation.function) from \(x.type) to \(y.type)")
    guard let walk = Walk([x, y], over: y.shape) else {
      throw InstructionError(Unary.opcode, "\(x.shape) cannot become \(y.shape)")
    }
    self.walk = walk
    if bothFloat && activation.isVector && walk.suitsVectors(operands: 2) {
      kernel = ElementwiseKernel.best(of: ElementwiseKernel.all, isas: preparation.isas)
    }
  }

  /// The functions that are defined for integers.
  package static let integerFunctions: Set<Activation.Function> = [
    .identity, .relu, .negate, .absolute, .sign, .square,
  ]

  package func execute(_ context: borrowing ExecutionContext) {
    if let kernel { return executeVectors(kernel, context) }
    switch inputType {
    case .float32, .bfloat16: executeFloats(context)
    case .float64: executeDoubles(context)
    case .int8: executeIntegers(context, Int8.self)
    case .uint8: executeIntegers(context, UInt8.self)
    case .int16: executeIntegers(context, Int16.self)
    case .uint16: executeIntegers(context, UInt16.self)
    case .int32: executeIntegers(context, Int32.self)
    case .uint32: executeIntegers(context, UInt32.self)
    case .int64: executeIntegers(context, Int64.self)
    default: executeIntegers(context, UInt64.self)
    }
  }

  private func executeFloats(_ context: borrowing ExecutionContext) {
    let x = FloatElements(context.pointer(input), inputType)
    let y = FloatElements(context.pointer(output), outputType)
    let steps = walk.steps
    let rowSteps = walk.rowSteps
    walk.run(context) { offsets, rows, count in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: FloatElements.blockLength) { block in
        guard let values = block.baseAddress else { return }
        for row in 0..<rows {
          let start = offsets &+ rowSteps &* row
          var i = 0
          while i < count {
            let length = min(FloatElements.blockLength, count - i)
            let at = start &+ steps &* i
            x.load(at[0], step: steps[0], count: length, to: values)
            activation.apply(to: values, count: length)
            y.store(at[1], step: steps[1], count: length, from: values)
            i += length
          }
        }
      }
    }
  }

  private func executeDoubles(_ context: borrowing ExecutionContext) {
    let x = context.pointer(input, as: Double.self)
    let y = context.pointer(output, as: Double.self)
    let steps = walk.steps
    let rowSteps = walk.rowSteps
    walk.run(context) { offsets, rows, count in
      for row in 0..<rows {
        let start = offsets &+ rowSteps &* row
        for i in 0..<count {
          var value = x[start[0] + i * steps[0]]
          activation.apply(to: &value, count: 1)
          y[start[1] + i * steps[1]] = value
        }
      }
    }
  }

  private func executeIntegers<T: Whole>(_ context: borrowing ExecutionContext, _: T.Type) {
    switch activation.function {
    case .relu: map(context, T.self) { max($0, 0) }
    case .negate: map(context, T.self) { 0 &- $0 }
    case .absolute: map(context, T.self) { $0 < 0 ? 0 &- $0 : $0 }
    case .sign: map(context, T.self) { $0 < 0 ? 0 &- 1 : $0 > 0 ? 1 : 0 }
    case .square: map(context, T.self) { $0 &* $0 }
    default: map(context, T.self) { $0 }
    }
  }

  @inline(__always)
  private func map<T: Whole>(
    _ context: borrowing ExecutionContext, _: T.Type, _ function: (T) -> T
  ) {
    let x = context.pointer(input, as: T.self)
    let y = context.pointer(output, as: T.self)
    let steps = walk.steps
    let rowSteps = walk.rowSteps
    walk.run(context) { offsets, rows, count in
      for row in 0..<rows {
        let start = offsets &+ rowSteps &* row
        for i in 0..<count { y[start[1] + i * steps[1]] = function(x[start[0] + i * steps[0]]) }
      }
    }
  }
}
