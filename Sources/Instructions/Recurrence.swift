import Kernels
import Tensors

/// A recurrent layer: a plain, gated (GRU) or long short-term memory (LSTM) cell, applied along
/// time in one or both directions.
///
/// x: [T, B, I]; w: [D, I, G·H], r: [D, H, G·H] (G gates: 1, 3 in the order z r h, 4 in the order
/// i o f c); bias: [D, 2·G·H], of w then of r; lengths: int32 [B]; h0, c0: [D, B, H]; peepholes:
/// [D, 3·H] in the order i o f; y: [T, D, B, H]; lastH, lastC: [D, B, H]. With `batchFirst`: x
/// [B, T, I], y [B, T, D, H], states [B, D, H]. All float32 but lengths; bias, lengths, initial
/// states, peepholes and outputs may be absent. Positions behind a sequence's length give zeros.
package struct Recurrence: Instruction {
  package static let opcode = "recurrence"

  package enum Cell: UInt8, Sendable {
    /// h = f(x W + h R + b)
    case plain = 0
    /// z, r = f(x W + h R + b); n = g(x W + (r h) R + b); h = (1 - z) n + z h
    case gated = 1
    /// i, f = f(x W + h R + P c + b); c = f c + i g(x W + h R + b); o = f(x W + h R + P c + b);
    /// h = o h(c)
    case longShortTerm = 2

    package var gateCount: Int {
      switch self {
      case .plain: 1
      case .gated: 3
      case .longShortTerm: 4
      }
    }
    /// The activations of one direction.
    package var activationCount: Int {
      switch self {
      case .plain: 1
      case .gated: 2
      case .longShortTerm: 3
      }
    }
  }

  package var x = Operand.none
  package var w = Operand.none
  package var r = Operand.none
  package var bias = Operand.none
  package var lengths = Operand.none
  package var h0 = Operand.none
  package var c0 = Operand.none
  package var peepholes = Operand.none
  package var y = Operand.none
  package var lastH = Operand.none
  package var lastC = Operand.none

  package var cell = Cell.plain
  /// The first direction runs from the end.
  package var startsReversed = false
  package var batchFirst = false
  /// GRU: the reset gate is applied after the product with r.
  package var resetsAfterProduct = false
  /// LSTM: the forget gate is one minus the input gate.
  package var couplesInputAndForget = false
  /// Gate inputs are limited to ±clip; 0: they are not.
  package var clip: Float = 0
  /// By direction and activation of the cell: function, alpha, beta (bit patterns of float32).
  package var activations: [Int] = []

  var functions: [Activation] = []
  var kernel: RecurrentKernel?
  var elementwise: ElementwiseKernel?
  var times = 0
  var batches = 0
  var inputs = 0
  var hidden = 0
  var directions = 1
  var gates: Int { cell.gateCount * hidden }
  var scratchStride = 0

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &x)
    visitor.input("w", &w)
    visitor.input("r", &r)
    visitor.input("bias", &bias)
    visitor.input("lengths", &lengths)
    visitor.input("h0", &h0)
    visitor.input("c0", &c0)
    visitor.input("peepholes", &peepholes)
    visitor.output("y", &y)
    visitor.output("last_h", &lastH)
    visitor.output("last_c", &lastC)
    visitor.field("cell", &cell)
    visitor.field("starts_reversed", &startsReversed)
    visitor.field("batch_first", &batchFirst)
    visitor.field("resets_after_product", &resetsAfterProduct)
    visitor.field("couples_input_and_forget", &couplesInputAndForget)
    visitor.field("clip", &clip)
    visitor.field("activations", &activations)
  }

  package var operationCount: Int {
    2 * times * batches * directions * gates * (inputs + hidden)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let source = preparation[x].shape
    let matrix = preparation[w].shape
    try preparation.require(
      source.rank == 3 && matrix.rank == 3 && preparation[r].shape.rank == 3, self,
      "x \(source), w \(matrix), r \(preparation[r].shape)")
    times = source[batchFirst ? 1 : 0]
    batches = source[batchFirst ? 0 : 1]
    inputs = source[2]
    directions = matrix[0]
    hidden = preparation[r].shape[1]
    try preparation.require(
      (directions == 1 || directions == 2) && hidden < 1 << 24, self,
      "\(directions) directions of \(hidden) states")
    try check(x, source.dimensions, preparation)
    try check(w, [directions, inputs, gates], preparation)
    try check(r, [directions, hidden, gates], preparation)
    try check(bias, [directions, 2 * gates], preparation, optional: true)
    try check(peepholes, [directions, 3 * hidden], preparation, optional: true)
    let state = batchFirst ? [batches, directions, hidden] : [directions, batches, hidden]
    for operand in [h0, c0, lastH, lastC] {
      try check(operand, state, preparation, optional: true)
    }
    let result =
      batchFirst
      ? [batches, times, directions, hidden] : [times, directions, batches, hidden]
    try check(y, result, preparation, optional: true)
    if lengths.isPresent {
      try preparation.require(
        preparation[lengths].type == .int32 && preparation[lengths].shape == [batches], self,
        "lengths are \(preparation[lengths].type) \(preparation[lengths].shape)")
    }
    try readActivations(preparation)
    kernel = RecurrentKernel.best(isas: preparation.isas)
    elementwise = ElementwiseKernel.best(of: ElementwiseKernel.all, isas: preparation.isas)
    // Gate inputs of x and of h, h, c, and a row for what is between.
    scratchStride = (2 * gates + 3 * hidden + 15) / 16 * 16
    preparation.requestScratch(scratchStride * 4 * preparation.parts)
  }

  private func check(
    _ operand: Operand, _ extents: [Int], _ preparation: Preparation, optional: Bool = false
  ) throws(InstructionError) {
    if optional && !operand.isPresent { return }
    let spec = preparation[operand]
    try preparation.require(
      spec.type == .float32 && spec.shape.dimensions == extents, self,
      "\"\(spec.name)\" is \(spec.type) \(spec.shape), but must be float32 \(Shape(extents))")
  }

  private mutating func readActivations(_ preparation: Preparation) throws(InstructionError) {
    try preparation.require(
      activations.count == 3 * directions * cell.activationCount, self,
      "\(activations.count) numbers for activations")
    functions = []
    for index in 0..<directions * cell.activationCount {
      let numbers = activations[3 * index..<3 * index + 3].map {
        UInt32(truncatingIfNeeded: $0)
      }
      guard let function = Activation.Function(rawValue: UInt8(truncatingIfNeeded: numbers[0]))
      else { throw InstructionError(Self.opcode, "activation \(numbers[0]) is not known") }
      functions.append(
        Activation(
          function, alpha: Float(bitPattern: numbers[1]), beta: Float(bitPattern: numbers[2])))
    }
  }

  package func execute(_ context: borrowing ExecutionContext) {
    for sequence in context.share(of: directions * batches) {
      run(direction: sequence / batches, batch: sequence % batches, context)
    }
  }

  /// Where the state of one sequence stands in h0, c0 and the last states.
  private func statePlace(_ direction: Int, _ batch: Int) -> Int {
    (batchFirst ? batch * directions + direction : direction * batches + batch) * hidden
  }

  private func run(direction: Int, batch: Int, _ context: borrowing ExecutionContext) {
    let scratch =
      context.scratch.assumingMemoryBound(to: Float.self) + scratchStride * context.part
    var step = RecurrentStep(self, direction, scratch, context)
    let place = statePlace(direction, batch)
    step.start(
      h: h0.isPresent ? context.pointer(h0, as: Float.self) + place : nil,
      c: c0.isPresent ? context.pointer(c0, as: Float.self) + place : nil)
    var length = times
    if lengths.isPresent {
      length = min(max(Int(context.pointer(lengths, as: Int32.self)[batch]), 0), times)
    }
    let source = context.pointer(x, as: Float.self)
    let isReversed = startsReversed != (direction == 1)
    for index in 0..<times {
      let time = isReversed && index < length ? length - 1 - index : index
      if index < length {
        step.advance(source + (batchFirst ? batch * times + time : time * batches + batch) * inputs)
      }
      if y.isPresent {
        let row =
          batchFirst
          ? (batch * times + time) * directions + direction
          : (time * directions + direction) * batches + batch
        let target = context.pointer(y, as: Float.self) + row * hidden
        if index < length {
          target.update(from: step.h, count: hidden)
        } else {
          target.update(repeating: 0, count: hidden)
        }
      }
    }
    if lastH.isPresent {
      (context.pointer(lastH, as: Float.self) + place).update(from: step.h, count: hidden)
    }
    if lastC.isPresent {
      (context.pointer(lastC, as: Float.self) + place).update(from: step.c, count: hidden)
    }
  }
}
