internal import CKernels
import Kernels
import Tensors

/// How a transposed convolution runs: one convolution with stride 1 per phase of the output, over
/// strips of the input that are staged with their border (or read in place where there is none).
struct TransposedPlan: Sendable {
  /// One phase as calls of the kernel see it.
  private struct Phase: Sendable {
    /// The first output pixel.
    var y: Int
    var x: Int
    var lines: Int
    var width: Int
    /// Where the taps lie behind a staged pixel, in elements.
    var runs: [Int]
    /// Where the phase begins in a panel, in steps of K.
    var depth: Int
  }

  private let phases: [Phase]
  private let store: GemmStore
  private let kernel: GemmKernel
  private let isBFloat16: Bool
  private let groups: Int
  /// Per group.
  private let channels: Int
  private let columns: Int
  private let runLength: Int
  private let depth: Int
  private let staged: StagedInput
  private let isStaged: Bool
  private let batch: Int
  private let height: Int
  private let width: Int
  private let outputHeight: Int
  private let outputWidth: Int
  private let strides: [Int]
  /// The lines of the finest phase, of which `stripLines` are done at a time.
  private let lines: Int
  private let stripLines: Int
  /// Input lines around an output line of a phase: from `firstTap` on, `tapSpan` of them.
  private let firstTap: Int
  private let tapSpan: Int
  private let split: GridSplit

  init(
    input: TensorSpec, output: TensorSpec, weightType: ElementType, groups: Int,
    runs: WeightPacking.Runs, phases: [TransposedPhase], strides: [Int], pads: [Int],
    dilations: [Int], store: GemmStore, preparation: borrowing Preparation
  ) {
    self.store = store
    self.groups = groups
    self.strides = strides
    isBFloat16 = weightType == .bfloat16
    kernel = GemmKernel.best(
      bfloat16: isBFloat16, exact: preparation.isExact, isas: preparation.isas)
    (batch, height, width) = (input.shape[0], input.shape[1], input.shape[2])
    (outputHeight, outputWidth) = (output.shape[1], output.shape[2])
    channels = input.rowLength / groups
    columns = output.rowLength / groups
    runLength = runs.paddedLength
    depth = runs.depth

    let geometry = TransposedGeometry(
      input: input, output: output, phases: phases, strides: strides, pads: pads,
      dilations: dilations)
    (firstTap, tapSpan) = (geometry.firstTap, geometry.tapSpan)
    lines = geometry.lines
    isStaged =
      input.type != weightType || runs.length != runs.paddedLength || !geometry.staysInside
    staged = StagedInput(
      height: height, imageWidth: width, channels: input.rowLength, rowStride: input.rowStride,
      isSourceBFloat16: input.type == .bfloat16, isTargetBFloat16: isBFloat16,
      width: geometry.stagedWidth, padLeft: geometry.padLeft,
      rounding: BFloat16Rounding(isas: preparation.isas))
    let pixelStride = isStaged ? input.rowLength : input.rowStride
    let lineStride = pixelStride * (isStaged ? staged.width : width)
    var before = 0
    var found: [Phase] = []
    for phase in geometry.phases {
      found.append(
        Phase(
          y: phase.y, x: phase.x, lines: phase.lines, width: phase.width,
          runs: phase.taps.map { $0.line * lineStride + $0.pixel * pixelStride }, depth: before))
      before += phase.taps.count * runs.paddedLength
    }
    self.phases = found
    let affordable = ConvolutionPlan.stripByteTarget / max(1, staged.lineByteCount)
    stripLines = isStaged ? max(1, min(lines, affordable - tapSpan + 1)) : max(1, lines)
    split = GridSplit(
      rows: batch * lines,
      columns: groups == 1 ? WeightPacking.panelCount(columns: columns) : groups,
      parts: preparation.parts)
  }

  /// The extents of a part's scratch memory.
  var stagedExtents: [Int] {
    isStaged ? [tapSpan + stripLines, staged.width, staged.channels] : []
  }

  private var stagedByteCount: Int {
    isStaged ? staged.byteCount(lines: stripLines + tapSpan - 1) : 0
  }

  var scratchByteCount: Int { stagedByteCount * split.parts }

  var operationCount: Int { 2 * batch * height * width * depth * columns * groups }

  func execute(_ context: borrowing ExecutionContext, x: Operand, weights: Operand) {
    let share = split.share(of: context.part)
    guard !share.rows.isEmpty, !share.columns.isEmpty, columns > 0 else { return }
    let staging = context.scratch + context.part * stagedByteCount
    let imageByteCount =
      height * width * staged.rowStride * (staged.isSourceBFloat16 ? 2 : 4)
    var line = share.rows.lowerBound
    while line < share.rows.upperBound {
      let (image, first) = line.quotientAndRemainder(dividingBy: lines)
      let count = min(stripLines, share.rows.upperBound - line, lines - first)
      let source = context.pointer(x) + image * imageByteCount
      var a = UnsafeRawPointer(staging)
      if isStaged {
        staged.copy(
          from: source, first: first + firstTap, count: count + tapSpan - 1, to: staging)
      } else {
        a = UnsafeRawPointer(
          source + first * width * staged.rowStride * staged.elementByteCount)
      }
      for index in phases.indices {
        runPhase(
          index, a, image: image, lines: first..<first + count, share.columns, weights, context)
      }
      line += count
    }
  }

  private func runPhase(
    _ index: Int, _ a: UnsafeRawPointer, image: Int, lines range: Range<Int>,
    _ share: Range<Int>, _ weights: Operand, _ context: borrowing ExecutionContext
  ) {
    let (top, left) = (phases[index].y, phases[index].x)
    let phaseWidth = phases[index].width
    let count = min(range.upperBound, phases[index].lines) - range.lowerBound
    guard count > 0, phaseWidth > 0 else { return }
    var call = store.makeCall(
      width: phaseWidth, pixelStep: strides[1], lineStep: strides[0] * outputWidth)
    call.a_pixel = isStaged ? staged.channels : staged.rowStride
    call.a_line = call.a_pixel * (isStaged ? staged.width : width)
    call.run_count = phases[index].runs.count
    call.run_length = runLength
    call.panel_step = depth * WeightPacking.panelWidth
    call.count = count * phaseWidth
    let elementByteCount = isBFloat16 ? 2 : 4
    let panels = WeightPacking.panelCount(columns: columns)
    let packed =
      UnsafeRawPointer(context.pointer(weights))
      + phases[index].depth * WeightPacking.panelWidth * elementByteCount
    let row = (image * outputHeight + top + range.lowerBound * strides[0]) * outputWidth + left
    phases[index].runs.withUnsafeBufferPointer { runs in
      call.runs = runs.baseAddress
      // With one group the share counts panels, else groups.
      let groupShare = groups == 1 ? 0..<1 : share
      for group in groupShare {
        let first = groups == 1 ? share.lowerBound : 0
        let last = groups == 1 ? share.upperBound : panels
        let column = first * WeightPacking.panelWidth
        call.a = a + group * channels * elementByteCount
        call.b = packed + (group * panels + first) * call.panel_step * elementByteCount
        call.columns = min(columns, last * WeightPacking.panelWidth) - column
        store.place(&call, row: row, column: group * columns + column, context)
        kernel.run(&call)
      }
    }
  }
}
