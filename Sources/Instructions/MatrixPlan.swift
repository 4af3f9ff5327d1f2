internal import CKernels
import Kernels
import Tensors

/// How an operand of a matrix product lies in memory: matrices of `rows` by `columns`.
struct MatrixOperand: Sendable {
  let isBFloat16: Bool
  let rows: Int
  let columns: Int
  /// Elements from one row or column to the next.
  let rowStep: Int
  let columnStep: Int
  /// The extents and element steps of the leading axes.
  let batch: [Int]
  let batchSteps: [Int]
  let isPlain: Bool

  init(
    _ instruction: any Instruction, _ spec: TensorSpec, heads: Int, transposed: Bool
  ) throws(InstructionError) {
    let extents = spec.shape.dimensions
    let opcode = type(of: instruction).opcode
    guard extents.count >= 2 else {
      throw InstructionError(opcode, "\(spec.shape) is not a matrix")
    }
    guard heads > 0, spec.rowLength % heads == 0, spec.rowStride >= spec.rowLength else {
      throw InstructionError(
        opcode, "rows of \(spec.rowLength) with stride \(spec.rowStride) and \(heads) heads")
    }
    isBFloat16 = spec.type == .bfloat16
    let height = extents[extents.count - 2]
    let width = spec.rowLength / heads
    let outer = extents.dropLast(2)
    var steps: [Int] = []
    var step = height * spec.rowStride
    for extent in outer.reversed() {
      steps.append(step)
      step *= extent
    }
    steps.reverse()
    batch = outer + (heads > 1 ? [heads] : [])
    batchSteps = steps + (heads > 1 ? [width] : [])
    (rows, columns) = transposed ? (width, height) : (height, width)
    (rowStep, columnStep) = transposed ? (1, spec.rowStride) : (spec.rowStride, 1)
    isPlain = heads == 1 && !transposed
  }

  /// Several matrices as one with more rows; only for plain operands, whose rows are all in step.
  init(flattening other: MatrixOperand) {
    isBFloat16 = other.isBFloat16
    rows = other.rows * other.batchCount
    columns = other.columns
    rowStep = other.rowStep
    columnStep = other.columnStep
    batch = []
    batchSteps = []
    isPlain = other.isPlain
  }

  var batchCount: Int { batch.reduce(1, *) }

  /// Element offsets of the matrices, one for each of `target`'s; nil if they do not broadcast.
  func offsets(broadcastTo target: [Int]) -> [Int]? {
    guard batch.count <= target.count else { return nil }
    let missing = target.count - batch.count
    var offsets = [0]
    for axis in target.indices {
      let extent = axis < missing ? 1 : batch[axis - missing]
      guard extent == target[axis] || extent == 1 else { return nil }
      let step = extent == 1 ? 0 : batchSteps[axis - missing]
      offsets = offsets.flatMap { base in (0..<target[axis]).map { base + $0 * step } }
    }
    return offsets
  }
}

/// How a matrix product runs.
struct MatrixPlan: Sendable {
  let left: MatrixOperand
  let right: MatrixOperand?
  let result: MatrixOperand
  let store: GemmStore
  let scale: Float
  let kernel: GemmKernel
  let rounding: BFloat16Rounding
  let isBFloat16: Bool
  /// K, and K as packed.
  let depth: Int
  let paddedDepth: Int
  /// For every matrix of y: where A lies (elements), which packed matrix it takes, where y lies
  /// (elements; its row and column follow from the row stride).
  private let leftOffsets: [Int]
  private let rightIndices: [Int]
  private let resultOffsets: [Int]
  /// For every matrix of B that is packed at run time: where it lies (elements).
  private let rightOffsets: [Int]
  private let split: GridSplit
  private let panels: Int
  /// Whether rows of A are copied first: transposed, of another type, or ending inside a pair.
  private let isLeftStaged: Bool
  private let stagedRows: Int

  /// The size of a staged strip of A.
  private static let stripByteTarget = 128 * 1024

  /// Returns nil where the leading axes do not broadcast.
  init?(
    left: MatrixOperand, right: MatrixOperand?, matrices: Int, result: MatrixOperand,
    scale: Float, type: ElementType, store: GemmStore, preparation: borrowing Preparation
  ) {
    self.right = right
    self.store = store
    self.scale = scale
    isBFloat16 = type == .bfloat16
    kernel = GemmKernel.best(
      bfloat16: isBFloat16, exact: preparation.isExact, isas: preparation.isas)
    rounding = BFloat16Rounding(isas: preparation.isas)
    depth = left.columns
    paddedDepth = isBFloat16 ? (depth + 1) / 2 * 2 : depth
    panels = WeightPacking.panelCount(columns: result.columns)
    guard let leftOffsets = left.offsets(broadcastTo: result.batch) else { return nil }
    // One B for all: the matrices of A are one with more rows.
    let isFlat = matrices == 1 && left.isPlain && result.isPlain && left.batch == result.batch
    self.left = isFlat ? MatrixOperand(flattening: left) : left
    self.result = isFlat ? MatrixOperand(flattening: result) : result
    self.leftOffsets = isFlat ? [0] : leftOffsets
    resultOffsets = isFlat ? [0] : result.offsets(broadcastTo: result.batch) ?? []
    let count = self.leftOffsets.count
    if let right {
      guard let offsets = right.offsets(broadcastTo: result.batch) else { return nil }
      let distinct = right.offsets(broadcastTo: right.batch) ?? []
      rightOffsets = distinct
      rightIndices = isFlat ? [0] : offsets.map { MatrixPlan.index(of: $0, in: distinct) }
    } else {
      rightOffsets = []
      rightIndices = matrices == 1 ? Array(repeating: 0, count: count) : Array(0..<count)
    }
    isLeftStaged =
      self.left.columnStep != 1 || self.left.isBFloat16 != isBFloat16 || depth != paddedDepth
    let rowByteCount = max(1, paddedDepth * (isBFloat16 ? 2 : 4))
    stagedRows =
      isLeftStaged
      ? max(1, min(self.left.rows, MatrixPlan.stripByteTarget / rowByteCount)) : 0
    let shared = right == nil ? matrices : rightOffsets.count
    split = GridSplit(
      rows: count * self.result.rows, columns: panels, parts: preparation.parts,
      prefersRows: count * self.result.rows >= shared * self.result.columns)
  }

  /// The place of an offset in a list of rising offsets.
  static func index(of offset: Int, in sorted: [Int]) -> Int {
    var (low, high) = (0, sorted.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < offset { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private var elementByteCount: Int { isBFloat16 ? 2 : 4 }
  private var panelByteCount: Int { paddedDepth * WeightPacking.panelWidth * elementByteCount }
  private var packedByteCount: Int {
    (rightOffsets.count * panels * panelByteCount + 63) / 64 * 64
  }
  private var stagedByteCount: Int {
    (stagedRows * paddedDepth * elementByteCount + 63) / 64 * 64
  }

  var scratchByteCount: Int { packedByteCount + stagedByteCount * split.parts }

  var operationCount: Int { 2 * resultOffsets.count * result.rows * result.columns * depth }

  /// The kernel, and whether a factor is packed or copied first.
  var method: String {
    "\(kernel)\(right == nil ? "" : " packs B")\(isLeftStaged ? " copies A" : "")"
  }

  func execute(_ context: borrowing ExecutionContext, a: Operand, b: Operand) {
    var packed = UnsafeRawPointer(context.pointer(b))
    if let right {
      pack(right, context, b)
      context.synchronize()
      packed = UnsafeRawPointer(context.scratch)
    }
    let share = split.share(of: context.part)
    guard !share.rows.isEmpty, !share.columns.isEmpty, result.columns > 0 else { return }
    var call = store.makeCall(width: Int.max, pixelStep: 1, lineStep: 0)
    call.scale = scale
    call.run_count = 1
    call.run_length = paddedDepth
    call.panel_step = paddedDepth * WeightPacking.panelWidth
    let firstColumn = share.columns.lowerBound * WeightPacking.panelWidth
    call.columns =
      min(result.columns, share.columns.upperBound * WeightPacking.panelWidth) - firstColumn
    withUnsafePointer(to: 0) { zero in
      call.runs = zero
      var row = share.rows.lowerBound
      while row < share.rows.upperBound {
        let (matrix, first) = row.quotientAndRemainder(dividingBy: result.rows)
        let count = min(share.rows.upperBound - row, result.rows - first)
        call.b =
          packed + (rightIndices[matrix] * panels + share.columns.lowerBound) * panelByteCount
        let offset = resultOffsets[matrix]
        let place = offset.quotientAndRemainder(dividingBy: result.rowStep)
        multiply(
          &call, a: context.pointer(a), matrix: matrix, rows: first..<first + count,
          yRow: place.quotient, column: place.remainder + firstColumn, firstColumn, context)
        row += count
      }
    }
  }

  /// Runs the kernel for some rows of one matrix.
  @inline(__always)
  private func multiply(
    _ call: inout apus_gemm, a: UnsafeMutableRawPointer, matrix: Int, rows: Range<Int>,
    yRow: Int, column: Int, _ firstColumn: Int, _ context: borrowing ExecutionContext
  ) {
    let source = UnsafeRawPointer(a) + leftOffsets[matrix] * (left.isBFloat16 ? 2 : 4)
    call.first = 0
    guard isLeftStaged else {
      call.a = source + rows.lowerBound * left.rowStep * elementByteCount
      call.a_pixel = left.rowStep
      call.count = rows.count
      store.place(&call, row: yRow + rows.lowerBound, column: column, context)
      store.placeBias(&call, column: firstColumn, context)
      kernel.run(&call)
      return
    }
    let staging = context.scratch + packedByteCount + context.part * stagedByteCount
    call.a = UnsafeRawPointer(staging)
    call.a_pixel = paddedDepth
    var row = rows.lowerBound
    while row < rows.upperBound {
      let count = min(stagedRows, rows.upperBound - row)
      stage(source, rows: row..<row + count, to: staging)
      call.count = count
      store.place(&call, row: yRow + row, column: column, context)
      store.placeBias(&call, column: firstColumn, context)
      kernel.run(&call)
      row += count
    }
  }

  /// Copies rows of A so that their elements lie together, in the product's type.
  private func stage(
    _ source: UnsafeRawPointer, rows: Range<Int>, to target: UnsafeMutableRawPointer
  ) {
    for row in rows {
      let to = target + (row - rows.lowerBound) * paddedDepth * elementByteCount
      if isBFloat16 {
        let words = to.assumingMemoryBound(to: UInt16.self)
        if left.isBFloat16 {
          let from = source.assumingMemoryBound(to: UInt16.self) + row * left.rowStep
          if left.columnStep == 1 {
            words.update(from: from, count: depth)
          } else {
            for k in 0..<depth { words[k] = from[k * left.columnStep] }
          }
        } else {
          let from = source.assumingMemoryBound(to: Float.self) + row * left.rowStep
          if left.columnStep == 1 {
            rounding(from, words, count: depth)
          } else {
            for k in 0..<depth { words[k] = BFloat16(from[k * left.columnStep]).bitPattern }
          }
        }
        if paddedDepth > depth { words[depth] = 0 }
      } else {
        let floats = to.assumingMemoryBound(to: Float.self)
        let from = source.assumingMemoryBound(to: Float.self) + row * left.rowStep
        for k in 0..<depth { floats[k] = from[k * left.columnStep] }
      }
    }
  }

  /// Packs this part's share of B's panels into the scratch memory.
  private func pack(_ right: MatrixOperand, _ context: borrowing ExecutionContext, _ b: Operand) {
    let source = UnsafeRawPointer(context.pointer(b))
    var call = apus_gemm_pack()
    call.source_type = right.isBFloat16 ? APUS_BFLOAT16.rawValue : APUS_FLOAT32.rawValue
    call.target_type = isBFloat16 ? APUS_BFLOAT16.rawValue : APUS_FLOAT32.rawValue
    call.depth_step = right.rowStep
    call.column_step = right.columnStep
    call.depth = depth
    // The first panels of all matrices first: where columns of B are rows of what came before, each
    // part packs what it has made itself.
    for index in context.share(of: rightOffsets.count * panels) {
      let (panel, matrix) = index.quotientAndRemainder(dividingBy: rightOffsets.count)
      let column = panel * WeightPacking.panelWidth
      let offset = rightOffsets[matrix] + column * right.columnStep
      call.source = source + offset * (right.isBFloat16 ? 2 : 4)
      call.columns = min(WeightPacking.panelWidth, right.columns - column)
      call.target = context.scratch + (matrix * panels + panel) * panelByteCount
      apus_gemm_pack_panel(&call)
    }
  }
}
