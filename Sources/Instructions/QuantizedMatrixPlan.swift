internal import CKernels
import Kernels
import Tensors

/// How an 8-bit matrix product runs, as `MatrixPlan` does it for floats.
///
/// A factor B that is an activation is packed as b' = b − 128 with zero point z' = zero(b) − 128.
/// From Σ (a − zero(a)) (b' − z') = Σ a b' − zero(a) Σ b' + K zero(a) z' − z' Σ a follow an offset
/// for every column, made while B is packed, and one for every row of A.
struct QuantizedMatrixPlan: Sendable {
  private let left: MatrixOperand
  private let right: MatrixOperand?
  private let result: MatrixOperand
  let store: QuantizedStore
  private let kernel: Gemm8Kernel
  private let zeroA: Int32
  /// z', the zero point of the packed B.
  private let zeroB: Int32
  /// What one unit of a sum stands for.
  private let unit: Float
  /// K, and K as packed.
  private let depth: Int
  private let paddedDepth: Int
  /// For every matrix of y: where A lies (elements), which packed matrix it takes, where y lies
  /// (elements; its row and column follow from the row stride).
  private let leftOffsets: [Int]
  private let rightIndices: [Int]
  private let resultOffsets: [Int]
  /// For every matrix of B that is packed at run time: where it lies (elements).
  private let rightOffsets: [Int]
  private let split: GridSplit
  private let panels: Int
  /// Whether rows of A are copied first, being transposed.
  private let isLeftStaged: Bool
  private let hasRowSums: Bool
  /// The rows of a strip: those that are staged or summed at a time.
  private let stripRows: Int

  /// The size of a staged strip of A.
  private static let stripByteTarget = 128 * 1024

  /// Returns nil where the leading axes do not broadcast.
  init?(
    left: MatrixOperand, right: MatrixOperand?, matrices: Int, result: MatrixOperand,
    zeroA: Int32, zeroB: Int32, unit: Float, store: QuantizedStore,
    preparation: borrowing Preparation
  ) {
    self.right = right
    self.store = store
    self.zeroA = zeroA
    self.zeroB = right == nil ? 0 : zeroB - 128
    self.unit = unit
    kernel = Gemm8Kernel.best(isas: preparation.isas)
    depth = left.columns
    paddedDepth = WeightPacking.Runs(count: 1, length: depth, type: .int8).depth
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
    isLeftStaged = self.left.columnStep != 1
    hasRowSums = self.zeroB != 0
    let affordable = max(1, QuantizedMatrixPlan.stripByteTarget / max(1, paddedDepth))
    stripRows = max(1, min(self.left.rows, isLeftStaged ? affordable : 1024))
    let shared = right == nil ? matrices : rightOffsets.count
    split = GridSplit(
      rows: count * self.result.rows, columns: panels, parts: preparation.parts,
      prefersRows: count * self.result.rows >= shared * self.result.columns)
  }

  private var panelByteCount: Int { paddedDepth * WeightPacking.panelWidth }
  /// The packed panels, and behind them the offsets of their columns.
  private var packedByteCount: Int { (rightOffsets.count * panels * panelByteCount + 63) / 64 * 64 }
  private var offsetsByteCount: Int { rightOffsets.count * panels * WeightPacking.panelWidth * 4 }
  /// A part's strip of A, and the offsets of its rows.
  private var stagedByteCount: Int {
    isLeftStaged ? (stripRows * paddedDepth + 63) / 64 * 64 : 0
  }
  private var rowsByteCount: Int { hasRowSums ? (stripRows * 4 + 63) / 64 * 64 : 0 }

  var scratchByteCount: Int {
    packedByteCount + offsetsByteCount + (stagedByteCount + rowsByteCount) * split.parts
  }

  var operationCount: Int { 2 * resultOffsets.count * result.rows * result.columns * depth }

  /// The kernel, and whether a factor is packed or copied first.
  var method: String {
    "\(kernel)\(right == nil ? "" : " packs B")\(isLeftStaged ? " copies A" : "")"
  }

  func execute(
    _ context: borrowing ExecutionContext, a: Operand, b: Operand, bias: Operand
  ) {
    var packed = UnsafePointer(context.pointer(b, as: Int8.self))
    if let right {
      pack(right, context, b, bias: bias)
      context.synchronize()
      packed = UnsafePointer(context.scratch.assumingMemoryBound(to: Int8.self))
    }
    let share = split.share(of: context.part)
    guard !share.rows.isEmpty, !share.columns.isEmpty, result.columns > 0 else { return }
    var call = apus_gemm8()
    call.store = store.makeStore()
    call.width = Int.max
    call.y_pixel = store.yRowStride
    call.residual_pixel = store.residualRowStride
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
        multiply(
          &call, a: a, matrix: matrix, rows: first..<first + count, firstColumn: firstColumn,
          context)
        row += count
      }
    }
  }

  /// Runs the kernel for some rows of one matrix, strip by strip.
  @inline(__always)
  private func multiply(
    _ call: inout apus_gemm8, a: Operand, matrix: Int, rows: Range<Int>, firstColumn: Int,
    _ context: borrowing ExecutionContext
  ) {
    let source = UnsafePointer(context.pointer(a, as: UInt8.self)) + leftOffsets[matrix]
    let place = resultOffsets[matrix].quotientAndRemainder(dividingBy: result.rowStep)
    let index = rightIndices[matrix]
    let own =
      context.scratch + packedByteCount + offsetsByteCount
      + context.part * (stagedByteCount + rowsByteCount)
    let staging = own.assumingMemoryBound(to: UInt8.self)
    let sums = (own + stagedByteCount).assumingMemoryBound(to: Int32.self)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let count = min(stripRows, rows.upperBound - row)
      if isLeftStaged {
        stage(source, rows: row..<row + count, to: staging)
        call.a = UnsafePointer(staging)
        call.a_pixel = paddedDepth
      } else {
        call.a = source + row * left.rowStep
        call.a_pixel = left.rowStep
      }
      if hasRowSums {
        for i in 0..<count {
          let sum = apus_gemm8_row_sum(call.a + i * call.a_pixel, depth)
          sums[i] = 0 &- zeroB &* Int32(truncatingIfNeeded: sum)
        }
        call.row_offset = UnsafePointer(sums)
      }
      call.first = 0
      call.count = count
      // Packed constants have their offsets matrix by matrix, too.
      store.place(
        &call.store, row: place.quotient + row, column: place.remainder + firstColumn,
        channel: firstColumn, context)
      if right != nil {
        let offsets = (context.scratch + packedByteCount).assumingMemoryBound(to: Int32.self)
        call.store.offset = UnsafePointer(
          offsets + index * panels * WeightPacking.panelWidth + firstColumn)
      } else {
        call.store.offset = call.store.offset + index * result.columns
      }
      kernel.run(&call)
      row += count
    }
  }

  /// Copies rows of a transposed A so that their elements lie together.
  private func stage(
    _ source: UnsafePointer<UInt8>, rows: Range<Int>, to target: UnsafeMutablePointer<UInt8>
  ) {
    for row in rows {
      let to = target + (row - rows.lowerBound) * paddedDepth
      let from = source + row * left.rowStep
      for k in 0..<depth { to[k] = from[k * left.columnStep] }
      for k in depth..<paddedDepth { to[k] = 0 }
    }
  }

  /// Packs this part's share of B's panels into the scratch memory, with the offsets of columns.
  private func pack(
    _ right: MatrixOperand, _ context: borrowing ExecutionContext, _ b: Operand, bias: Operand
  ) {
    let source = UnsafePointer(context.pointer(b, as: UInt8.self))
    let offsets = (context.scratch + packedByteCount).assumingMemoryBound(to: Int32.self)
    var call = apus_gemm8_pack()
    call.depth_step = right.rowStep
    call.column_step = right.columnStep
    call.depth = depth
    let constant = Int32(truncatingIfNeeded: depth) &* zeroA &* zeroB
    // The first panels of all matrices first: where columns of B are rows of what came before, each
    // part packs what it has made itself.
    for index in context.share(of: rightOffsets.count * panels) {
      let (panel, matrix) = index.quotientAndRemainder(dividingBy: rightOffsets.count)
      let column = panel * WeightPacking.panelWidth
      let count = min(WeightPacking.panelWidth, right.columns - column)
      let place = matrix * panels + panel
      let own = offsets + place * WeightPacking.panelWidth
      call.source = source + rightOffsets[matrix] + column * right.columnStep
      call.columns = count
      call.target = (context.scratch + place * panelByteCount).assumingMemoryBound(to: Int8.self)
      call.sums = own
      apus_gemm8_pack_panel(&call)
      for n in 0..<WeightPacking.panelWidth { own[n] = constant &- zeroA &* own[n] }
      guard bias.isPresent else { continue }
      let values = context.pointer(bias, as: Float.self) + column
      for n in 0..<count {
        // A NaN becomes the lower bound.
        let units = values[n] / unit
        let limited = units > -0x1p30 ? min(units, 0x1p30) : -0x1p30
        own[n] &+= Int32(limited.rounded(.toNearestOrEven))
      }
    }
  }
}
