internal import CKernels
import Kernels
import Tensors

/// How a convolution runs: implicit GEMM over strips of output lines.
///
/// The kernel reads x in place where every window lies inside it and the types agree. Otherwise a
/// strip of x is staged: copied with its padding (and rounded to bfloat16) into scratch memory that
/// stays in the L2 cache, in which a kernel row is one contiguous run. Each part stages for itself,
/// so the parts need no barrier.
struct ConvolutionPlan: Sendable {
  let window: ConvolutionWindow
  let groups: Int
  /// Output channels of a group.
  let columns: Int
  /// The packed weights: K, and the elements of a run.
  let depth: Int
  let runLength: Int
  /// Where the runs of a row of A start, in elements.
  let runs: [Int]
  let kernel: GemmKernel
  let isBFloat16: Bool
  /// Nil where x is read in place.
  let staged: StagedInput?
  /// Elements from one pixel and one line of what the kernel reads to the next.
  let pixelStride: Int
  let lineStride: Int
  /// A 1×1 convolution over plain rows: all images are one line.
  let isPlain: Bool
  let images: Int
  let lines: Int
  let width: Int
  /// Output lines that are staged at a time.
  let stripLines: Int
  let split: GridSplit
  let store: GemmStore

  /// The size that staged strips should have: what the L2 cache can keep beside the weights.
  static let stripByteTarget = 256 * 1024

  init(
    window: ConvolutionWindow, groups: Int, runs: WeightPacking.Runs, input: TensorSpec,
    weightType: ElementType, columns: Int, store: GemmStore, preparation: borrowing Preparation
  ) {
    self.window = window
    self.groups = groups
    self.columns = columns / groups
    self.store = store
    depth = runs.depth
    runLength = runs.paddedLength
    isBFloat16 = weightType == .bfloat16
    kernel = GemmKernel.best(
      bfloat16: isBFloat16, exact: preparation.isExact, isas: preparation.isas)
    // In place, a run must not end inside a pair, and a kernel row must be dense.
    let rowRuns = runs.count < window.kernelHeight * window.kernelWidth
    let isStaged =
      input.type != weightType || runs.length != runs.paddedLength || !window.staysInside
      || rowRuns && input.rowStride != window.channels
    staged =
      isStaged
      ? StagedInput(
        height: window.height, imageWidth: window.width, channels: window.channels,
        rowStride: input.rowStride, isSourceBFloat16: input.type == .bfloat16,
        isTargetBFloat16: isBFloat16, width: window.spanWidth, padLeft: window.padLeft,
        rounding: BFloat16Rounding(isas: preparation.isas)) : nil
    pixelStride = isStaged ? window.channels : input.rowStride
    lineStride = pixelStride * (isStaged ? window.spanWidth : window.width)
    let (pixel, line) = (pixelStride, lineStride)
    self.runs = (0..<runs.count).map { run in
      let (ky, kx) = rowRuns ? (run, 0) : (run / window.kernelWidth, run % window.kernelWidth)
      return ky * window.dilationY * line + kx * window.dilationX * pixel
    }
    isPlain =
      !isStaged && window.kernelHeight * window.kernelWidth == 1
      && window.strideY * window.strideX == 1
      && window.height == window.outputHeight && window.width == window.outputWidth
    images = isPlain ? 1 : window.batch
    lines = isPlain ? 1 : window.outputHeight
    width = window.outputWidth * (isPlain ? window.batch * window.outputHeight : 1)
    let affordable = ConvolutionPlan.stripByteTarget / max(1, staged?.lineByteCount ?? 1)
    let overlap = window.spanHeight(lines: 1) - window.strideY
    stripLines =
      isStaged ? max(1, min(lines, (affordable - overlap) / window.strideY)) : max(1, lines)
    split = GridSplit(
      rows: isPlain ? width : images * lines,
      columns: groups == 1 ? WeightPacking.panelCount(columns: columns) : groups,
      parts: preparation.parts)
  }

  private var stagedByteCount: Int {
    staged?.byteCount(lines: window.spanHeight(lines: stripLines)) ?? 0
  }

  var scratchByteCount: Int { stagedByteCount * split.parts }

  var operationCount: Int { 2 * images * lines * width * columns * groups * depth }

  /// The kernel, and how it reads x.
  var method: String {
    "\(kernel) \(isPlain ? "rows" : staged == nil ? "in place" : "staged")"
  }

  func execute(_ context: borrowing ExecutionContext, x: Operand, weights: Operand) {
    let share = split.share(of: context.part)
    guard !share.rows.isEmpty, !share.columns.isEmpty, width > 0, columns > 0 else { return }
    var call = store.makeCall(width: width, pixelStep: 1, lineStep: width)
    call.a_pixel = pixelStride * window.strideX
    call.a_line = lineStride * window.strideY
    call.run_count = runs.count
    call.run_length = runLength
    call.panel_step = depth * WeightPacking.panelWidth
    runs.withUnsafeBufferPointer { runs in
      call.runs = runs.baseAddress
      if isPlain {
        call.a = UnsafeRawPointer(context.pointer(x))
        executeRows(&call, share.rows, share.columns, weights: weights, context)
      } else {
        executeLines(&call, share.rows, share.columns, x: x, weights: weights, context)
      }
    }
  }

  /// Runs plain rows, so many at a time that what they read stays in the L2 cache while all
  /// columns pass by.
  private func executeRows(
    _ call: inout apus_gemm, _ range: Range<Int>, _ columns: Range<Int>, weights: Operand,
    _ context: borrowing ExecutionContext
  ) {
    let rowByteCount = max(1, depth * (isBFloat16 ? 2 : 4))
    // Fewer rows would fetch the weights too often.
    let strip = max(384, ConvolutionPlan.stripByteTarget / rowByteCount)
    var row = range.lowerBound
    while row < range.upperBound {
      call.first = row
      call.count = min(strip, range.upperBound - row)
      multiply(&call, columns, row: 0, weights: weights, context)
      row += call.count
    }
  }

  /// Runs output lines, counted over all images, strip by strip.
  private func executeLines(
    _ call: inout apus_gemm, _ range: Range<Int>, _ columns: Range<Int>, x: Operand,
    weights: Operand, _ context: borrowing ExecutionContext
  ) {
    let staging = context.scratch + context.part * stagedByteCount
    let elementByteCount = isBFloat16 ? 2 : 4
    var line = range.lowerBound
    while line < range.upperBound {
      let (image, first) = line.quotientAndRemainder(dividingBy: lines)
      let count = min(stripLines, range.upperBound - line, lines - first)
      let source = context.pointer(x)
      if let staged {
        let imageBytes =
          window.height * window.width * staged.rowStride * (staged.isSourceBFloat16 ? 2 : 4)
        staged.copy(
          from: source + image * imageBytes, first: first * window.strideY - window.padTop,
          count: window.spanHeight(lines: count), to: staging)
        call.a = UnsafeRawPointer(staging)
      } else {
        let inputLine = image * window.height + first * window.strideY
        call.a = UnsafeRawPointer(source + inputLine * lineStride * elementByteCount)
      }
      call.first = 0
      call.count = count * width
      multiply(&call, columns, row: line * width, weights: weights, context)
      line += count
    }
  }

  /// Runs the kernel for a range of panels, or of groups where there are several.
  @inline(__always)
  private func multiply(
    _ call: inout apus_gemm, _ range: Range<Int>, row: Int, weights: Operand,
    _ context: borrowing ExecutionContext
  ) {
    let elementByteCount = isBFloat16 ? 2 : 4
    let packed = UnsafeRawPointer(context.pointer(weights))
    let panelByteCount = depth * WeightPacking.panelWidth * elementByteCount
    if groups == 1 {
      let first = range.lowerBound * WeightPacking.panelWidth
      call.b = packed + range.lowerBound * panelByteCount
      call.columns = min(columns, range.upperBound * WeightPacking.panelWidth) - first
      store.place(&call, row: row, column: first, context)
      kernel.run(&call)
      return
    }
    let panels = WeightPacking.panelCount(columns: columns)
    let channels = window.channels / groups
    let a = call.a
    call.columns = columns
    for group in range {
      call.a = a.map { $0 + group * channels * elementByteCount }
      call.b = packed + group * panels * panelByteCount
      store.place(&call, row: row, column: group * columns, context)
      kernel.run(&call)
    }
    call.a = a
  }
}

/// The two-dimensional split of a product among parts: by rows, by columns, or both.
struct GridSplit: Sendable {
  let rows: Int
  let columns: Int
  let parts: Int
  let rowParts: Int
  let columnParts: Int

  /// Chooses the split whose largest share is least; of equals the one by rows, and of nearly
  /// equals too, where parts that split columns would share more (`prefersRows`): each reads all
  /// rows of the left factor, and lines of the cache in which they meet in every row of the result
  /// go back and forth.
  init(rows: Int, columns: Int, parts: Int, prefersRows: Bool = false) {
    self.rows = rows
    self.columns = columns
    self.parts = parts
    var best = (cost: Int.max, rowParts: 1, columnParts: 1)
    for columnParts in 1...max(1, parts) {
      let rowParts = max(1, parts / columnParts)
      let cost =
        ((rows + rowParts - 1) / rowParts) * ((columns + columnParts - 1) / columnParts)
      if cost < best.cost - (prefersRows ? best.cost / 32 : 0) {
        best = (cost, rowParts, columnParts)
      }
    }
    rowParts = best.rowParts
    columnParts = best.columnParts
  }

  /// The share of a part; empty for parts beyond the grid.
  @inline(__always)
  func share(of part: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    guard part < rowParts * columnParts else { return (0..<0, 0..<0) }
    let (row, column) = (part % rowParts, part / rowParts)
    return (
      rows * row / rowParts..<rows * (row + 1) / rowParts,
      columns * column / columnParts..<columns * (column + 1) / columnParts
    )
  }
}
