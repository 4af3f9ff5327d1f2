import Tensors

/// Counts up or down: y[i] = start + i · delta.
///
/// start, delta: one element each of y's type; y: float32, float64, int16, int32, int64.
package struct FillRange: Instruction {
  package static let opcode = "fill_range"

  package var start = Operand.none
  package var delta = Operand.none
  package var output = Operand.none
  private var count = 0
  private var type = ElementType.float32

  package init() {}

  package init(from start: Operand, by delta: Operand, to output: Operand) {
    self.start = start
    self.delta = delta
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("start", &start)
    visitor.input("delta", &delta)
    visitor.output("y", &output)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let y = preparation[output]
    type = y.type
    count = y.shape.elementCount
    let known: Set<ElementType> = [.float32, .float64, .int16, .int32, .int64]
    try preparation.require(known.contains(type), self, "\(type) is not supported")
    for operand in [preparation[start], preparation[delta]] {
      try preparation.require(
        operand.type == type && operand.shape.elementCount == 1, self,
        "start or delta is \(operand.type) \(operand.shape)")
    }
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch type {
    case .float32: run(Float.self, context)
    case .float64: run(Double.self, context)
    case .int16: run(Int16.self, context)
    case .int32: run(Int32.self, context)
    default: run(Int64.self, context)
    }
  }

  private func run<T: Number>(_: T.Type, _ context: borrowing ExecutionContext) {
    let first = context.pointer(start, as: T.self)[0]
    let step = context.pointer(delta, as: T.self)[0]
    let target = context.pointer(output, as: T.self)
    for index in context.share(of: count, grain: 64) {
      target[index] = T.plus(first, T.times(T(wrapping: index), step))
    }
  }
}
