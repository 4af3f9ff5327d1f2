import Tensors

/// Chooses between two tensors element by element under broadcasting: y = condition ? a : b.
///
/// condition: bool; a, b, y: one type of at least 8 bits (float32 and bfloat16 may mix); all
/// broadcastable to y, rows strided.
package struct Select: Instruction {
  package static let opcode = "select"

  package var condition = Operand.none
  package var a = Operand.none
  package var b = Operand.none
  package var output = Operand.none
  private var aType = ElementType.float32
  private var bType = ElementType.float32
  private var outputType = ElementType.float32
  private var walk = Walk()

  package init() {}

  package init(_ condition: Operand, _ a: Operand, _ b: Operand, to output: Operand) {
    self.condition = condition
    self.a = a
    self.b = b
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("condition", &condition, strided: true)
    visitor.input("a", &a, strided: true)
    visitor.input("b", &b, strided: true)
    visitor.output("y", &output, strided: true)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let question = preparation[condition]
    let left = preparation[a]
    let right = preparation[b]
    let y = preparation[output]
    aType = left.type
    bType = right.type
    outputType = y.type
    let types = [left.type, right.type, y.type]
    try preparation.require(
      question.type == .bool
        && (types.allSatisfy(\.isComputedInFloat32)
          || types.allSatisfy { $0 == y.type } && [1, 2, 4, 8].contains(y.type.byteCount)),
      self,
      "\(question.type) ? \(left.type) : \(right.type) into \(y.type)")
    guard let values = Shape.broadcast(left.shape, right.shape),
      Shape.broadcast(question.shape, values) == y.shape,
      let walk = Walk([question, left, right, y], over: y.shape)
    else {
      throw InstructionError(
        Select.opcode,
        "\(question.shape), \(left.shape) and \(right.shape) do not broadcast to \(y.shape)")
    }
    self.walk = walk
  }

  package func execute(_ context: borrowing ExecutionContext) {
    if aType != outputType || bType != outputType { return executeFloats(context) }
    switch outputType.byteCount {
    case 1: run(context, UInt8.self)
    case 2: run(context, UInt16.self)
    case 4: run(context, UInt32.self)
    default: run(context, UInt64.self)
    }
  }

  private func executeFloats(_ context: borrowing ExecutionContext) {
    let question = context.pointer(condition, as: UInt8.self)
    let left = FloatElements(context.pointer(a), aType)
    let right = FloatElements(context.pointer(b), bType)
    let y = FloatElements(context.pointer(output), outputType)
    let steps = walk.steps
    let rowSteps = walk.rowSteps
    walk.run(context) { offsets, rows, count in
      for row in 0..<rows {
        let start = offsets &+ rowSteps &* row
        for i in 0..<count {
          let at = start &+ steps &* i
          y[at[3]] = question[at[0]] != 0 ? left[at[1]] : right[at[2]]
        }
      }
    }
  }

  private func run<T: BitwiseCopyable>(_ context: borrowing ExecutionContext, _: T.Type) {
    let question = context.pointer(condition, as: UInt8.self)
    let left = context.pointer(a, as: T.self)
    let right = context.pointer(b, as: T.self)
    let y = context.pointer(output, as: T.self)
    let steps = walk.steps
    let rowSteps = walk.rowSteps
    walk.run(context) { offsets, rows, count in
      for row in 0..<rows {
        let start = offsets &+ rowSteps &* row
        let (q, p, r, target) = (
          question + start[0], left + start[1], right + start[2], y + start[3]
        )
        for i in 0..<count {
          target[i &* steps[3]] =
            q[i &* steps[0]] != 0 ? p[i &* steps[1]] : r[i &* steps[2]]
        }
      }
    }
  }
}
