internal import CKernels
import Kernels
import Tensors

/// How an 8-bit transposed convolution runs, as `TransposedPlan` does it for floats: one
/// convolution with stride 1 per phase of the output, over strips of the input that are staged with
/// their border (or read in place where there is none).
struct QuantizedTransposedPlan: Sendable {
  private let geometry: TransposedGeometry
  /// By phase: where the taps lie behind a staged pixel, and where the phase begins in a panel.
  private let runs: [[Int]]
  private let depths: [Int]
  let store: QuantizedStore
  private let kernel: Gemm8Kernel
  private let groups: Int
  /// Per group.
  private let channels: Int
  private let columns: Int
  private let runLength: Int
  private let depth: Int
  private let staged: StagedBytes
  private let isStaged: Bool
  private let batch: Int
  private let height: Int
  private let width: Int
  private let outputHeight: Int
  private let outputWidth: Int
  private let strides: [Int]
  private let stripLines: Int
  private let split: GridSplit
  let operationCount: Int

  init(
    input: TensorSpec, output: TensorSpec, groups: Int, runs: WeightPacking.Runs,
    geometry: TransposedGeometry, strides: [Int], fill: UInt8, store: QuantizedStore,
    preparation: borrowing Preparation
  ) {
    self.geometry = geometry
    self.store = store
    self.groups = groups
    self.strides = strides
    kernel = Gemm8Kernel.best(isas: preparation.isas)
    (batch, height, width) = (input.shape[0], input.shape[1], input.shape[2])
    (outputHeight, outputWidth) = (output.shape[1], output.shape[2])
    channels = input.rowLength / groups
    columns = output.rowLength / groups
    runLength = runs.paddedLength
    depth = runs.depth
    isStaged = !geometry.staysInside
    staged = StagedBytes(
      height: height, imageWidth: width, channels: input.rowLength, rowStride: input.rowStride,
      width: geometry.stagedWidth, padLeft: geometry.padLeft, fill: fill)
    let pixelStride = isStaged ? input.rowLength : input.rowStride
    let lineStride = pixelStride * (isStaged ? staged.width : width)
    self.runs = geometry.phases.map { phase in
      phase.taps.map { $0.line * lineStride + $0.pixel * pixelStride }
    }
    var before = 0
    depths = geometry.phases.map { phase in
      defer { before += phase.taps.count * runs.paddedLength }
      return before
    }
    let affordable = ConvolutionPlan.stripByteTarget / max(1, staged.lineByteCount)
    stripLines =
      isStaged
      ? max(1, min(geometry.lines, affordable - geometry.tapSpan + 1)) : max(1, geometry.lines)
    split = GridSplit(
      rows: batch * geometry.lines,
      columns: groups == 1 ? WeightPacking.panelCount(columns: columns) : groups,
      parts: preparation.parts)
    operationCount =
      2 * batch * height * width * runs.count * runs.length * columns * groups
  }

  /// The extents of a part's scratch memory.
  var stagedExtents: [Int] {
    isStaged ? [geometry.tapSpan + stripLines, staged.width, staged.channels] : []
  }

  private var stagedByteCount: Int {
    isStaged ? staged.byteCount(lines: stripLines + geometry.tapSpan - 1) : 0
  }

  var scratchByteCount: Int { stagedByteCount * split.parts }

  func execute(_ context: borrowing ExecutionContext, x: Operand, weights: Operand) {
    let share = split.share(of: context.part)
    guard !share.rows.isEmpty, !share.columns.isEmpty, columns > 0 else { return }
    let staging = context.scratch + context.part * stagedByteCount
    let lines = geometry.lines
    var line = share.rows.lowerBound
    while line < share.rows.upperBound {
      let (image, first) = line.quotientAndRemainder(dividingBy: lines)
      let count = min(stripLines, share.rows.upperBound - line, lines - first)
      let source = context.pointer(x) + image * height * width * staged.rowStride
      var a = UnsafeRawPointer(staging)
      if isStaged {
        staged.copy(
          from: source, first: first + geometry.firstTap, count: count + geometry.tapSpan - 1,
          to: staging)
      } else {
        a = UnsafeRawPointer(source + first * width * staged.rowStride)
      }
      for phase in geometry.phases.indices {
        runPhase(
          phase, a.assumingMemoryBound(to: UInt8.self), image: image, lines: first..<first + count,
          share.columns, weights, context)
      }
      line += count
    }
  }

  private func runPhase(
    _ index: Int, _ a: UnsafePointer<UInt8>, image: Int, lines range: Range<Int>,
    _ share: Range<Int>, _ weights: Operand, _ context: borrowing ExecutionContext
  ) {
    let (top, left) = (geometry.phases[index].y, geometry.phases[index].x)
    let phaseWidth = geometry.phases[index].width
    let count = min(range.upperBound, geometry.phases[index].lines) - range.lowerBound
    guard count > 0, phaseWidth > 0 else { return }
    var call = apus_gemm8()
    call.store = store.makeStore()
    call.width = phaseWidth
    call.y_pixel = strides[1] * store.yRowStride
    call.y_line = strides[0] * outputWidth * store.yRowStride
    call.residual_pixel = strides[1] * store.residualRowStride
    call.residual_line = strides[0] * outputWidth * store.residualRowStride
    call.a_pixel = isStaged ? staged.channels : staged.rowStride
    call.a_line = call.a_pixel * (isStaged ? staged.width : width)
    call.run_count = runs[index].count
    call.run_length = runLength
    call.panel_step = depth * WeightPacking.panelWidth
    call.count = count * phaseWidth
    let panels = WeightPacking.panelCount(columns: columns)
    let packed =
      UnsafePointer(context.pointer(weights, as: Int8.self))
      + depths[index] * WeightPacking.panelWidth
    let row = (image * outputHeight + top + range.lowerBound * strides[0]) * outputWidth + left
    runs[index].withUnsafeBufferPointer { runs in
      call.runs = runs.baseAddress
      // With one group the share counts panels, else groups.
      let groupShare = groups == 1 ? 0..<1 : share
      for group in groupShare {
        let first = groups == 1 ? share.lowerBound : 0
        let last = groups == 1 ? share.upperBound : panels
        let column = first * WeightPacking.panelWidth
        call.a = a + group * channels
        call.b = packed + (group * panels + first) * call.panel_step
        call.columns = min(columns, last * WeightPacking.panelWidth) - column
        store.place(&call.store, row: row, column: group * columns + column, context)
        call.store.offset = call.store.offset + index * groups * columns
        kernel.run(&call)
      }
    }
  }
}
