internal import CKernels
public import ModelFile
public import Tensors

/// Turns frames into a model's input in one pass: resize, crop or pad, channel order, numbers.
///
/// No picture is stored in between; only a few rows are. The arithmetic on pixels is that of
/// OpenCV's `cv2.resize`; then `y = (x · raw_scale/255 − mean) / std · input_scale`. Belongs to
/// one thread at a time; tables are kept while the frames' size stays the same.
public final class Preprocessor {
  public let specification: ResolvedPreprocessing
  private let channelOrder: Preprocessing.ChannelOrder
  private let floatTables: [RowBuffer<Float>]
  private let byteTables: [RowBuffer<UInt8>]
  private let floatPads: [Float]
  private let bytePads: [UInt8]
  private var state: (mapping: InputMapping, plan: ResamplePlan, resampler: Resampler)?
  private var rows: [RowBuffer<UInt8>] = []

  public init(_ specification: ResolvedPreprocessing) {
    self.specification = specification
    let declared = specification.specification
    let channels = specification.channels
    channelOrder = declared.channelOrder ?? (channels == 1 ? .gray : .rgb)
    func part(_ values: [Double], _ channel: Int) -> Double {
      values.count > 1 ? values[channel] : values[0]
    }
    func number(_ x: Double, _ channel: Int) -> Double {
      (x * declared.rawScale / 255 - part(declared.mean, channel)) / part(declared.std, channel)
        * declared.inputScale
    }
    func byte(_ value: Double) -> UInt8 {
      UInt8(min(max(value.rounded(.toNearestOrEven), 0), 255))
    }
    let range = 0..<channels
    floatTables = range.map { c in RowBuffer((0..<256).map { Float(number(Double($0), c)) }) }
    byteTables = range.map { c in RowBuffer((0..<256).map { byte(number(Double($0), c)) }) }
    floatPads = range.map { Float(number(part(declared.pad, $0), $0)) }
    bytePads = range.map { byte(number(part(declared.pad, $0), $0)) }
  }

  /// The bytes of one picture in the model's input.
  public var sampleByteCount: Int {
    specification.sampleElementCount * specification.type.byteCount
  }

  /// Writes one picture into `target`, which has `sampleByteCount` bytes.
  ///
  /// Programmer error (precondition): a target of another size.
  /// - Returns: where the source lies in the input, to map boxes back.
  @discardableResult
  public func process(_ frame: Frame, into target: UnsafeMutableRawBufferPointer) -> InputMapping {
    precondition(target.count == sampleByteCount, "\(target.count) bytes for \(sampleByteCount)")
    let plan = prepare(for: frame.size)
    guard let mapping = state?.mapping, let base = target.baseAddress else {
      preconditionFailure("a preprocessor without a plan")
    }
    let components = ComponentRows(frame, gray: channelOrder == .gray)
    let order = channelOrder
    let row: (Int) -> [ComponentRows.Component] = { y in
      if order == .gray { return [components.grayRow(y)] }
      let (red, green, blue) = components.rgb(y)
      return order == .rgb ? [red, green, blue] : [blue, green, red]
    }
    let output = specification.output
    let firstRow = mapping.top + plan.rows.lowerBound
    for y in 0..<output.height {
      let slot = y - firstRow
      if plan.rows.isEmpty || plan.columns.isEmpty || slot < 0 || slot >= plan.rows.count {
        fill(base, row: y, columns: 0..<output.width)
        continue
      }
      state?.resampler.resample(row: slot, from: row, into: rows)
      let firstColumn = mapping.left + plan.columns.lowerBound
      let lastColumn = firstColumn + plan.columns.count
      fill(base, row: y, columns: 0..<firstColumn)
      store(base, row: y, column: firstColumn, count: plan.columns.count)
      fill(base, row: y, columns: lastColumn..<output.width)
    }
    return mapping
  }

  /// Makes the model's input of one or more frames, one sample each.
  ///
  /// - Returns: the tensor [frames, …] and, per frame, where the source lies in it.
  public func tensor(of frames: [Frame]) -> (tensor: TensorBuffer, mappings: [InputMapping]) {
    let tensor = TensorBuffer(
      zeros: specification.type, specification.shape(batch: frames.count))
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
  private func prepare(for source: Preprocessing.Size) -> ResamplePlan {
    if let state, state.mapping.source == source {
      self.state?.resampler.reset()
      return state.plan
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
    state = (mapping, plan, Resampler(plan, channels: specification.channels))
    rows = (0..<specification.channels).map { _ in RowBuffer(plan.columns.count) }
    return plan
  }

  /// Writes the resampled row as the model's numbers.
  private func store(_ base: UnsafeMutableRawPointer, row: Int, column: Int, count: Int) {
    for channel in 0..<specification.channels {
      let (offset, step) = place(channel, row: row, column: column)
      if specification.type == .float32 {
        apus_lookup_f32_row(
          rows[channel].pointer, floatTables[channel].pointer, Int64(count),
          base.assumingMemoryBound(to: Float.self) + offset, Int64(step))
      } else {
        apus_lookup_u8_row(
          rows[channel].pointer, byteTables[channel].pointer, Int64(count),
          base.assumingMemoryBound(to: UInt8.self) + offset, Int64(step))
      }
    }
  }

  /// Writes padding.
  private func fill(_ base: UnsafeMutableRawPointer, row: Int, columns: Range<Int>) {
    for channel in 0..<specification.channels {
      let (offset, step) = place(channel, row: row, column: columns.lowerBound)
      if specification.type == .float32 {
        let target = base.assumingMemoryBound(to: Float.self) + offset
        for i in 0..<columns.count { target[i * step] = floatPads[channel] }
      } else {
        let target = base.assumingMemoryBound(to: UInt8.self) + offset
        for i in 0..<columns.count { target[i * step] = bytePads[channel] }
      }
    }
  }

  /// Where an element lies in the input, and the step to its right neighbour, in elements.
  private func place(_ channel: Int, row: Int, column: Int) -> (offset: Int, step: Int) {
    let (width, height) = (specification.output.width, specification.output.height)
    switch specification.arrangement {
    case .planar: return ((channel * height + row) * width + column, 1)
    case .interleaved:
      let channels = specification.channels
      return ((row * width + column) * channels + channel, channels)
    }
  }
}
