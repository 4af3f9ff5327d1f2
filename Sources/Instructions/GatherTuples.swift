import Tensors

/// Takes slices by tuples of indices: y[b, k, …] = x[b, indices[b, k, 0], indices[b, k, 1], …, …].
///
/// x: any type; indices: int32 or int64 [b…, k…, n], a tuple of n positions on the axes of x that
/// follow the `batchRank` leading ones, which x and indices share; y: one slice of x per tuple.
/// Negative positions count from the end; one out of range is a fault at run time.
package struct GatherTuples: Instruction {
  package static let opcode = "gather_tuples"

  package var input = Operand.none
  package var indices = Operand.none
  package var output = Operand.none
  package var batchRank = 0
  private var walk = TupleWalk()

  package init() {}

  package init(_ input: Operand, at indices: Operand, batchRank: Int, to output: Operand) {
    self.input = input
    self.indices = indices
    self.batchRank = batchRank
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("indices", &indices)
    visitor.output("y", &output)
    visitor.field("batch_rank", &batchRank)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    let index = preparation[indices]
    guard let walk = TupleWalk(x, indices: index, batchRank: batchRank), x.type == y.type,
      Shape([walk.count, walk.sliceCount]).checkedElementCount == y.shape.elementCount
    else {
      throw InstructionError(
        Self.opcode,
        "\(x.type) \(x.shape) at \(index.type) \(index.shape) into \(y.type) \(y.shape)")
    }
    self.walk = walk
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let source = context.pointer(input)
    let target = context.pointer(output)
    let length = walk.sliceCount * walk.size
    for tuple in context.share(of: walk.count) {
      let from = walk.offset(tuple, indices, context)
      (target + tuple * length).copyMemory(
        from: source + from * walk.size, byteCount: length)
    }
  }
}

/// How slices of a tensor are named by tuples of indices.
struct TupleWalk: Sendable {
  /// The number of tuples.
  private(set) var count = 0
  /// The elements of a slice, and the bytes of an element.
  private(set) var sliceCount = 0
  private(set) var size = 1
  private var length = 0
  private var extents: [Int] = []
  private var strides: [Int] = []
  private var tuplesPerBatch = 1
  private var batchStride = 0
  private var isInt32 = false

  init() {}

  /// Nil where shapes or types do not fit.
  init?(_ tensor: TensorSpec, indices: TensorSpec, batchRank: Int) {
    let shape = tensor.shape
    let rank = indices.shape.rank
    guard indices.type == .int32 || indices.type == .int64, tensor.type.byteCount > 0,
      batchRank >= 0, batchRank < rank, batchRank <= shape.rank,
      indices.shape.dimensions[..<batchRank] == shape.dimensions[..<batchRank]
    else { return nil }
    length = indices.shape[rank - 1]
    guard length <= shape.rank - batchRank else { return nil }
    size = tensor.type.byteCount
    isInt32 = indices.type == .int32
    let indexed = batchRank..<batchRank + length
    extents = Array(shape.dimensions[indexed])
    strides = Array(shape.denseStrides[indexed])
    sliceCount = shape.dimensions[indexed.upperBound...].reduce(1, *)
    count = indices.shape.dimensions.dropLast().reduce(1, *)
    let batches = shape.dimensions[..<batchRank].reduce(1, *)
    tuplesPerBatch = max(1, count / max(batches, 1))
    batchStride = shape.dimensions[batchRank...].reduce(1, *)
    if count > 0 && sliceCount > 0 && extents.contains(0) { return nil }
  }

  /// Where the slice starts that a tuple names.
  @inline(__always)
  func offset(_ tuple: Int, _ indices: Operand, _ context: borrowing ExecutionContext) -> Int {
    var offset = tuple / tuplesPerBatch * batchStride
    for axis in 0..<length {
      let place = tuple * length + axis
      let value =
        isInt32
        ? Int(context.pointer(indices, as: Int32.self)[place])
        : Int(context.pointer(indices, as: Int64.self)[place])
      offset += max(0, context.place(value, extents[axis])) * strides[axis]
    }
    return offset
  }
}
