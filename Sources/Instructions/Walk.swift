import Tensors

/// How up to four operands are walked together under numpy's broadcasting: nested loops, as few
/// as the shapes allow.
///
/// Adjacent axes that every operand crosses with one step are merged, so operands of equal shape
/// become one loop, a vector over the last axis two, [N, 1, 1, C] over [N, H, W, C] three. The two
/// innermost loops are for the instruction (or its kernel); `run` does the outer ones.
struct Walk: Sendable {
  /// The extents of the outer loops, outermost first.
  private var extents: [Int] = []
  /// By outer loop: the elements from one step to the next, by operand.
  private var outerSteps: [SIMD4<Int>] = []
  /// The extent of the second innermost loop, and the elements between its steps, by operand.
  private(set) var rows = 1
  private(set) var rowSteps = SIMD4<Int>.zero
  /// The extent of the innermost loop, and the elements between its steps, by operand.
  private(set) var count = 0
  private(set) var steps = SIMD4<Int>.zero
  private var totalRows = 0

  init() {}

  /// - Parameter operands: at most four, each broadcastable to `shape`.
  /// - Returns: nil where an operand does not broadcast to `shape`.
  init?(_ operands: [TensorSpec], over shape: Shape) {
    precondition(operands.count <= 4, "a walk has at most four operands")
    var all = [SIMD4<Int>](repeating: .zero, count: shape.rank)
    for (lane, operand) in operands.enumerated() {
      let missing = shape.rank - operand.shape.rank
      guard missing >= 0 else { return nil }
      let strides = operand.strides
      for axis in 0..<operand.shape.rank {
        let extent = operand.shape[axis]
        guard extent == shape[axis + missing] || extent == 1 else { return nil }
        all[axis + missing][lane] = extent == 1 ? 0 : strides[axis]
      }
    }
    var loops: [(extent: Int, steps: SIMD4<Int>)] = []
    for (extent, steps) in zip(shape.dimensions, all) where extent != 1 {
      if let last = loops.last, last.steps == steps &* extent {
        loops[loops.count - 1] = (last.extent * extent, steps)
      } else {
        loops.append((extent, steps))
      }
    }
    let inner = loops.popLast() ?? (1, .zero)
    count = inner.extent
    steps = inner.steps
    if let second = loops.popLast() {
      rows = second.extent
      rowSteps = second.steps
    }
    extents = loops.map(\.extent)
    outerSteps = loops.map(\.steps)
    totalRows = shape.elementCount == 0 ? 0 : extents.reduce(rows, *)
  }

  /// Calls `body` for this part's share with the first element's offset by operand, and the
  /// extents of the two innermost loops.
  @inline(never)
  func run(
    _ context: borrowing ExecutionContext,
    _ body: (_ offsets: SIMD4<Int>, _ rows: Int, _ count: Int) -> Void
  ) {
    guard totalRows > 0 else { return }
    if totalRows < 4 * context.parts && count >= 64 * context.parts {
      // Few long rows: every part does some columns of all rows.
      let columns = context.share(of: count, grain: 32)
      guard !columns.isEmpty else { return }
      let start = steps &* columns.lowerBound
      for index in 0..<totalRows / rows {
        body(offsets(ofBlock: index) &+ start, rows, columns.count)
      }
      return
    }
    let share = context.share(of: totalRows)
    var row = share.lowerBound
    while row < share.upperBound {
      let first = row % rows
      let length = min(rows - first, share.upperBound - row)
      body(offsets(ofBlock: row / rows) &+ rowSteps &* first, length, count)
      row += length
    }
  }

  @inline(__always)
  private func offsets(ofBlock block: Int) -> SIMD4<Int> {
    var rest = block
    var result = SIMD4<Int>.zero
    var axis = extents.count - 1
    while axis >= 0 {
      result &+= outerSteps[axis] &* (rest % extents[axis])
      rest /= extents[axis]
      axis -= 1
    }
    return result
  }
}

extension TensorSpec {
  /// The elements between neighbours along each axis.
  var strides: [Int] {
    var strides = [Int](repeating: 1, count: shape.rank)
    var step = rowStride
    for axis in stride(from: shape.rank - 2, through: 0, by: -1) {
      strides[axis] = step
      step *= max(shape[axis], 1)
    }
    return strides
  }
}
