internal import CKernels
import Kernels
import Tensors

/// A function as the curve or ramp store of `quantized.h` evaluates it: 64 parabolas.
///
/// A curve covers the function on both sides of 0; a ramp what is left of it, beside max(x, 0), by
/// |x|. An integer argument t stands for `inputUnit` · t, a result f for `middle` +
/// `resultUnit` · f.
///
/// Each parabola meets the function at three Chebyshev nodes of its piece. Pieces meet at 0, where
/// some functions have a kink. The function's values come from the element-wise kernels, whose bits
/// are the same on every ISA; all else is single operations in double precision.
struct StoreCurve {
  let form: Form
  let inputUnit: Double
  let resultUnit: Double
  let middle: Double
  private(set) var value: [Int16] = []
  private(set) var slope: [Int16] = []
  private(set) var bends: [Int16] = []
  /// The largest difference from the function, in real numbers, including what the rounding of the
  /// argument adds; the tolerance for what lies beyond the pieces comes on top.
  private(set) var error = 0.0

  enum Form {
    case curve
    case ramp

    /// Integers of a piece.
    var pieceLength: Double { self == .curve ? 1024 : 512 }
    /// How far the integer that is looked up may be from the true one; a ramp's is rounded down,
    /// which a centred one knows. (What a ramp's factor lacks in bits matters far from 0 only,
    /// where little is left of the function.)
    func rounding(isCentred: Bool) -> Double { self == .curve ? 0.5 : isCentred ? 0.55 : 1.25 }

    /// Says whether the function is smooth but for kinks between pieces, and has this form: it
    /// settles or rises on both sides; or differs from max(x, 0) by what depends on |x| only.
    func suits(_ activation: Activation) -> Bool {
      switch activation.function {
      case .swish: self == .curve || activation.alpha > 0
      case .gelu, .geluTanh, .softplus: true
      case .hardSwish: activation.alpha > 0 && activation.beta == 0.5
      case .hardSigmoid: self == .curve && activation.alpha > 0 && activation.beta == 0.5
      case .leakyRelu, .sigmoid, .tanh, .elu, .selu, .celu, .softsign, .mish, .erf: self == .curve
      default: false
      }
    }
  }

  static let pieces = 64
  /// √3/2, the outer nodes.
  private static let node = 0.866025403784438647

  /// What a store needs of its function.
  struct Need {
    /// Values below and above saturate all elements of y.
    var low: Double
    var high: Double
    /// A difference that is too small to matter.
    var tolerance: Double
    /// What a unit of the argument must stand for at least.
    var leastUnit: Double
  }

  /// Returns nil where the function has no such curve.
  ///
  /// - Parameter variant: nil: the plain form. A ramp is centred then: the integer n stands for the
  ///   middle of what is rounded down to it; and units of results are larger by this many 256ths. A
  ///   curve ends earlier by three times as many hundredths; what that leaves out is in `error`.
  init?(
    _ form: Form, _ activation: Activation, _ need: Need, by kernel: ElementwiseKernel,
    variant: Int? = nil
  ) {
    self.form = form
    let isCentred = variant != nil && form == .ramp
    let source = Source(
      form: form, activation: activation, kernel: kernel, shift: isCentred ? 0.5 : 0)
    guard form.suits(activation), let unit = StoreCurve.unit(source, need, variant),
      unit > 1e-30 && unit < 1e30
    else { return nil }
    inputUnit = unit
    var nodes = source.sample([-StoreCurve.node, 0, StoreCurve.node], unit: unit)
    if form == .curve { nodes = StoreCurve.flattened(nodes, need) }
    guard let least = nodes.min(), let most = nodes.max(), most - least < 1e30 else { return nil }
    middle = (most + least) / 2
    // Value, slope and bend stay within 16 bits together.
    var extent = 1e-30
    for piece in 0..<StoreCurve.pieces {
      let (before, at, after) = (nodes[3 * piece], nodes[3 * piece + 1], nodes[3 * piece + 2])
      let sum = abs(at - middle) + 0.6 * abs(after - before) + abs(after - 2 * at + before)
      extent = max(extent, sum)
    }
    resultUnit = extent / 32700 * (1 + (isCentred ? Double(variant ?? 0) / 256 : 0))
    for piece in 0..<StoreCurve.pieces {
      let (before, at, after) = (nodes[3 * piece], nodes[3 * piece + 1], nodes[3 * piece + 2])
      let bend = (after - 2 * at + before) / (2 * StoreCurve.node * StoreCurve.node)
      guard
        let first = Int16(fraction: (at - middle) / resultUnit),
        let second = Int16(fraction: (after - before) / (2 * StoreCurve.node) / resultUnit),
        let third = Int16(fraction: bend / resultUnit),
        abs(Int(first)) + abs(Int(second)) + abs(Int(third)) < 32768
      else { return nil }
      value.append(first)
      slope.append(second)
      bends.append(third)
    }
    error = measure(source, need, isCentred: isCentred)
    if variant != nil && form == .curve {
      error = max(error, source.change(beyond: 32768 * inputUnit, need))
    }
  }

  /// The input unit that lets the pieces reach all that matters: a float32's value.
  private static func unit(_ source: Source, _ need: Need, _ variant: Int?) -> Double? {
    guard let reach = source.reach(need) else { return nil }
    var unit = reach / 32768
    if source.form == .curve {
      unit = max(unit * (1 - 0.03 * Double(variant ?? 0)), need.leastUnit)
    }
    if let knot = source.knot {
      // Another kink lies between two pieces, too.
      let pieces = (knot / (unit * source.form.pieceLength)).rounded(.down)
      if pieces >= 1 { unit = knot / (pieces * source.form.pieceLength) }
    }
    let rounded = Float(unit)
    return Double(Double(rounded) < unit ? rounded.nextUp : rounded)
  }

  /// The result for an integer argument's upper 6 bits and the rest, as the stores compute it.
  private func result(_ piece: Int, _ r: Int32) -> Double {
    let line = Int32(slope[piece]) + (r * Int32(bends[piece]) + 16384) >> 15
    let f = Int32(value[piece]) + (r * line + 16384) >> 15
    return middle + resultUnit * Double(f)
  }

  /// What a ramp adds where |x| is `u` of its units, 0 … 2^15 − 1.
  func added(at u: Int) -> Double {
    result(u >> 9, Int32(u & 511) * 128 - 32768)
  }

  /// Pieces that saturate y are flat: so the integers serve the others.
  private static func flattened(_ nodes: [Double], _ need: Need) -> [Double] {
    var nodes = nodes
    for first in stride(from: 0, to: nodes.count, by: 3) {
      let own = nodes[first..<first + 3]
      // The ends lie outside the outer nodes.
      let margin = 0.12 * abs(own[first + 2] - own[first])
      if own.allSatisfy({ $0 - margin > need.high }) {
        for i in own.indices { nodes[i] = need.high }
      } else if own.allSatisfy({ $0 + margin < need.low }) {
        for i in own.indices { nodes[i] = need.low }
      }
    }
    return nodes
  }

  /// The largest difference from the function where it matters, and what the rounding of the
  /// argument adds.
  private func measure(_ source: Source, _ need: Need, isCentred: Bool) -> Double {
    // Where a parabola is farthest from the function.
    let checks: [Double] = [-1, -0.5, 0.5, 511.0 / 512]
    let exact = source.sample(checks, unit: inputUnit)
    let (low, high) =
      form == .curve ? (need.low, need.high) : (-Double.infinity, Double.infinity)
    var worst = 0.0
    var steepest = 0.0
    for piece in 0..<StoreCurve.pieces {
      let own = checks.count * piece
      for (index, offset) in checks.enumerated() {
        let found = min(max(result(piece, Int32(offset * 32768)), low), high)
        worst = max(worst, abs(found - min(max(exact[own + index], low), high)))
      }
      let (first, last) = (exact[own], exact[own + checks.count - 1])
      if min(first, last) <= high && max(first, last) >= low {
        steepest = max(steepest, abs(Double(slope[piece])) + 2 * abs(Double(bends[piece])))
      }
    }
    let rounding = form.rounding(isCentred: isCentred)
    return worst + rounding * steepest * resultUnit / (form.pieceLength / 2)
  }

  /// What the parabolas are to follow.
  private struct Source {
    let form: Form
    let activation: Activation
    let kernel: ElementwiseKernel
    /// What an integer stands for besides itself.
    let shift: Double

    /// Where the function has kinks besides 0, on both sides.
    var knot: Double? {
      switch activation.function {
      case .hardSigmoid, .hardSwish: 0.5 / Double(activation.alpha)
      default: nil
      }
    }

    /// The values at `offsets` from the middle of every piece, in halves of a piece.
    func sample(_ offsets: [Double], unit: Double) -> [Double] {
      var points: [Float] = []
      points.reserveCapacity(pieces * offsets.count)
      let half = form.pieceLength / 2
      for piece in 0..<pieces {
        // A curve's pieces are 0 … 31, −32 … −1.
        let place = form == .curve && piece >= 32 ? piece - 64 : piece
        let middle = (2 * Double(place) + 1) * half + shift
        for offset in offsets { points.append(Float((middle + half * offset) * unit)) }
      }
      return evaluate(points)
    }

    private func evaluate(_ points: [Float]) -> [Double] {
      var values = points
      values.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        activation.apply(to: base, count: buffer.count, by: kernel)
      }
      if form == .curve { return values.map { Double($0) } }
      return values.indices.map { Double(values[$0]) - Double(max(points[$0], 0)) }
    }

    /// By how much y still changes farther from 0 than `end`, on either side.
    func change(beyond end: Double, _ need: Need) -> Double {
      var largest = 0.0
      for side in [-end, end] {
        let values = evaluate((0...16).map { Float(side * (1 + Double($0) / 16)) })
          .map { min(max($0, need.low), need.high) }
        for value in values { largest = max(largest, abs(value - values[0])) }
      }
      return largest
    }

    /// How far from 0 the values still change y, on either side; nil where that is very far.
    func reach(_ need: Need) -> Double? {
      let isCurve = form == .curve
      let (low, high) = isCurve ? (need.low, need.high) : (-Double.infinity, Double.infinity)
      let farthest = 4096 * (isCurve ? max(1, abs(low), abs(high)) : 1)
      guard farthest < 1e12 else { return nil }
      // 2^(−1/8)
      let shrinking = 0.917004043204671232
      let batch = 16
      var reach = 0.0
      var x = farthest
      var ends: [Double] = []
      // Inwards from far outside, on both sides at once, until the function changes y.
      var isSettled = [true, true]
      for _ in 0..<12 where isSettled[0] || isSettled[1] {
        var points: [Float] = []
        points.reserveCapacity(2 * batch)
        for _ in 0..<batch {
          points.append(Float(x))
          points.append(Float(-x))
          x *= shrinking
        }
        let values = evaluate(points)
        for index in values.indices {
          let value = min(max(values[index], low), high)
          if ends.count < 2 { ends.append(isCurve ? value : 0) }
          let side = index % 2
          // A NaN is not settled.
          guard isSettled[side], !(abs(value - ends[side]) <= need.tolerance) else { continue }
          isSettled[side] = false
          // The point before, or more than the first one.
          reach = max(reach, abs(Double(points[index])) / shrinking)
        }
      }
      guard reach <= farthest else { return nil }
      return max(reach, x)
    }
  }
}

extension Int16 {
  /// Rounds to the nearest integer, ties to even; nil beyond ±32767.
  init?(fraction x: Double) {
    guard abs(x) < 32767.5 else { return nil }
    // Behind this number nothing remains of a fraction; a call would take longer.
    let large = 0x1.8p52
    self = Int16(x + large - large)
  }
}
