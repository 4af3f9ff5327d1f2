internal import CKernels
import Kernels
import Tensors

/// Combines the real numbers of two tensors element by element under broadcasting:
/// y = activation(function(a, b)).
///
/// a, b, y: float32, or uint8 with a quantisation, per tensor or along the last physical axis where
/// the operand has that axis in full; a and b broadcastable to y, rows strided. Functions: the
/// arithmetic ones of `Binary`. A uint8 y is saturate(round(v · (1 / scale)) + zero point), ties to
/// even, NaN becomes 0.
///
/// A plain sum of bytes with one scale each is computed as ONNX Runtime does with signed bytes, so
/// that models with their own scales keep their bits:
/// round(a · p + (b · q + zy − (za · p + zb · q))), p = sa / sy, q = sb / sy, where a, b, za, zb
/// and zy are 128 less than here.
package struct QuantizedBinary: Instruction {
  package static let opcode = "binary_int8"

  package var a = Operand.none
  package var b = Operand.none
  package var output = Operand.none
  package var function = Binary.Function.add
  package var activation = Activation.none
  private var walk = Walk()
  private var left = QuantizedOperand()
  private var right = QuantizedOperand()
  private var result = QuantizedOperand()
  private var kernel: QuantizedElementsKernel?
  private var linear: LinearSum?

  package init() {}

  package init(
    _ function: Binary.Function, _ a: Operand, _ b: Operand, to output: Operand,
    activation: Activation = .none
  ) {
    self.function = function
    self.a = a
    self.b = b
    self.output = output
    self.activation = activation
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("a", &a, strided: true)
    visitor.input("b", &b, strided: true)
    visitor.output("y", &output, strided: true)
    visitor.field("function", &function)
    visitor.field("activation", &activation)
  }

  package var replacements: [Replacement] {
    [Replacement(a, by: output), Replacement(b, by: output)]
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    kernel = nil
    let specs = [preparation[a], preparation[b], preparation[output]]
    try preparation.require(
      function.isArithmetic, self, "\(function) does not give numbers")
    left = try QuantizedOperand(self, specs[0])
    right = try QuantizedOperand(self, specs[1])
    result = try QuantizedOperand(self, specs[2], inverted: true)
    let shape = specs[2].shape
    // Where scales belong to channels, a fourth operand that only has channels keeps the last axis
    // a loop of its own, and says which channel a loop begins with.
    let isPerChannel = [left, right, result].contains(where: \.isPerChannel)
    let channels = TensorSpec(name: "channels", type: .float32, shape: [specs[2].rowLength])
    guard Shape.broadcast(specs[0].shape, specs[1].shape) == shape,
      let walk = Walk(specs + (isPerChannel ? [channels] : []), over: shape)
    else {
      throw InstructionError(
        Self.opcode, "\(specs[0].shape) and \(specs[1].shape) do not broadcast to \(shape)")
    }
    self.walk = walk
    let isPlainSum = function == .add && activation == .none && !isPerChannel
    linear = isPlainSum ? LinearSum(specs) : nil
    if isVector && activation.isVector && walk.suitsVectors(operands: 3) {
      kernel = .best(isas: preparation.isas)
    }
  }

  /// The factors of a sum of bytes.
  private struct LinearSum: Sendable {
    let ratioA: Float
    let ratioB: Float
    let base: Float

    /// Nil where an operand is float.
    init?(_ specs: [TensorSpec]) {
      let scales = specs.compactMap(\.quantization)
      guard scales.count == 3 else { return nil }
      let (a, b, y) = (scales[0], scales[1], scales[2])
      ratioA = a.scales[0] / y.scales[0]
      ratioB = b.scales[0] / y.scales[0]
      base =
        Float(y.zeroPoints[0] - 128)
        - (ratioA * Float(a.zeroPoints[0] - 128) + ratioB * Float(b.zeroPoints[0] - 128))
    }

    /// Adds bytes that lie apart.
    func add(
      _ a: UnsafeMutableRawPointer, _ b: UnsafeMutableRawPointer, to y: UnsafeMutableRawPointer,
      _ steps: SIMD4<Int>, count: Int
    ) {
      for i in 0..<count {
        let p = Float(a.load(fromByteOffset: i * steps[0], as: UInt8.self)) - 128
        let q = Float(b.load(fromByteOffset: i * steps[1], as: UInt8.self)) - 128
        let sum = (p * ratioA + (q * ratioB + base)).rounded(.toNearestOrEven) + 128
        // A NaN fails the comparison.
        y.storeBytes(
          of: sum > 0 ? UInt8(min(sum, 255)) : 0, toByteOffset: i * steps[2], as: UInt8.self)
      }
    }
  }

  /// Whether the kernels know the function.
  private var isVector: Bool {
    switch function {
    case .add, .subtract, .multiply, .divide, .minimum, .maximum, .prelu: true
    default: false
    }
  }

  package func execute(_ context: borrowing ExecutionContext) {
    if let kernel { executeVectors(kernel, context) } else { executePlainly(context) }
  }

  private func executeVectors(
    _ kernel: QuantizedElementsKernel, _ context: borrowing ExecutionContext
  ) {
    let (p, q, y) = (context.pointer(a), context.pointer(b), context.pointer(output))
    var call = apus_quantized_binary()
    call.function = UInt32(function.rawValue)
    call.activation = activation.kernelForm
    if let linear {
      call.linear = 1
      (call.ratio_a, call.ratio_b, call.base) = (linear.ratioA, linear.ratioB, linear.base)
    }
    call.a.type = left.kernelType
    call.b.type = right.kernelType
    call.y.type = result.kernelType
    call.a.row = walk.rowSteps[0]
    call.b.row = walk.rowSteps[1]
    call.y.row = walk.rowSteps[2]
    call.a.step = walk.steps[0] == 0 ? 0 : 1
    call.b.step = walk.steps[1] == 0 ? 0 : 1
    walk.run(context) { offsets, rows, count in
      call.a.data = UnsafeRawPointer(p + offsets[0] * left.byteCount)
      call.b.data = UnsafeRawPointer(q + offsets[1] * right.byteCount)
      call.y.data = y + offsets[2] * result.byteCount
      if let scales = left.scales { call.a.scale = scales.kernelForm(from: offsets[3]) }
      if let scales = right.scales { call.b.scale = scales.kernelForm(from: offsets[3]) }
      if let scales = result.scales { call.y.scale = scales.kernelForm(from: offsets[3]) }
      call.rows = rows
      call.count = count
      kernel.entry.pointee.binary(&call)
    }
  }

  /// The functions and strides that no kernel knows, on every instruction set alike.
  private func executePlainly(_ context: borrowing ExecutionContext) {
    let (x, z, y) = (context.pointer(a), context.pointer(b), context.pointer(output))
    let (steps, rowSteps) = (walk.steps, walk.rowSteps)
    let blockLength = FloatElements.blockLength
    walk.run(context) { offsets, rows, count in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * blockLength) { block in
        guard let p = block.baseAddress else { return }
        let q = p + blockLength
        for row in 0..<rows {
          let start = offsets &+ rowSteps &* row
          var i = 0
          while i < count {
            let length = min(blockLength, count - i)
            let at = start &+ steps &* i
            i += length
            if let linear {
              linear.add(x + at[0], z + at[1], to: y + at[2], steps, count: length)
              continue
            }
            left.load(x, at[0], step: steps[0], channel: at[3], count: length, to: p)
            right.load(z, at[1], step: steps[1], channel: at[3], count: length, to: q)
            Binary.combine(function, p, q, length)
            activation.apply(to: p, count: length)
            result.store(y, at[2], step: steps[2], channel: at[3], count: length, from: p)
          }
        }
      }
    }
  }
}

/// An operand of `QuantizedBinary`: float32, or uint8 with its scales.
private struct QuantizedOperand: Sendable {
  /// Nil for float32; reciprocals for a result.
  var scales: QuantizedScales?
  var isPerChannel: Bool { scales?.isPerChannel ?? false }
  var byteCount: Int { scales == nil ? 4 : 1 }
  var kernelType: UInt32 { scales == nil ? APUS_REAL.rawValue : APUS_UINT8.rawValue }

  init() {}

  init(
    _ instruction: QuantizedBinary, _ spec: TensorSpec, inverted: Bool = false
  ) throws(InstructionError) {
    guard spec.type != .float32 else { return }
    scales = try QuantizedScales(instruction, spec, inverted: inverted)
  }

  /// Reads `count` elements, `step` apart from `offset` on, the first of which is of `channel`.
  func load(
    _ base: UnsafeMutableRawPointer, _ offset: Int, step: Int, channel: Int, count: Int,
    to target: UnsafeMutablePointer<Float>
  ) {
    guard let scales else {
      let source = base.assumingMemoryBound(to: Float.self) + offset
      for i in 0..<count { target[i] = source[i * step] }
      return
    }
    let source = base.assumingMemoryBound(to: UInt8.self) + offset
    for i in 0..<count {
      let c = scales.isPerChannel ? channel + i : 0
      target[i] = Float(Int32(source[i * step]) - scales.zeroPoints[c]) * scales.scales[c]
    }
  }

  /// Writes `count` elements, `step` apart from `offset` on, the first of which is of `channel`.
  func store(
    _ base: UnsafeMutableRawPointer, _ offset: Int, step: Int, channel: Int, count: Int,
    from source: UnsafePointer<Float>
  ) {
    guard let scales else {
      let target = base.assumingMemoryBound(to: Float.self) + offset
      for i in 0..<count { target[i * step] = source[i] }
      return
    }
    let target = base.assumingMemoryBound(to: UInt8.self) + offset
    for i in 0..<count {
      let c = scales.isPerChannel ? channel + i : 0
      let steps = (source[i] * scales.scales[c]).rounded(.toNearestOrEven)
      // A NaN fails the comparison.
      let bounded = steps > -1_048_576 ? min(steps, 1_048_576) : -1_048_576
      target[i * step] = UInt8(clamping: Int32(bounded) + scales.zeroPoints[c])
    }
  }
}
