import Tensors

/// The vocabulary of resizing, with the meaning that ONNX's Resize gives it.
package enum Interpolation {
  package enum Filter: UInt8, Sendable {
    case nearest = 0
    case linear = 1
    case cubic = 2
  }

  /// How a position of the output becomes a coordinate of the input.
  package enum Coordinates: UInt8, Sendable {
    /// (x + 0.5) / scale - 0.5
    case halfPixel = 0
    /// As half pixel, about the centre of what `scale` × extent would be before rounding.
    case halfPixelSymmetric = 1
    /// As half pixel; 0 where the output has one position.
    case pytorchHalfPixel = 2
    /// First and last positions meet.
    case alignCorners = 3
    /// x / scale
    case asymmetric = 4
    /// (x + 0.5) / scale
    case tensorflowHalfPixel = 5
    /// The region from `start` to `end`, in parts of the input; coordinates outside extrapolate.
    case cropAndResize = 6
  }

  /// How the nearest filter rounds a coordinate.
  package enum Rounding: UInt8, Sendable {
    case preferFloor = 0
    case preferCeil = 1
    case floor = 2
    case ceil = 3
  }

  /// All that decides one axis.
  package struct Rule {
    package var filter: Filter
    package var coordinates: Coordinates
    package var rounding: Rounding
    package var antialias: Bool
    package var excludesOutside: Bool
    package var cubicCoefficient: Float
    package var scale: Float
    package var start: Float
    package var end: Float
    package var source: Int
    package var target: Int

    /// The coordinate in the input of output position `index`.
    func coordinate(_ index: Int) -> Float {
      let x = Float(index)
      let extent = Float(source)
      switch coordinates {
      case .halfPixel: return (x + 0.5) / scale - 0.5
      case .halfPixelSymmetric:
        let adjustment = Float(target) / (scale * extent)
        let offset = extent / 2 * (1 - adjustment)
        return offset + (x + 0.5) / scale - 0.5
      case .pytorchHalfPixel: return target > 1 ? (x + 0.5) / scale - 0.5 : 0
      case .alignCorners:
        // The standard divides by the length before it is rounded down.
        let length = abs(scale * extent - Float(target)) < 0.001 ? Float(target) : scale * extent
        return target > 1 ? x * (extent - 1) / (length - 1) : 0
      case .asymmetric: return x / scale
      case .tensorflowHalfPixel: return (x + 0.5) / scale
      case .cropAndResize:
        guard target > 1 else { return 0.5 * (start + end) * (extent - 1) }
        return start * (extent - 1) + x * (end - start) * (extent - 1) / Float(target - 1)
      }
    }

    func rounded(_ x: Float) -> Float {
      switch rounding {
      case .preferFloor: (x - 0.5).rounded(.up)
      case .preferCeil: (x + 0.5).rounded(.down)
      case .floor: x.rounded(.down)
      case .ceil: x.rounded(.up)
      }
    }
  }
}

/// Which source positions make up each position of a resized axis, and with which weights.
struct AxisTaps: Sendable {
  var count = 1
  var sourceExtent = 1
  var tapCount = 1
  /// `count` × `tapCount`
  private var places: [Int32] = [0]
  private var weights: [Float] = [1]
  /// Output positions whose coordinate lies outside; empty where there are none.
  private var outside: [Bool] = []

  /// An axis of extent 1 that stays so.
  static let same = AxisTaps()

  private init() {}

  /// Nil where the rule makes no sense: a scale that is not positive and finite, or a filter with
  /// thousands of taps.
  init?(_ rule: Interpolation.Rule) {
    guard rule.scale > 0, rule.scale.isFinite, rule.start.isFinite, rule.end.isFinite,
      rule.source > 0, rule.source < 1 << 30, rule.target < 1 << 30, rule.cubicCoefficient.isFinite
    else { return nil }
    count = rule.target
    sourceExtent = rule.source
    // Antialiasing widens the filter when the axis shrinks.
    let stretch = rule.antialias ? min(rule.scale, 1) : 1
    let radius: Float = rule.filter == .cubic ? 2 : 1
    guard radius / stretch < 8192 else { return nil }
    let first = rule.filter == .nearest ? 0 : Int((-radius / stretch).rounded(.down)) + 1
    tapCount = rule.filter == .nearest ? 1 : 2 - 2 * first
    guard count.multipliedReportingOverflow(by: tapCount).partialValue < 1 << 32 else { return nil }
    places = []
    weights = []
    places.reserveCapacity(count * tapCount)
    weights.reserveCapacity(count * tapCount)
    let last = Float(sourceExtent - 1)
    for index in 0..<count {
      var x = rule.coordinate(index)
      if !x.isFinite { x = 0 }
      if rule.coordinates == .cropAndResize {
        outside.append(x < 0 || x > last)
      }
      if rule.filter == .nearest {
        places.append(Int32(min(max(rule.rounded(x), 0), last)))
        weights.append(1)
        continue
      }
      if rule.filter == .linear && !rule.antialias { x = min(max(x, 0), last) }
      append(rule, x, first: first, stretch: stretch)
    }
    if !outside.contains(true) { outside = [] }
  }

  private mutating func append(
    _ rule: Interpolation.Rule, _ x: Float, first: Int, stretch: Float
  ) {
    let limit = Float(1 << 30)
    let base = Int(min(max(x.rounded(.down), -limit), limit))
    let start = weights.count
    var sum: Float = 0
    for tap in 0..<tapCount {
      let place = base + first + tap
      let distance = abs((Float(first + tap) - (x - Float(base))) * stretch)
      var weight = rule.filter == .linear ? max(0, 1 - distance) : rule.cubic(distance)
      let isInside = place >= 0 && place < sourceExtent
      if rule.excludesOutside && !isInside { weight = 0 }
      places.append(Int32(min(max(place, 0), sourceExtent - 1)))
      weights.append(weight)
      sum += weight
    }
    let normalises = rule.excludesOutside || rule.antialias
    if normalises && sum != 0 {
      for index in start..<weights.count { weights[index] /= sum }
    }
  }

  @inline(__always)
  func place(_ index: Int) -> Int { Int(places[index]) }
  @inline(__always)
  func place(_ index: Int, _ tap: Int) -> Int { Int(places[index * tapCount + tap]) }
  @inline(__always)
  func weight(_ index: Int, _ tap: Int) -> Float { weights[index * tapCount + tap] }
  var hasOutside: Bool { !outside.isEmpty }
  /// The places and weights from position `index` on, `tapCount` each.
  @inline(__always)
  func withTaps(
    _ index: Int, _ body: (UnsafePointer<Int32>, UnsafePointer<Float>) -> Void
  ) {
    places.withUnsafeBufferPointer { places in
      weights.withUnsafeBufferPointer { weights in
        guard let place = places.baseAddress, let weight = weights.baseAddress else { return }
        body(place + index * tapCount, weight + index * tapCount)
      }
    }
  }

  @inline(__always)
  func isOutside(_ index: Int) -> Bool { !outside.isEmpty && outside[index] }
}

extension Interpolation.Rule {
  /// Keys' cubic convolution kernel at this distance, with the coefficient `a`.
  func cubic(_ distance: Float) -> Float {
    let a = cubicCoefficient
    if distance <= 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
    if distance < 2 { return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a }
    return 0
  }
}
