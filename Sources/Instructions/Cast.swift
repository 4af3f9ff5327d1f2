import Tensors

/// Converts the element type: y = x.
///
/// x, y: one shape, rows strided, any numeric type of at least 8 bits or bool. Floats become
/// integers by truncation (what does not fit saturates, NaN becomes 0), integers become narrower
/// ones by keeping the low bits, anything becomes bool by comparison with zero, floats become
/// narrower ones by rounding to nearest even.
package struct Cast: Instruction {
  package static let opcode = "cast"

  package var input = Operand.none
  package var output = Operand.none
  private var inputType = ElementType.float32
  private var outputType = ElementType.float32
  private var walk = Walk()

  package init() {}

  package init(_ input: Operand, to output: Operand) {
    self.input = input
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.output("y", &output, strided: true)
  }

  /// Says whether elements of this type can be converted.
  package static func supports(_ type: ElementType) -> Bool {
    type.isInteger || type.isFloat || type == .bool
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    try preparation.require(
      Cast.supports(x.type) && Cast.supports(y.type), self, "from \(x.type) to \(y.type)")
    guard x.shape == y.shape, let walk = Walk([x, y], over: y.shape) else {
      throw InstructionError(Cast.opcode, "\(x.shape) cannot become \(y.shape)")
    }
    self.walk = walk
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch inputType {
    case .float32: fromReal(context, Float.self) { Double($0) }
    case .bfloat16: fromReal(context, BFloat16.self) { Double(Float($0)) }
    case .float16: fromReal(context, Float16.self) { Double($0) }
    case .float64: fromReal(context, Double.self) { $0 }
    case .int8: fromWhole(context, Int8.self)
    case .uint8, .bool: fromWhole(context, UInt8.self)
    case .int16: fromWhole(context, Int16.self)
    case .uint16: fromWhole(context, UInt16.self)
    case .int32: fromWhole(context, Int32.self)
    case .uint32: fromWhole(context, UInt32.self)
    case .int64: fromWhole(context, Int64.self)
    default: fromWhole(context, UInt64.self)
    }
  }

  /// A double holds every narrower float exactly, so that the result is rounded once.
  private func fromReal<S: BitwiseCopyable>(
    _ context: borrowing ExecutionContext, _: S.Type, _ widen: (S) -> Double
  ) {
    switch outputType {
    case .float32: map(context, S.self, Float.self) { Float(widen($0)) }
    case .bfloat16: map(context, S.self, BFloat16.self) { BFloat16(Float(widen($0))) }
    case .float16: map(context, S.self, Float16.self) { Float16(widen($0)) }
    case .float64: map(context, S.self, Double.self) { widen($0) }
    case .bool: map(context, S.self, UInt8.self) { widen($0) == 0 ? 0 : 1 }
    case .int8: map(context, S.self, Int8.self) { Int8(saturating: widen($0)) }
    case .uint8: map(context, S.self, UInt8.self) { UInt8(saturating: widen($0)) }
    case .int16: map(context, S.self, Int16.self) { Int16(saturating: widen($0)) }
    case .uint16: map(context, S.self, UInt16.self) { UInt16(saturating: widen($0)) }
    case .int32: map(context, S.self, Int32.self) { Int32(saturating: widen($0)) }
    case .uint32: map(context, S.self, UInt32.self) { UInt32(saturating: widen($0)) }
    case .int64: map(context, S.self, Int64.self) { Int64(saturating: widen($0)) }
    default: map(context, S.self, UInt64.self) { UInt64(saturating: widen($0)) }
    }
  }

  private func fromWhole<S: Whole>(_ context: borrowing ExecutionContext, _: S.Type) {
    switch outputType {
    case .float32: map(context, S.self, Float.self) { Float($0) }
    case .bfloat16: map(context, S.self, BFloat16.self) { BFloat16(Float($0)) }
    case .float16: map(context, S.self, Float16.self) { Float16($0) }
    case .float64: map(context, S.self, Double.self) { Double($0) }
    case .bool: map(context, S.self, UInt8.self) { $0 == 0 ? 0 : 1 }
    case .int8: map(context, S.self, Int8.self) { Int8(truncatingIfNeeded: $0) }
    case .uint8: map(context, S.self, UInt8.self) { UInt8(truncatingIfNeeded: $0) }
    case .int16: map(context, S.self, Int16.self) { Int16(truncatingIfNeeded: $0) }
    case .uint16: map(context, S.self, UInt16.self) { UInt16(truncatingIfNeeded: $0) }
    case .int32: map(context, S.self, Int32.self) { Int32(truncatingIfNeeded: $0) }
    case .uint32: map(context, S.self, UInt32.self) { UInt32(truncatingIfNeeded: $0) }
    case .int64: map(context, S.self, Int64.self) { Int64(truncatingIfNeeded: $0) }
    default: map(context, S.self, UInt64.self) { UInt64(truncatingIfNeeded: $0) }
    }
  }

  @inline(__always)
  private func map<S: BitwiseCopyable, T: BitwiseCopyable>(
    _ context: borrowing ExecutionContext, _: S.Type, _: T.Type, _ convert: (S) -> T
  ) {
    let x = context.pointer(input, as: S.self)
    let y = context.pointer(output, as: T.self)
    let steps = walk.steps
    let rowSteps = walk.rowSteps
    walk.run(context) { offsets, rows, count in
      for row in 0..<rows {
        let start = offsets &+ rowSteps &* row
        let (source, target) = (x + start[0], y + start[1])
        if steps == SIMD4(1, 1, 0, 0) {
          for i in 0..<count { target[i] = convert(source[i]) }
        } else {
          for i in 0..<count { target[i &* steps[1]] = convert(source[i &* steps[0]]) }
        }
      }
    }
  }
}
