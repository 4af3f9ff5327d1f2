internal import CKernels
public import Kernels
public import ModelFile
public import Tensors

/// Turns frames into a model's input in one pass: resize, crop or pad, channel order, numbers.
///
/// No picture is stored in between; only a few rows are. The arithmetic on pixels is that of
/// OpenCV's `cv2.resize`; then `y = (x · raw_scale/255 − mean) / std · input_scale`, looked up in a
/// table of the 256 bytes. Belongs to one thread at a time; plans are kept while the frames' size
/// stays the same.
public final class Preprocessor {
  /// How the numbers of pictures lie in memory.
  public struct Form: Sendable, Hashable {
    /// uint8, bfloat16 or float32.
    public var type: ElementType
    public var arrangement: ResolvedPreprocessing.Arrangement

    public init(_ type: ElementType, _ arrangement: ResolvedPreprocessing.Arrangement) {
      self.type = type
      self.arrangement = arrangement
    }
  }

  public let specification: ResolvedPreprocessing
  /// The model's own form, or that which its first instruction makes of it.
  public let form: Form
  private let channelOrder: Preprocessing.ChannelOrder
  private let kernel: ImagingKernel
  private let table: NumberTable
  /// Padding as wide as the picture: one row for all channels, or one for each.
  private let padding: [RowBuffer<UInt8>]
  private var state: (mapping: InputMapping, plan: ResamplePlan, resampler: Resampler)?

  /// Makes a preprocessor that writes the model's declared input.
  ///
  /// - Parameter isas: the kernels that may be used; all give the same bits.
  public convenience init(_ specification: ResolvedPreprocessing, isas: Set<ISA> = ISA.host) {
    self.init(
      specification, form: Form(specification.type, specification.arrangement), isas: isas
    ) { $0 }
  }

  /// Makes a preprocessor that writes the numbers in another form.
  ///
  /// - Parameters:
  ///   - isas: the kernels that may be used; all give the same bits.
  ///   - convert: makes numbers of this form from those of the declared input; gets a picture of
  ///     one row in the arrangement and type of the specification.
  /// - Throws: what `convert` throws.
  public init<E: Error>(
    _ specification: ResolvedPreprocessing, form: Form, isas: Set<ISA> = ISA.host,
    converting convert: (TensorBuffer) throws(E) -> TensorBuffer
  ) throws(E) {
    self.specification = specification
    self.form = form
    kernel = .best(isas: isas)
    let channels = specification.channels
    channelOrder = specification.specification.channelOrder ?? (channels == 1 ? .gray : .rgb)
    let numbers = try convert(Preprocessor.numbers(specification))
    precondition(numbers.type == form.type, "\(numbers.type) numbers for \(form.type)")
    let table = NumberTable(
      numbers, channels: channels, isInterleaved: form.arrangement == .interleaved)
    self.table = table
    let width = specification.output.width
    switch form.arrangement {
    case .interleaved:
      let pixel = table.pads.flatMap { $0 }
      padding = [RowBuffer((0..<width).flatMap { _ in pixel })]
    case .planar:
      padding = table.pads.map { pad in RowBuffer((0..<width).flatMap { _ in pad }) }
    }
  }

  /// The declared input's numbers for all bytes and for the padding: a picture of one row.
  private static func numbers(_ specification: ResolvedPreprocessing) -> TensorBuffer {
    let declared = specification.specification
    let channels = specification.channels
    func part(_ values: [Double], _ channel: Int) -> Double {
      values.count > 1 ? values[channel] : values[0]
    }
    func number(_ channel: Int, _ column: Int) -> Double {
      let x = column < 256 ? Double(column) : part(declared.pad, channel)
      return (x * declared.rawScale / 255 - part(declared.mean, channel))
        / part(declared.std, channel) * declared.inputScale
    }
    let columns = 0..<NumberTable.columnCount
    let values: [Double]
    let shape: Shape
    switch specification.arrangement {
    case .planar:
      values = (0..<channels).flatMap { c in columns.map { number(c, $0) } }
      shape = [1, channels, 1, columns.count]
    case .interleaved:
      values = columns.flatMap { x in (0..<channels).map { number($0, x) } }
      shape = [1, 1, columns.count, channels]
    }
    if specification.type == .float32 { return TensorBuffer(shape, values.map { Float($0) }) }
    return TensorBuffer(
      .uint8, shape,
      values.map { UInt8(min(max($0.rounded(.toNearestOrEven), 0), 255)) })
  }

  /// The bytes of one picture in the form that this preprocessor writes.
  public var sampleByteCount: Int { specification.sampleElementCount * table.elementSize }

  /// Writes one picture into `target`, which has `sampleByteCount` bytes.
  ///
  /// Programmer error (precondition): a target of another size.
  /// - Returns: where the source lies in the input, to map boxes back.
  @discardableResult
  public func process(_ frame: Frame, into target: UnsafeMutableRawBufferPointer) -> InputMapping {
    precondition(target.count == sampleByteCount, "\(target.count) bytes for \(sampleByteCount)")
    let (mapping, plan, resampler) = prepare(for: frame.size)
    guard let base = target.baseAddress else { return mapping }
    let source = ComponentRows(frame, kernel)
    let output = specification.output
    let firstRow = mapping.top + plan.rows.lowerBound
    let firstColumn = mapping.left + plan.columns.lowerBound
    let lastColumn = firstColumn + plan.columns.count
    var rows = emptyRows(count: plan.columns.count)
    for y in 0..<output.height {
      let slot = y - firstRow
      if plan.columns.isEmpty || slot < 0 || slot >= plan.rows.count {
        fill(base, row: y, columns: 0..<output.width)
        continue
      }
      resampler.resample(row: slot, from: source, into: &rows)
      fill(base, row: y, columns: 0..<firstColumn)
      aim(&rows, at: base, row: y, column: firstColumn)
      kernel.entry.pointee.rows(&rows)
      fill(base, row: y, columns: lastColumn..<output.width)
    }
    return mapping
  }

  /// Makes the model's input of one or more frames, one sample each.
  ///
  /// - Returns: the tensor [frames, …] and, per frame, where the source lies in it.
  public func tensor(of frames: [Frame]) -> (tensor: TensorBuffer, mappings: [InputMapping]) {
    let (output, channels) = (specification.output, specification.channels)
    let shape: Shape =
      switch form.arrangement {
      case .planar: [frames.count, channels, output.height, output.width]
      case .interleaved: [frames.count, output.height, output.width, channels]
      }
    let tensor = TensorBuffer(zeros: form.type, shape)
    let size = sampleByteCount
    let mappings = tensor.withMutableBytes { bytes in
      frames.enumerated().map { index, frame in
        process(
          frame,
          into: UnsafeMutableRawBufferPointer(
            rebasing: bytes[(index * size)..<((index + 1) * size)])
        )
      }
    }
    return (tensor, mappings)
  }

  /// Brings plan and scratch rows up to date for sources of this size.
  private func prepare(
    for source: Preprocessing.Size
  ) -> (mapping: InputMapping, plan: ResamplePlan, resampler: Resampler) {
    if let state, state.mapping.source == source {
      state.resampler.reset()
      return state
    }
    let mapping = specification.mapping(source: source)
    func visible(_ offset: Int, _ inner: Int, _ outer: Int) -> Range<Int> {
      let first = max(0, -offset)
      return first..<max(first, min(inner, outer - offset))
    }
    let plan = ResamplePlan(
      source: source, resized: mapping.resized,
      columns: visible(mapping.left, mapping.resized.width, mapping.input.width),
      rows: visible(mapping.top, mapping.resized.height, mapping.input.height),
      interpolation: specification.specification.interpolation)
    let made = (mapping, plan, Resampler(plan, channelOrder, kernel))
    state = made
    return made
  }

  /// What all rows of a picture have in common.
  private func emptyRows(count: Int) -> apus_rows {
    var rows = apus_rows()
    rows.channels = UInt32(specification.channels)
    rows.element_size = UInt32(table.elementSize)
    rows.is_interleaved = form.arrangement == .interleaved ? 1 : 0
    rows.count = count
    guard !table.isIdentity else { return rows }
    rows.table.0 = UnsafeRawPointer(table.numbers[0].pointer)
    rows.split.0 = UnsafePointer(table.splits[0].pointer)
    if specification.channels == 3 {
      rows.table.1 = UnsafeRawPointer(table.numbers[1].pointer)
      rows.table.2 = UnsafeRawPointer(table.numbers[2].pointer)
      rows.split.1 = UnsafePointer(table.splits[1].pointer)
      rows.split.2 = UnsafePointer(table.splits[2].pointer)
    }
    return rows
  }

  /// Says where a row's numbers go.
  private func aim(
    _ rows: inout apus_rows, at base: UnsafeMutableRawPointer, row: Int, column: Int
  ) {
    let (width, height) = (specification.output.width, specification.output.height)
    let (channels, size) = (specification.channels, table.elementSize)
    switch form.arrangement {
    case .interleaved:
      rows.target.0 = base + (row * width + column) * channels * size
    case .planar:
      let first = base + (row * width + column) * size
      rows.target.0 = first
      if channels == 3 {
        rows.target.1 = first + height * width * size
        rows.target.2 = first + 2 * height * width * size
      }
    }
  }

  /// Writes padding.
  private func fill(_ base: UnsafeMutableRawPointer, row: Int, columns: Range<Int>) {
    guard !columns.isEmpty else { return }
    let (width, height) = (specification.output.width, specification.output.height)
    let bytes = padding[0].count / width
    for (channel, pattern) in padding.enumerated() {
      let target = base + ((channel * height + row) * width + columns.lowerBound) * bytes
      target.copyMemory(
        from: UnsafeRawPointer(pattern.pointer), byteCount: columns.count * bytes)
    }
  }
}
