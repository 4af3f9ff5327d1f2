import Tensors

/// Reverses the first elements of every sequence: y[t, b] = x[lengths[b] - 1 - t, b] for t below
/// lengths[b], else x[t, b].
///
/// x, y: [T, B, …], or [B, T, …] with `timeAxis` 1; lengths: int64 [B], clamped to 0...T.
package struct ReverseRuns: Instruction {
  package static let opcode = "reverse_runs"

  package var input = Operand.none
  package var lengths = Operand.none
  package var output = Operand.none
  package var timeAxis = 0
  private var times = 0
  private var batches = 0
  private var sliceByteCount = 0

  package init() {}

  package init(_ input: Operand, lengths: Operand, timeAxis: Int, to output: Operand) {
    self.input = input
    self.lengths = lengths
    self.timeAxis = timeAxis
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("lengths", &lengths)
    visitor.output("y", &output)
    visitor.field("time_axis", &timeAxis)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    let length = preparation[lengths]
    try preparation.require(
      x.type == y.type && x.type.byteCount > 0 && x.shape == y.shape && x.shape.rank >= 2
        && (timeAxis == 0 || timeAxis == 1), self, "\(x.type) \(x.shape) into \(y.shape)")
    times = x.shape[timeAxis]
    batches = x.shape[1 - timeAxis]
    sliceByteCount = x.shape.dimensions[2...].reduce(x.type.byteCount, *)
    try preparation.require(
      length.type == .int64 && length.shape.elementCount == batches, self,
      "lengths are \(length.type) \(length.shape)")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let source = context.pointer(input)
    let target = context.pointer(output)
    let length = context.pointer(lengths, as: Int64.self)
    let (timeStep, batchStep) = timeAxis == 0 ? (batches, 1) : (1, times)
    for slice in context.share(of: times * batches) {
      let (time, batch) = slice.quotientAndRemainder(dividingBy: batches)
      let run = min(max(Int(length[batch]), 0), times)
      let from = time < run ? run - 1 - time : time
      (target + (time * timeStep + batch * batchStep) * sliceByteCount).copyMemory(
        from: source + (from * timeStep + batch * batchStep) * sliceByteCount,
        byteCount: sliceByteCount)
    }
  }
}
