import Tensors

/// A two-dimensional convolution whose taps are moved by data: every tap of every output position
/// has an offset of its own, reads x between its pixels (bilinear, zero outside), and may be
/// weighted by a mask.
///
/// x: [N, C, H, W]; weights: [M, C / groups, kh, kw]; offset: [N, O · kh · kw · 2, Ho, Wo] (for
/// each of O offset groups and each tap down, then right); mask: [N, O · kh · kw, Ho, Wo], bias:
/// [M], or absent; y: [N, M, Ho, Wo]. All float32, dense.
package struct DeformedConvolution: Instruction {
  package static let opcode = "deformed_convolution"

  package var x = Operand.none
  package var weights = Operand.none
  package var offset = Operand.none
  package var mask = Operand.none
  package var bias = Operand.none
  package var y = Operand.none
  /// Height, width.
  package var strides = [1, 1]
  /// Top, left.
  package var pads = [0, 0]
  package var dilations = [1, 1]
  package var groups = 1
  package var offsetGroups = 1

  private var batch = 0
  private var channels = 0
  private var height = 0
  private var width = 0
  private var columns = 0
  private var kernelHeight = 0
  private var kernelWidth = 0
  private var outputHeight = 0
  private var outputWidth = 0
  private var taps: Int { kernelHeight * kernelWidth }
  /// The floats that one part gathers for a position.
  private var gatherStride = 0

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &x)
    visitor.input("weights", &weights)
    visitor.input("offset", &offset)
    visitor.input("mask", &mask)
    visitor.input("bias", &bias)
    visitor.output("y", &y)
    visitor.field("strides", &strides)
    visitor.field("pads", &pads)
    visitor.field("dilations", &dilations)
    visitor.field("groups", &groups)
    visitor.field("offset_groups", &offsetGroups)
  }

  package var operationCount: Int {
    2 * batch * outputHeight * outputWidth * taps * channels * (columns / max(groups, 1) + 4)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let source = preparation[x].shape
    let filter = preparation[weights].shape
    let target = preparation[y].shape
    try preparation.require(
      source.rank == 4 && filter.rank == 4 && target.rank == 4, self,
      "x \(source), weights \(filter) and y \(target) must have four axes")
    try preparation.checkFields(
      self, kernel: Array(filter.dimensions[2...]), strides: strides, pads: pads + [0, 0],
      dilations: dilations)
    for shape in [source, filter, target] { try preparation.checkSize(self, shape.dimensions) }
    batch = source[0]
    (channels, height, width) = (source[1], source[2], source[3])
    (columns, outputHeight, outputWidth) = (target[1], target[2], target[3])
    (kernelHeight, kernelWidth) = (filter[2], filter[3])
    try preparation.require(
      groups > 0 && offsetGroups > 0 && channels % groups == 0 && columns % groups == 0
        && channels % offsetGroups == 0 && filter[0] == columns && filter[1] == channels / groups,
      self,
      "weights \(filter) in \(groups) groups and \(offsetGroups) groups of offsets do not fit x "
        + "\(source) and y \(target)")
    try preparation.checkSize(self, [offsetGroups, taps, 2, outputHeight, outputWidth, batch])
    try check(x, source.dimensions, preparation)
    try check(weights, filter.dimensions, preparation)
    try check(y, [batch, columns, outputHeight, outputWidth], preparation)
    try check(
      offset, [batch, offsetGroups * taps * 2, outputHeight, outputWidth], preparation)
    if mask.isPresent {
      try check(mask, [batch, offsetGroups * taps, outputHeight, outputWidth], preparation)
    }
    if bias.isPresent { try check(bias, [columns], preparation) }
    try preparation.checkSize(self, [channels, taps, preparation.parts, 64])
    gatherStride = (channels * taps + 15) / 16 * 16
    preparation.requestScratch(gatherStride * 4 * preparation.parts)
  }

  private func check(
    _ operand: Operand, _ extents: [Int], _ preparation: Preparation
  ) throws(InstructionError) {
    let spec = preparation[operand]
    try preparation.require(
      spec.type == .float32 && spec.shape.dimensions == extents && spec.isDense, self,
      "\"\(spec.name)\" is \(spec.type) \(spec.shape), but must be float32 \(Shape(extents))")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let area = outputHeight * outputWidth
    guard area > 0 else { return }
    let gathered =
      context.scratch.assumingMemoryBound(to: Float.self) + gatherStride * context.part
    for position in context.share(of: batch * area) {
      let (image, place) = position.quotientAndRemainder(dividingBy: area)
      gather(image, place, gathered, context)
      store(image, place, gathered, context)
    }
  }

  /// Fills [C, kh · kw] with what the taps of one output position read.
  private func gather(
    _ image: Int, _ place: Int, _ target: UnsafeMutablePointer<Float>,
    _ context: borrowing ExecutionContext
  ) {
    let area = outputHeight * outputWidth
    let source = context.pointer(x, as: Float.self) + image * channels * height * width
    let moves =
      context.pointer(offset, as: Float.self) + image * offsetGroups * taps * 2 * area + place
    let factors =
      mask.isPresent
      ? context.pointer(mask, as: Float.self) + image * offsetGroups * taps * area + place : nil
    let (oy, ox) = place.quotientAndRemainder(dividingBy: outputWidth)
    let depth = channels / offsetGroups
    for group in 0..<offsetGroups {
      for tap in 0..<taps {
        let index = group * taps + tap
        let (ky, kx) = tap.quotientAndRemainder(dividingBy: kernelWidth)
        let top = Float(oy * strides[0] - pads[0] + ky * dilations[0]) + moves[2 * index * area]
        let left =
          Float(ox * strides[1] - pads[1] + kx * dilations[1]) + moves[(2 * index + 1) * area]
        let corners = Corners(top, left, height, width, factor: factors.map { $0[index * area] })
        for channel in group * depth..<(group + 1) * depth {
          target[channel * taps + tap] = corners.read(source + channel * height * width)
        }
      }
    }
  }

  /// The four pixels around a point and their weights; those outside have the weight 0.
  private struct Corners {
    var places = SIMD4<Int>.zero
    var weights = SIMD4<Float>.zero

    init(_ y: Float, _ x: Float, _ height: Int, _ width: Int, factor: Float?) {
      // Far outside nothing is read; that also keeps the conversion to integers in range.
      guard y > -1, x > -1, y < Float(height), x < Float(width) else { return }
      let (top, left) = (y.rounded(.down), x.rounded(.down))
      let (down, right) = (y - top, x - left)
      for corner in 0..<4 {
        let row = Int(top) + corner / 2
        let column = Int(left) + corner % 2
        guard row >= 0, row < height, column >= 0, column < width else { continue }
        places[corner] = row * width + column
        weights[corner] =
          (corner / 2 == 0 ? 1 - down : down) * (corner % 2 == 0 ? 1 - right : right)
          * (factor ?? 1)
      }
    }

    func read(_ picture: UnsafePointer<Float>) -> Float {
      var sum: Float = 0
      for corner in 0..<4 where weights[corner] != 0 {
        sum += weights[corner] * picture[places[corner]]
      }
      return sum
    }
  }

  /// Multiplies what was gathered by the weights of every output channel.
  private func store(
    _ image: Int, _ place: Int, _ gathered: UnsafePointer<Float>,
    _ context: borrowing ExecutionContext
  ) {
    let filter = context.pointer(weights, as: Float.self)
    let offsets = bias.isPresent ? context.pointer(bias, as: Float.self) : nil
    let target = context.pointer(y, as: Float.self)
    let length = channels / groups * taps
    for column in 0..<columns {
      let line = filter + column * length
      let values = gathered + column / (columns / groups) * length
      var sum: Float = 0
      for i in 0..<length { sum += line[i] * values[i] }
      target[(image * columns + column) * outputHeight * outputWidth + place] =
        sum + (offsets?[column] ?? 0)
    }
  }
}
