import Tensors

/// Takes single elements by index along an axis: y[o, k, i] = x[o, indices[o, k, i], i].
///
/// x: any type; indices, y: one shape of x's rank, smaller or equal on all axes but `axis`;
/// indices: int32 or int64. A negative index counts from the end; one out of range is a fault at
/// run time.
package struct GatherAlongAxis: Instruction {
  package static let opcode = "gather_along_axis"

  package var input = Operand.none
  package var indices = Operand.none
  package var output = Operand.none
  package var axis = 0
  private var walk = AlongAxis()
  private var size = 1

  package init() {}

  package init(_ input: Operand, at indices: Operand, axis: Int, to output: Operand) {
    self.input = input
    self.indices = indices
    self.axis = axis
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("indices", &indices)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    let index = preparation[indices]
    size = x.type.byteCount
    try preparation.require(
      x.type == y.type && size > 0 && index.shape == y.shape, self,
      "\(x.type) at \(index.shape) into \(y.type) \(y.shape)")
    guard let walk = AlongAxis(x.shape, indices: index, axis: axis) else {
      throw InstructionError(
        Self.opcode, "\(index.type) \(index.shape) into \(x.shape) along axis \(axis)")
    }
    self.walk = walk
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch size {
    case 1: run(UInt8.self, context)
    case 2: run(UInt16.self, context)
    case 4: run(UInt32.self, context)
    case 8: run(UInt64.self, context)
    default: run(SIMD2<UInt64>.self, context)
    }
  }

  private func run<T>(_: T.Type, _ context: borrowing ExecutionContext) {
    let source = context.pointer(input, as: T.self)
    let target = context.pointer(output, as: T.self)
    for index in context.share(of: walk.count, grain: 16) {
      target[index] = source[walk.place(index, indices, context)]
    }
  }
}

/// How elements named by indices along one axis are found: element i of `indices` lies at the same
/// position of the tensor on all axes but `axis`, where its value says the position.
struct AlongAxis: Sendable {
  private(set) var count = 0
  private var extents: [Int] = []
  /// The steps of the tensor; 0 for the axis.
  private var strides: [Int] = []
  private var axisStride = 1
  private var axisExtent = 1
  private var isInt32 = false

  init() {}

  /// Nil where shapes or types do not fit.
  init?(_ shape: Shape, indices: TensorSpec, axis: Int) {
    guard axis >= 0, axis < shape.rank, indices.shape.rank == shape.rank,
      indices.type == .int32 || indices.type == .int64
    else { return nil }
    for other in 0..<shape.rank where other != axis && indices.shape[other] > shape[other] {
      return nil
    }
    count = indices.shape.elementCount
    guard count == 0 || shape[axis] > 0 else { return nil }
    extents = indices.shape.dimensions
    strides = shape.denseStrides
    axisStride = strides[axis]
    strides[axis] = 0
    axisExtent = shape[axis]
    isInt32 = indices.type == .int32
  }

  /// The offset in the tensor of what element `index` of the indices names.
  @inline(__always)
  func place(
    _ index: Int, _ indices: Operand, _ context: borrowing ExecutionContext
  ) -> Int {
    let value =
      isInt32
      ? Int(context.pointer(indices, as: Int32.self)[index])
      : Int(context.pointer(indices, as: Int64.self)[index])
    var offset = context.place(value, axisExtent) * axisStride
    var rest = index
    var axis = extents.count - 1
    while axis >= 0 {
      offset += rest % extents[axis] * strides[axis]
      rest /= extents[axis]
      axis -= 1
    }
    return offset
  }
}
