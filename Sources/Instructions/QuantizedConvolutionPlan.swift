internal import CKernels
import Kernels
import Tensors

/// How an 8-bit convolution runs: implicit GEMM over strips of output lines, as `ConvolutionPlan`
/// does it for floats.
///
/// The kernel reads x in place where every window lies inside it. Otherwise a strip of x is staged:
/// copied with its padding into scratch memory that stays in the L2 cache, in which a kernel row is
/// one contiguous run. Each part stages for itself, so the parts need no barrier.
struct QuantizedConvolutionPlan: Sendable {
  private let window: ConvolutionWindow
  private let groups: Int
  /// Output channels of a group.
  private let columns: Int
  /// The packed weights: K, and the elements of a run.
  private let depth: Int
  private let runLength: Int
  /// Where the runs of a row of A start, in elements.
  private let runs: [Int]
  private let kernel: Gemm8Kernel
  /// Nil where x is read in place.
  private let staged: StagedBytes?
  /// Elements from one pixel and one line of what the kernel reads to the next.
  private let pixelStride: Int
  private let lineStride: Int
  /// A 1×1 convolution over plain rows: all images are one line.
  private let isPlain: Bool
  private let images: Int
  private let lines: Int
  private let width: Int
  /// Output lines that are staged at a time.
  private let stripLines: Int
  private let split: GridSplit
  let store: QuantizedStore
  let operationCount: Int

  init(
    window: ConvolutionWindow, groups: Int, runs: WeightPacking.Runs, input: TensorSpec,
    fill: UInt8, columns: Int, store: QuantizedStore, preparation: borrowing Preparation
  ) {
    self.window = window
    self.groups = groups
    self.columns = columns / groups
    self.store = store
    depth = runs.depth
    runLength = runs.paddedLength
    kernel = Gemm8Kernel.best(isas: preparation.isas)
    // In place, a kernel row must be dense.
    let rowRuns = runs.count < window.kernelHeight * window.kernelWidth
    let isStaged = !window.staysInside || rowRuns && input.rowStride != window.channels
    staged =
      isStaged
      ? StagedBytes(
        height: window.height, imageWidth: window.width, channels: window.channels,
        rowStride: input.rowStride, width: window.spanWidth, padLeft: window.padLeft, fill: fill)
      : nil
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
    operationCount = 2 * images * lines * width * columns * runs.count * runs.length
  }

  private var stagedByteCount: Int {
    staged?.byteCount(lines: window.spanHeight(lines: stripLines)) ?? 0
  }

  var scratchByteCount: Int { stagedByteCount * split.parts }

  /// The kernel, and how it reads x.
  var method: String {
    "\(kernel) \(isPlain ? "rows" : staged == nil ? "in place" : "staged")"
  }

  func execute(_ context: borrowing ExecutionContext, x: Operand, weights: Operand) {
    let share = split.share(of: context.part)
    guard !share.rows.isEmpty, !share.columns.isEmpty, width > 0, columns > 0 else { return }
    var call = apus_gemm8()
    call.store = store.makeStore()
    call.width = width
    call.y_pixel = store.yRowStride
    call.y_line = width * store.yRowStride
    call.residual_pixel = store.residualRowStride
    call.residual_line = width * store.residualRowStride
    call.a_pixel = pixelStride * window.strideX
    call.a_line = lineStride * window.strideY
    call.run_count = runs.count
    call.run_length = runLength
    call.panel_step = depth * WeightPacking.panelWidth
    runs.withUnsafeBufferPointer { runs in
      call.runs = runs.baseAddress
      if isPlain {
        call.a = UnsafePointer(context.pointer(x, as: UInt8.self))
        executeRows(&call, share.rows, share.columns, weights: weights, context)
      } else {
        executeLines(&call, share.rows, share.columns, x: x, weights: weights, context)
      }
    }
  }

  /// Runs plain rows, so many at a time that what they read stays in the L2 cache while all
  /// columns pass by.
  private func executeRows(
    _ call: inout apus_gemm8, _ range: Range<Int>, _ columns: Range<Int>, weights: Operand,
    _ context: borrowing ExecutionContext
  ) {
    // Fewer rows would fetch the weights too often.
    let strip = max(384, ConvolutionPlan.stripByteTarget / max(1, depth))
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
    _ call: inout apus_gemm8, _ range: Range<Int>, _ columns: Range<Int>, x: Operand,
    weights: Operand, _ context: borrowing ExecutionContext
  ) {
    let staging = context.scratch + context.part * stagedByteCount
    let source = UnsafePointer(context.pointer(x, as: UInt8.self))
    var line = range.lowerBound
    while line < range.upperBound {
      let (image, first) = line.quotientAndRemainder(dividingBy: lines)
      let count = min(stripLines, range.upperBound - line, lines - first)
      if let staged {
        staged.copy(
          from: source + image * window.height * window.width * staged.rowStride,
          first: first * window.strideY - window.padTop, count: window.spanHeight(lines: count),
          to: staging)
        call.a = UnsafePointer(staging.assumingMemoryBound(to: UInt8.self))
      } else {
        call.a = source + (image * window.height + first * window.strideY) * lineStride
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
    _ call: inout apus_gemm8, _ range: Range<Int>, row: Int, weights: Operand,
    _ context: borrowing ExecutionContext
  ) {
    let packed = UnsafePointer(context.pointer(weights, as: Int8.self))
    let panelByteCount = depth * WeightPacking.panelWidth
    if groups == 1 {
      let first = range.lowerBound * WeightPacking.panelWidth
      call.b = packed + range.lowerBound * panelByteCount
      call.columns = min(columns, range.upperBound * WeightPacking.panelWidth) - first
      store.place(&call.store, row: row, column: first, context)
      kernel.run(&call)
      return
    }
    let panels = WeightPacking.panelCount(columns: columns)
    let channels = window.channels / groups
    let a = call.a
    call.columns = columns
    for group in range {
      call.a = a.map { $0 + group * channels }
      call.b = packed + group * panels * panelByteCount
      store.place(&call.store, row: row, column: group * columns, context)
      kernel.run(&call)
    }
    call.a = a
  }
}
