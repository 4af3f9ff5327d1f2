import Kernels
import Tensors

/// Resizes one or two adjacent axes by interpolation: y[o, j, k, i] = Σ u[j, a] v[k, b]
/// x[o, J[j] + a, K[k] + b, i], where the weights u and v follow from the filter, the rule that
/// maps output to input coordinates, and the scales.
///
/// x: float32, bfloat16, uint8, int8, int32 (the nearest filter: any type); y: x's type; o runs
/// over the axes before `axis`, i over those behind the resized ones. The extents are those of x
/// and y; the fields hold what they do not say. The rules are those of ONNX's Resize.
///
/// uint8 tensors with a quantisation, which x and y then share, are blended as what they stand for:
/// rounded half to even and saturated, the same bits on every ISA. Without one, bytes are cut off.
package struct Interpolate: Instruction {
  package static let opcode = "interpolate"

  package var input = Operand.none
  package var output = Operand.none
  package var axis = 0
  package var filter = Interpolation.Filter.nearest
  package var coordinates = Interpolation.Coordinates.halfPixel
  package var rounding = Interpolation.Rounding.preferFloor
  package var antialias = false
  /// Taps outside the tensor get no weight, and the others are scaled up.
  package var excludesOutside = false
  package var cubicCoefficient: Float = -0.75
  /// What coordinates outside the tensor give under `.cropAndResize`.
  package var extrapolation: Float = 0
  /// For one or two axes: scale, start and end of the region, as bit patterns of float32.
  package var parameters: [Int] = []

  var outer = 0
  var inner = 0
  var rows = AxisTaps.same
  var columns = AxisTaps.same
  var type = ElementType.float32
  /// How the pixels of a pick lie: `rows` runs of elements, whose starts lie these many elements
  /// apart; nil where all elements lie together.
  private var pixels: Pixels?
  /// Elements between rows; what is resized last is their axis, or one before it.
  private var sourceStride = 0
  private var targetStride = 0
  private var isAlongRows = false
  /// Floats in one part's scratch row.
  var scratchStride = 0
  /// The element type of blends by kernels; nil where they are portable.
  private var blendType: ResizeKernel.Element?
  /// What stands for `extrapolation` in quantised tensors.
  private var extrapolatedByte: UInt8 = 0
  private var kernel: ResizeKernel?

  private struct Pixels: Sendable {
    var rows: Int
    var sourceStep: Int
    var targetStep: Int
  }

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: isPick)
    visitor.output("y", &output, strided: isPick)
    visitor.field("axis", &axis)
    visitor.field("filter", &filter)
    visitor.field("coordinates", &coordinates)
    visitor.field("rounding", &rounding)
    visitor.field("antialias", &antialias)
    visitor.field("excludes_outside", &excludesOutside)
    visitor.field("cubic_coefficient", &cubicCoefficient)
    visitor.field("extrapolation", &extrapolation)
    visitor.field("parameters", &parameters)
  }

  /// The nearest filter only picks elements.
  private var isPick: Bool { filter == .nearest && coordinates != .cropAndResize }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    type = x.type
    try preparation.require(
      isPick && x.rowStride >= x.rowLength && y.rowStride >= y.rowLength
        || x.isDense && y.isDense, self,
      "rows of \(x.rowLength) elements with strides \(x.rowStride) and \(y.rowStride)")
    let blended: Set<ElementType> = [.float32, .bfloat16, .uint8, .int8, .int32]
    try preparation.require(
      x.type == y.type && x.type.byteCount > 0
        && (filter == .nearest && coordinates != .cropAndResize || blended.contains(x.type)), self,
      "\(x.type) into \(y.type)")
    let count = parameters.count / 3
    let rank = x.shape.rank
    try preparation.require(
      (parameters.count == 3 || parameters.count == 6) && axis >= 0 && y.shape.rank == rank
        && axis <= rank - count, self, "\(parameters.count) parameters at axis \(axis)")
    for other in 0..<rank where other < axis || other >= axis + count {
      try preparation.require(
        x.shape[other] == y.shape[other], self, "\(x.shape) into \(y.shape) at axis \(axis)")
    }
    outer = x.shape.dimensions[..<axis].reduce(1, *)
    inner = x.shape.dimensions[(axis + count)...].reduce(1, *)
    guard y.shape.elementCount > 0 else {
      outer = 0
      return
    }
    try preparation.require(x.shape.elementCount > 0, self, "nothing to take from")
    pixels =
      axis + count < rank && !(x.isDense && y.isDense)
      ? Pixels(rows: inner / x.rowLength, sourceStep: x.rowStride, targetStep: y.rowStride) : nil
    (sourceStride, targetStride) = (x.rowStride, y.rowStride)
    isAlongRows = axis + count == rank
    var taps: [AxisTaps] = []
    for position in 0..<count {
      let rule = rule(position, from: x.shape[axis + position], to: y.shape[axis + position])
      guard let axisTaps = AxisTaps(rule) else {
        throw InstructionError(Self.opcode, "a scale of \(rule.scale) is not supported")
      }
      taps.append(axisTaps)
    }
    kernel = ResizeKernel.best(isas: preparation.isas)
    try chooseBlend(x, y, preparation)
    rows = count == 2 ? taps[0] : AxisTaps.same
    columns = taps[count - 1]
    if filter != .nearest || coordinates == .cropAndResize {
      let floats = columns.sourceExtent.multipliedReportingOverflow(by: inner)
      try preparation.require(
        !floats.overflow && floats.partialValue < 1 << 40, self, "rows are too long")
      scratchStride = (floats.partialValue + 15) / 16 * 16
      preparation.requestScratch(scratchStride * 4 * preparation.parts)
    }
  }

  private mutating func chooseBlend(
    _ x: TensorSpec, _ y: TensorSpec, _ preparation: Preparation
  ) throws(InstructionError) {
    switch type {
    case .float32: blendType = .float32
    case .bfloat16: blendType = .bfloat16
    case .uint8: blendType = x.quantization == nil ? nil : .uint8
    default: blendType = nil
    }
    try preparation.require(
      x.quantization == y.quantization, self, "x and y stand for different numbers")
    guard let quantization = x.quantization else { return }
    // A channel keeps its scale only where it keeps its place.
    let keepsChannels = axis + parameters.count / 3 < x.shape.rank
    try preparation.require(
      !quantization.isPerChannel || keepsChannels && coordinates != .cropAndResize, self,
      "cannot resize with \(quantization)")
    let value = (extrapolation / quantization.scale(0)).rounded(.toNearestOrEven)
    extrapolatedByte = UInt8(
      clamping: Int(saturating: value + Float(quantization.zeroPoint(0))))
  }

  private func rule(_ position: Int, from source: Int, to target: Int) -> Interpolation.Rule {
    let value = { (index: Int) in
      Float(bitPattern: UInt32(truncatingIfNeeded: parameters[position * 3 + index]))
    }
    return Interpolation.Rule(
      filter: filter, coordinates: coordinates, rounding: rounding, antialias: antialias,
      excludesOutside: excludesOutside, cubicCoefficient: cubicCoefficient, scale: value(0),
      start: value(1), end: value(2), source: source, target: target)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard outer > 0 else { return }
    if filter == .nearest && coordinates != .cropAndResize {
      pick(context)
      return
    }
    if let blendType { return blend(blendType, context) }
    switch type {
    case .uint8: blend(UInt8.self, context, { Float($0) }, { UInt8(min(max($0, 0), 255)) })
    case .int8: blend(Int8.self, context, { Float($0) }, { Int8(min(max($0, -128), 127)) })
    default: blend(Int32.self, context, { Float($0) }, { Int32(clamping: Int(saturating: $0)) })
    }
  }

  /// The nearest filter: one source position per output position.
  private func pick(_ context: borrowing ExecutionContext) {
    let size = type.byteCount
    let source = context.pointer(input)
    let target = context.pointer(output)
    let sourcePixel = pixels.map { $0.rows * $0.sourceStep } ?? inner
    let targetPixel = pixels.map { $0.rows * $0.targetStep } ?? inner
    let sourceRow = (isAlongRows ? sourceStride : columns.sourceExtent * sourcePixel) * size
    let targetRow = (isAlongRows ? targetStride : columns.count * targetPixel) * size
    var last = -1
    for row in context.share(of: outer * rows.count) {
      let from = row / rows.count * rows.sourceExtent + rows.place(row % rows.count)
      let to = target + row * targetRow
      if from == last && pixels == nil {
        // The same row as the one before.
        to.copyMemory(from: to - targetRow, byteCount: columns.count * inner * size)
      } else {
        columns.withTaps(0) { places, _ in
          if let pixels {
            pickPixels(source + from * sourceRow, to, places, pixels)
          } else {
            pickRow(source + from * sourceRow, to, places, length: inner * size)
          }
        }
      }
      last = from
    }
  }

  /// Copies the pixels of a row that do not lie together.
  private func pickPixels(
    _ from: UnsafeMutableRawPointer, _ to: UnsafeMutableRawPointer,
    _ places: UnsafePointer<Int32>, _ pixels: Pixels
  ) {
    let size = type.byteCount
    let (sourceStep, targetStep) = (pixels.sourceStep * size, pixels.targetStep * size)
    let length = inner / pixels.rows * size
    if pixels.rows == 1 {
      kernel?.pickPixels(
        from.assumingMemoryBound(to: UInt8.self), step: sourceStep, places, count: columns.count,
        length: length, to: to.assumingMemoryBound(to: UInt8.self), step: targetStep)
      return
    }
    for k in 0..<columns.count {
      for row in 0..<pixels.rows {
        (to + (k * pixels.rows + row) * targetStep).copyMemory(
          from: from + (Int(places[k]) * pixels.rows + row) * sourceStep, byteCount: length)
      }
    }
  }

  /// Copies the pixels of a row, of `length` bytes each.
  private func pickRow(
    _ from: UnsafeMutableRawPointer, _ to: UnsafeMutableRawPointer,
    _ places: UnsafePointer<Int32>, length: Int
  ) {
    switch length {
    case type.byteCount where length == 1: pickElements(from, to, places, UInt8.self)
    case type.byteCount where length == 2: pickElements(from, to, places, UInt16.self)
    case type.byteCount where length == 4: pickElements(from, to, places, UInt32.self)
    case type.byteCount where length == 8: pickElements(from, to, places, UInt64.self)
    default:
      kernel?.pickPixels(
        from.assumingMemoryBound(to: UInt8.self), step: length, places, count: columns.count,
        length: length, to: to.assumingMemoryBound(to: UInt8.self), step: length)
    }
  }

  @inline(__always)
  private func pickElements<T>(
    _ from: UnsafeMutableRawPointer, _ to: UnsafeMutableRawPointer,
    _ places: UnsafePointer<Int32>, _: T.Type
  ) {
    let source = from.assumingMemoryBound(to: T.self)
    let target = to.assumingMemoryBound(to: T.self)
    for k in 0..<columns.count { target[k] = source[Int(places[k])] }
  }

  /// Blends by kernels.
  private func blend(_ element: ResizeKernel.Element, _ context: borrowing ExecutionContext) {
    guard let kernel else { return }
    let size = type.byteCount
    let scratch =
      context.scratch.assumingMemoryBound(to: Float.self) + scratchStride * context.part
    let sourceRow = columns.sourceExtent * inner
    let targetRow = columns.count * inner
    for row in context.share(of: outer * rows.count) {
      let j = row % rows.count
      let to = context.pointer(output) + row * targetRow * size
      if rows.isOutside(j) {
        fill(to, 0..<targetRow)
        continue
      }
      let plane = row / rows.count * rows.sourceExtent * sourceRow
      rows.withTaps(j) { places, weights in
        kernel.blendRows(
          context.pointer(input) + plane * size, element, places, weights,
          taps: rows.tapCount, row: sourceRow, to: scratch)
      }
      columns.withTaps(0) { places, weights in
        kernel.blendPixels(
          scratch, places, weights, taps: columns.tapCount, count: columns.count, inner: inner,
          to: to, element)
      }
      guard columns.hasOutside else { continue }
      for k in 0..<columns.count where columns.isOutside(k) {
        fill(to, k * inner..<(k + 1) * inner)
      }
    }
  }

  /// Sets elements of an output row to the extrapolation value.
  private func fill(_ row: UnsafeMutableRawPointer, _ range: Range<Int>) {
    if type == .uint8 {
      (row + range.lowerBound).initializeMemory(
        as: UInt8.self, repeating: extrapolatedByte, count: range.count)
      return
    }
    let target = FloatElements(row, type)
    for i in range { target[i] = extrapolation }
  }

  /// Blends the source rows of one output row into scratch, then blends along the row.
  @inline(__always)
  private func blend<T>(
    _: T.Type, _ context: borrowing ExecutionContext, _ load: (T) -> Float, _ store: (Float) -> T
  ) {
    let source = context.pointer(input, as: T.self)
    let target = context.pointer(output, as: T.self)
    let scratch =
      context.scratch.assumingMemoryBound(to: Float.self) + scratchStride * context.part
    let sourceRow = columns.sourceExtent * inner
    let targetRow = columns.count * inner
    for row in context.share(of: outer * rows.count) {
      let j = row % rows.count
      let to = target + row * targetRow
      if rows.isOutside(j) {
        let value = store(extrapolation)
        for i in 0..<targetRow { to[i] = value }
        continue
      }
      let base = source + (row / rows.count) * rows.sourceExtent * sourceRow
      for tap in 0..<rows.tapCount {
        let weight = rows.weight(j, tap)
        let from = base + rows.place(j, tap) * sourceRow
        if tap == 0 {
          for i in 0..<sourceRow { scratch[i] = weight * load(from[i]) }
        } else if weight != 0 {
          for i in 0..<sourceRow { scratch[i] += weight * load(from[i]) }
        }
      }
      for k in 0..<columns.count {
        blendPixel(scratch, to + k * inner, k, store)
      }
    }
  }

  @inline(__always)
  private func blendPixel<T>(
    _ scratch: UnsafeMutablePointer<Float>, _ to: UnsafeMutablePointer<T>, _ k: Int,
    _ store: (Float) -> T
  ) {
    if columns.isOutside(k) {
      let value = store(extrapolation)
      for i in 0..<inner { to[i] = value }
      return
    }
    if columns.tapCount == 2 {
      let a = columns.weight(k, 0)
      let b = columns.weight(k, 1)
      let first = scratch + columns.place(k, 0) * inner
      let second = scratch + columns.place(k, 1) * inner
      for i in 0..<inner { to[i] = store(a * first[i] + b * second[i]) }
      return
    }
    for i in 0..<inner {
      var sum: Float = 0
      for tap in 0..<columns.tapCount {
        sum += columns.weight(k, tap) * scratch[columns.place(k, tap) * inner + i]
      }
      to[i] = store(sum)
    }
  }
}
