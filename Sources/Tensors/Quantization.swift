/// How 8-bit elements stand for real numbers: real = scale · (element − zero point).
///
/// One scale and zero point for the whole tensor, or one of each per position of `axis`.
public struct Quantization: Sendable, Hashable {
  /// Positive and finite; one, or as many as the tensor is long along `axis`.
  public var scales: [Float]
  /// As many as scales, within the element type's range.
  public var zeroPoints: [Int32]
  /// The axis whose positions have scales of their own, counted as the source declares the
  /// tensor's axes; without meaning where there is one scale.
  public var axis: Int

  public init(scale: Float, zeroPoint: Int32) {
    scales = [scale]
    zeroPoints = [zeroPoint]
    axis = 0
  }

  public init(scales: [Float], zeroPoints: [Int32], axis: Int) {
    precondition(scales.count == zeroPoints.count, "as many zero points as scales")
    self.scales = scales
    self.zeroPoints = zeroPoints
    self.axis = axis
  }

  /// The quantisation of uint8 elements whose real numbers are to cover `low...high`, widened to
  /// contain 0, which is represented exactly.
  ///
  /// - Parameter symmetric: zero point 128, and the range widened to be symmetric.
  public init(low: Float, high: Float, symmetric: Bool = false) {
    let (low, high) = (min(low, 0), max(high, 0))
    if symmetric {
      // −127 … 127 around 128.
      let scale = max(-low, high) / 127
      self.init(scale: scale > Quantization.smallestScale ? scale : 1, zeroPoint: 128)
      return
    }
    let scale = high / 255 - low / 255
    guard scale > Quantization.smallestScale else {
      self.init(scale: 1, zeroPoint: 0)
      return
    }
    let zero = (-low / scale).rounded(.toNearestOrEven)
    self.init(scale: scale, zeroPoint: Int32(min(max(zero, 0), 255)))
  }

  /// Scales below it would make multipliers subnormal or infinite.
  private static let smallestScale: Float = 1e-30

  public var isPerChannel: Bool { scales.count > 1 }

  @inline(__always)
  public func scale(_ channel: Int) -> Float { scales[scales.count == 1 ? 0 : channel] }

  @inline(__always)
  public func zeroPoint(_ channel: Int) -> Int32 {
    zeroPoints[zeroPoints.count == 1 ? 0 : channel]
  }

  /// The scale of each of `count` channels.
  package func scales(_ count: Int) -> [Float] {
    scales.count == 1 ? [Float](repeating: scales[0], count: count) : scales
  }

  /// The zero point of each of `count` channels.
  package func zeroPoints(_ count: Int) -> [Int32] {
    zeroPoints.count == 1 ? [Int32](repeating: zeroPoints[0], count: count) : zeroPoints
  }

  /// The scale that stands for all channels where their own are folded into weights.
  package var foldedScale: Float { scales.max() ?? 1 }

  /// Says whether it can belong to a tensor of this type and shape (extents as declared).
  package func fits(_ type: ElementType, count: Int) -> Bool {
    let range: ClosedRange<Int32>
    switch type {
    case .uint8: range = 0...255
    case .int8: range = -128...127
    default: return false
    }
    guard scales.count == 1 || scales.count == count, scales.count == zeroPoints.count else {
      return false
    }
    // Sums without exits and signed numbers, which become vectors: files have many scales, and this
    // is asked often.
    var wrong: Int32 = 0
    scales.withUnsafeBufferPointer { scales in
      // Positive and finite are the bit patterns from 1 on below that of infinity.
      let limit = Int32(bitPattern: Float.infinity.bitPattern)
      for scale in scales {
        let bits = Int32(bitPattern: scale.bitPattern)
        wrong |= (bits < 1 ? 1 : 0) | (bits >= limit ? 1 : 0)
      }
    }
    zeroPoints.withUnsafeBufferPointer { zeroPoints in
      let (least, most) = (range.lowerBound, range.upperBound)
      for zero in zeroPoints { wrong |= (zero < least ? 1 : 0) | (zero > most ? 1 : 0) }
    }
    return wrong == 0
  }
}

extension Quantization: CustomStringConvertible {
  public var description: String {
    guard scales.count == 1, zeroPoints.count == 1 else {
      return "\(scales.count) scales \(scales.min() ?? 0)…\(scales.max() ?? 0) along axis \(axis)"
    }
    return "scale \(scales[0]), zero point \(zeroPoints[0])"
  }
}

extension TensorBuffer {
  /// The real numbers that 8-bit elements stand for; nil for other types, or where the scales do
  /// not fit.
  ///
  /// - Parameter layout: how the elements lie; the quantisation's axis counts declared axes.
  public func dequantized(
    _ quantization: Quantization, layout: Layout = .declared
  ) -> TensorBuffer? {
    guard type == .uint8 || type == .int8, let elements = integers() else { return nil }
    var inner = elements.count
    var count = 1
    if quantization.isPerChannel {
      guard quantization.axis < shape.rank else { return nil }
      let position = layout.position(ofAxis: quantization.axis, rank: shape.rank)
      count = shape[position]
      guard count == quantization.scales.count else { return nil }
      inner = shape.dimensions[(position + 1)...].reduce(1, *)
    }
    let reals = elements.indices.map { index in
      let channel = index / max(inner, 1) % count
      return Float(elements[index] - Int(quantization.zeroPoint(channel)))
        * quantization.scale(channel)
    }
    return TensorBuffer(shape, reals)
  }
}
