import Tensors

/// Finds the k greatest (or least) elements of every line along an axis, and where they stand.
///
/// x: dense, any arithmetic type; values: x's shape with k along the axis, x's type (or float32 for
/// bfloat16 and vice versa); places: int64, the same shape. Best first; of equal elements the one
/// that stands first. (Unsorted results are sorted too.) k is the extent of the values.
package struct TopK: Instruction {
  package static let opcode = "top_k"

  package var input = Operand.none
  package var values = Operand.none
  package var places = Operand.none
  package var axis = 0
  package var findsLeast = false
  private var inputType = ElementType.float32
  private var outputType = ElementType.float32
  private var space = AxisSpace()
  private var count = 0

  package init() {}

  package init(
    _ input: Operand, axis: Int, findsLeast: Bool, values: Operand, places: Operand
  ) {
    self.input = input
    self.axis = axis
    self.findsLeast = findsLeast
    self.values = values
    self.places = places
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("values", &values)
    visitor.output("places", &places)
    visitor.field("axis", &axis)
    visitor.field("finds_least", &findsLeast)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[values]
    let z = preparation[places]
    inputType = x.type
    outputType = y.type
    try preparation.require(
      (x.type.isComputedInFloat32 && y.type.isComputedInFloat32
        || x.type == y.type && x.type.isArithmetic) && z.type == .int64, self,
      "from \(x.type) to \(y.type) and \(z.type)")
    guard let space = AxisSpace(x.shape, axis: axis), y.shape == z.shape,
      y.shape.rank == x.shape.rank
    else {
      throw InstructionError(
        TopK.opcode, "\(x.shape) along axis \(axis) into \(y.shape) and \(z.shape)")
    }
    count = y.shape[axis]
    var expected = x.shape
    expected[axis] = count
    try preparation.require(
      y.shape == expected && count <= space.extent, self, "\(x.shape) into \(y.shape)")
    self.space = space
    preparation.requestScratch(preparation.parts * count * MemoryLayout<Int>.size)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch inputType {
    case .float32, .bfloat16:
      let x = FloatElements(context.pointer(input), inputType)
      let y = FloatElements(context.pointer(values), outputType)
      lines(context) {
        x[$0]
      } store: {
        y[$0] = $1
      }
    case .float64: run(context, Double.self)
    case .int8: run(context, Int8.self)
    case .uint8: run(context, UInt8.self)
    case .int16: run(context, Int16.self)
    case .uint16: run(context, UInt16.self)
    case .int32: run(context, Int32.self)
    case .uint32: run(context, UInt32.self)
    case .int64: run(context, Int64.self)
    default: run(context, UInt64.self)
    }
  }

  private func run<T: Number>(_ context: borrowing ExecutionContext, _: T.Type) {
    let x = context.pointer(input, as: T.self)
    let y = context.pointer(values, as: T.self)
    lines(context) {
      x[$0]
    } store: {
      y[$0] = $1
    }
  }

  /// A heap of the k best so far, the worst of them on top; then it is sorted in place.
  private func lines<T: Number>(
    _ context: borrowing ExecutionContext, _ load: (Int) -> T, store: (Int, T) -> Void
  ) {
    guard count > 0 else { return }
    let heap = context.scratch.assumingMemoryBound(to: Int.self) + context.part * count
    let found = context.pointer(places, as: Int64.self)
    for line in context.share(of: space.lineCount) {
      let start = space.offset(ofLine: line)
      let step = space.inner
      @inline(__always) func isWorse(_ a: Int, _ b: Int) -> Bool {
        let (x, y) = (load(start + a * step), load(start + b * step))
        return x == y ? a > b : findsLeast ? x > y : x < y
      }
      for i in 0..<count { heap[i] = i }
      for i in stride(from: count / 2 - 1, through: 0, by: -1) {
        TopK.sink(heap, i, count, isWorse)
      }
      for i in count..<max(space.extent, count) where isWorse(heap[0], i) {
        heap[0] = i
        TopK.sink(heap, 0, count, isWorse)
      }
      // The worst goes to the end of what is left.
      for last in stride(from: count - 1, to: 0, by: -1) {
        (heap[0], heap[last]) = (heap[last], heap[0])
        TopK.sink(heap, 0, last, isWorse)
      }
      let target = line / step * (count * step) + line % step
      for i in 0..<count {
        store(target + i * step, load(start + heap[i] * step))
        found[target + i * step] = Int64(heap[i])
      }
    }
  }

  /// Restores the heap below `index`.
  @inline(__always)
  private static func sink(
    _ heap: UnsafeMutablePointer<Int>, _ index: Int, _ count: Int, _ isWorse: (Int, Int) -> Bool
  ) {
    var parent = index
    while true {
      var child = 2 * parent + 1
      if child >= count { return }
      if child + 1 < count && isWorse(heap[child + 1], heap[child]) { child += 1 }
      if !isWorse(heap[child], heap[parent]) { return }
      (heap[parent], heap[child]) = (heap[child], heap[parent])
      parent = child
    }
  }
}
