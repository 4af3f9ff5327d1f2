import Tensors

/// Asks a question of every element: y = question(x).
///
/// x: any arithmetic type or bool, y: bool, one shape, rows strided.
package struct Predicate: Instruction {
  package static let opcode = "predicate"

  /// The questions.
  package enum Question: UInt8, Sendable, CaseIterable {
    /// x = 0; the negation of a bool
    case isZero = 0
    case isNaN = 1
    case isInfinite = 2
    case isPositiveInfinity = 3
    case isNegativeInfinity = 4
    /// false
    case never = 5
  }

  package var input = Operand.none
  package var output = Operand.none
  package var question = Question.isZero
  private var type = ElementType.float32
  private var walk = Walk()

  package init() {}

  package init(_ input: Operand, to output: Operand, _ question: Question) {
    self.input = input
    self.output = output
    self.question = question
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.output("y", &output, strided: true)
    visitor.field("question", &question)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    type = x.type
    try preparation.require(
      (x.type.isArithmetic || x.type == .bool) && y.type == .bool, self,
      "from \(x.type) to \(y.type)")
    guard x.shape == y.shape, let walk = Walk([x, y], over: y.shape) else {
      throw InstructionError(Predicate.opcode, "\(x.shape) cannot become \(y.shape)")
    }
    self.walk = walk
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch type {
    case .float32: run(context, Float.self)
    case .bfloat16: run(context, BFloat16.self)
    case .float64: run(context, Double.self)
    case .int8: run(context, Int8.self)
    case .uint8, .bool: run(context, UInt8.self)
    case .int16: run(context, Int16.self)
    case .uint16: run(context, UInt16.self)
    case .int32: run(context, Int32.self)
    case .uint32: run(context, UInt32.self)
    case .int64: run(context, Int64.self)
    default: run(context, UInt64.self)
    }
  }

  private func run<T: Element>(_ context: borrowing ExecutionContext, _: T.Type) {
    switch question {
    case .isZero: map(context, T.self) { $0 == .zero }
    case .isNaN: map(context, T.self) { $0.isNotANumber }
    case .isInfinite:
      map(context, T.self) { T.Value.isReal && ($0 == .highest || $0 == .lowest) }
    case .isPositiveInfinity: map(context, T.self) { T.Value.isReal && $0 == .highest }
    case .isNegativeInfinity: map(context, T.self) { T.Value.isReal && $0 == .lowest }
    case .never: map(context, T.self) { _ in false }
    }
  }

  @inline(__always)
  private func map<T: Element>(
    _ context: borrowing ExecutionContext, _: T.Type, _ function: (T.Value) -> Bool
  ) {
    let x = context.pointer(input, as: T.self)
    let y = context.pointer(output, as: UInt8.self)
    let steps = walk.steps
    let rowSteps = walk.rowSteps
    walk.run(context) { offsets, rows, count in
      for row in 0..<rows {
        let start = offsets &+ rowSteps &* row
        for i in 0..<count {
          y[start[1] + i * steps[1]] = function(x[start[0] + i * steps[0]].value) ? 1 : 0
        }
      }
    }
  }
}
