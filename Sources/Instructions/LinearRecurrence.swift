import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Linear attention along time: every head keeps a matrix S [D, E] that each position decays,
/// writes to and reads.
///
///     S = exp(decay) · S;  v' = beta · (v − Sᵀ k), or v without beta;  S = S + k v'ᵀ
///     y = scale · Sᵀ q
///
/// q: [B, T, H · D], k: [B, T, G · D], v: [B, T, G · E], H a multiple of G; state: [B, G, D, E], or
/// absent (0); decay: [B, T, G] or [B, T, G · D], or absent; beta: [B, T, G] or [B, T, 1], or
/// absent; y: [B, T, H · E]; last: [B, G, D, E]. All float32, dense.
package struct LinearRecurrence: Instruction {
  package static let opcode = "linear_recurrence"

  package var q = Operand.none
  package var k = Operand.none
  package var v = Operand.none
  package var state = Operand.none
  package var decay = Operand.none
  package var beta = Operand.none
  package var y = Operand.none
  package var last = Operand.none
  /// H and G.
  package var queryHeads = 1
  package var keyHeads = 1
  package var scale: Float = 1

  private var batch = 0
  private var times = 0
  private var width = 0
  private var valueWidth = 0
  /// Elements of decay and beta per position.
  private var decayCount = 0
  private var betaCount = 0
  private var scratchStride = 0

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("q", &q)
    visitor.input("k", &k)
    visitor.input("v", &v)
    visitor.input("state", &state)
    visitor.input("decay", &decay)
    visitor.input("beta", &beta)
    visitor.output("y", &y)
    visitor.output("last", &last)
    visitor.field("query_heads", &queryHeads)
    visitor.field("key_heads", &keyHeads)
    visitor.field("scale", &scale)
  }

  package var operationCount: Int {
    2 * batch * times * width * valueWidth * (2 * keyHeads + queryHeads)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let (query, key, value) = (preparation[q].shape, preparation[k].shape, preparation[v].shape)
    try preparation.require(
      query.rank == 3 && key.rank == 3 && value.rank == 3 && queryHeads > 0 && keyHeads > 0
        && queryHeads % keyHeads == 0 && query[2] % queryHeads == 0 && value[2] % keyHeads == 0,
      self, "\(queryHeads) and \(keyHeads) heads of q \(query), k \(key), v \(value)")
    (batch, times) = (query[0], query[1])
    (width, valueWidth) = (query[2] / queryHeads, value[2] / keyHeads)
    let (height, overflow) = keyHeads.multipliedReportingOverflow(by: width)
    try preparation.require(!overflow, self, "\(keyHeads) heads")
    try preparation.checkSize(self, [batch, keyHeads, width, valueWidth, preparation.parts, 64])
    let matrix = [batch, keyHeads, width, valueWidth]
    try check(q, query.dimensions, preparation)
    try check(k, [batch, times, height], preparation)
    try check(v, [batch, times, value[2]], preparation)
    try check(y, [batch, times, queryHeads * valueWidth], preparation)
    try check(last, matrix, preparation)
    if state.isPresent { try check(state, matrix, preparation) }
    if decay.isPresent {
      decayCount = preparation[decay].rowLength
      try preparation.require(
        decayCount == keyHeads || decayCount == height, self, "decay is \(decayCount) wide")
      try check(decay, [batch, times, decayCount], preparation)
    }
    if beta.isPresent {
      betaCount = preparation[beta].rowLength
      try preparation.require(
        betaCount == keyHeads || betaCount == 1, self, "beta is \(betaCount) wide")
      try check(beta, [batch, times, betaCount], preparation)
    }
    scratchStride = (valueWidth + 15) / 16 * 16
    preparation.requestScratch(scratchStride * 4 * preparation.parts)
  }

  private func check(
    _ operand: Operand, _ extents: [Int], _ preparation: Preparation
  ) throws(InstructionError) {
    let spec = preparation[operand]
    try preparation.require(
      spec.type == .float32 && spec.shape.dimensions == extents && spec.isDense, self,
      "\"\(spec.name)\" is \(spec.type) \(spec.shape), but must be float32 \(Shape(extents))")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let area = width * valueWidth
    for line in context.share(of: batch * keyHeads) {
      let matrix = context.pointer(last, as: Float.self) + line * area
      if state.isPresent {
        matrix.update(from: context.pointer(state, as: Float.self) + line * area, count: area)
      } else {
        matrix.update(repeating: 0, count: area)
      }
      for time in 0..<times {
        let row = line / keyHeads * times + time
        write(matrix, row, head: line % keyHeads, context)
        read(matrix, row, head: line % keyHeads, context)
      }
    }
  }

  /// Decays the matrix and adds the position's key and value.
  private func write(
    _ matrix: UnsafeMutablePointer<Float>, _ row: Int, head: Int,
    _ context: borrowing ExecutionContext
  ) {
    let key = context.pointer(k, as: Float.self) + (row * keyHeads + head) * width
    let value = context.pointer(v, as: Float.self) + (row * keyHeads + head) * valueWidth
    let update = context.scratch.assumingMemoryBound(to: Float.self) + scratchStride * context.part
    if decay.isPresent {
      let rates = context.pointer(decay, as: Float.self) + row * decayCount
      for d in 0..<width {
        let factor = expf(rates[decayCount == keyHeads ? head : head * width + d])
        for e in 0..<valueWidth { matrix[d * valueWidth + e] *= factor }
      }
    }
    update.update(from: value, count: valueWidth)
    if beta.isPresent {
      for d in 0..<width {
        for e in 0..<valueWidth { update[e] -= matrix[d * valueWidth + e] * key[d] }
      }
      let rate = context.pointer(beta, as: Float.self)[
        row * betaCount + (betaCount == 1 ? 0 : head)]
      for e in 0..<valueWidth { update[e] *= rate }
    }
    for d in 0..<width {
      for e in 0..<valueWidth { matrix[d * valueWidth + e] += key[d] * update[e] }
    }
  }

  /// Lets the query heads that share the matrix read it.
  private func read(
    _ matrix: UnsafePointer<Float>, _ row: Int, head: Int, _ context: borrowing ExecutionContext
  ) {
    let repeats = queryHeads / keyHeads
    for reader in head * repeats..<(head + 1) * repeats {
      let query = context.pointer(q, as: Float.self) + (row * queryHeads + reader) * width
      let target = context.pointer(y, as: Float.self) + (row * queryHeads + reader) * valueWidth
      target.update(repeating: 0, count: valueWidth)
      for d in 0..<width {
        let factor = query[d] * scale
        for e in 0..<valueWidth { target[e] += factor * matrix[d * valueWidth + e] }
      }
    }
  }
}
