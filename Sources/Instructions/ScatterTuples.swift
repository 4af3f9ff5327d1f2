import Tensors

/// Writes slices by tuples of indices: y[indices[k, 0], indices[k, 1], …, …] ⊕= updates[k, …].
///
/// y: holds what was there before; indices: int32 or int64 [k…, n]; updates: y's type, one slice of
/// y per tuple. Negative positions count from the end; one out of range is a fault at run time.
package struct ScatterTuples: Instruction {
  package static let opcode = "scatter_tuples"

  package var indices = Operand.none
  package var updates = Operand.none
  package var output = Operand.none
  package var reduction = ScatterReduction.none
  private var walk = TupleWalk()
  private var type = ElementType.float32

  package init() {}

  package init(
    _ updates: Operand, at indices: Operand, _ reduction: ScatterReduction, into output: Operand
  ) {
    self.updates = updates
    self.indices = indices
    self.reduction = reduction
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("indices", &indices)
    visitor.input("updates", &updates)
    visitor.update("y", &output)
    visitor.field("reduction", &reduction)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let y = preparation[output]
    let update = preparation[updates]
    let index = preparation[indices]
    type = y.type
    guard let walk = TupleWalk(y, indices: index, batchRank: 0), update.type == y.type,
      reduction.supports(y.type),
      Shape([walk.count, walk.sliceCount]).checkedElementCount == update.shape.elementCount
    else {
      throw InstructionError(
        Self.opcode,
        "\(update.type) \(update.shape) at \(index.type) \(index.shape) into \(y.type) \(y.shape)")
    }
    self.walk = walk
  }

  package func execute(_ context: borrowing ExecutionContext) {
    // Updates may meet at one element, in the order of the indices: one part does all of them.
    guard context.part == 0 else { return }
    reduction.run(type, Body(owner: self), context)
  }

  private struct Body: ScatterBody {
    let owner: ScatterTuples
    func run<T: Element>(
      _: T.Type, _ combine: (T, T) -> T, _ context: borrowing ExecutionContext
    ) {
      let target = context.pointer(owner.output, as: T.self)
      let source = context.pointer(owner.updates, as: T.self)
      let length = owner.walk.sliceCount
      for tuple in 0..<owner.walk.count {
        let to = target + owner.walk.offset(tuple, owner.indices, context)
        let from = source + tuple * length
        for i in 0..<length { to[i] = combine(to[i], from[i]) }
      }
    }
  }
}
