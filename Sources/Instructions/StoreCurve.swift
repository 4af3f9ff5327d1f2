internal import CKernels
import Kernels
import Tensors

/// A function as the curve store of `quantized.h` evaluates it: 64 parabolas over the integers t of
/// 16 bits, where t stands for `inputUnit` · t and the result f for `middle` + `resultUnit` · f.
///
/// Each parabola meets the function at three Chebyshev nodes of its piece. Pieces meet at 0, where
/// some functions have a kink. The function's values come from the element-wise kernels, whose bits
/// are the same on every ISA; all else is single operations in double precision.
struct StoreCurve {
  let inputUnit: Double
  let resultUnit: Double
  let middle: Double
  private(set) var value: [Int16] = []
  private(set) var slope: [Int16] = []
  private(set) var bends: [Int16] = []
  /// The largest difference from the function, in real numbers, including that of t's rounding.
  private(set) var error = 0.0

  private static let pieces = 64
  /// Integers from a piece's middle to its ends.
  private static let halfPiece = 512.0
  /// √3/2, the outer nodes.
  private static let node = 0.866025403784438647

  /// What a store needs of its function.
  struct Need {
    /// Values below and above saturate all elements of y.
    var low: Double
    var high: Double
    /// A difference that is too small to matter.
    var tolerance: Double
    /// What a unit of t must stand for at least.
    var leastUnit: Double
  }

  /// Returns nil where the function has no such curve.
  init?(_ activation: Activation, _ need: Need, by kernel: ElementwiseKernel) {
    guard
      StoreCurve.knows(activation),
      let reach = StoreCurve.reach(activation, need, by: kernel)
    else { return nil }
    var unit = max(reach / 32768, need.leastUnit)
    if let knot = StoreCurve.knot(activation) {
      // Another kink lies between two pieces, too.
      let pieces = (knot / (unit * 1024)).rounded(.down)
      if pieces >= 1 { unit = knot / (pieces * 1024) }
    }
    guard unit > 1e-30 && unit < 1e30 else { return nil }
    inputUnit = unit
    var nodes = StoreCurve.sample(
      activation, [-StoreCurve.node, 0, StoreCurve.node], unit: unit, by: kernel)
    // Pieces that saturate y are flat: so the integers serve the others.
    for first in stride(from: 0, to: nodes.count, by: 3) {
      let own = nodes[first..<first + 3]
      if own.allSatisfy({ $0 > need.high }) {
        for i in own.indices { nodes[i] = need.high }
      } else if own.allSatisfy({ $0 < need.low }) {
        for i in own.indices { nodes[i] = need.low }
      }
    }
    guard let least = nodes.min(), let most = nodes.max(), most - least < 1e30 else { return nil }
    middle = (most + least) / 2
    // Value, slope and bend stay within 16 bits together.
    var extent = 1e-30
    for piece in 0..<StoreCurve.pieces {
      let (before, at, after) = (nodes[3 * piece], nodes[3 * piece + 1], nodes[3 * piece + 2])
      let sum = abs(at - middle) + 0.6 * abs(after - before) + abs(after - 2 * at + before)
      extent = max(extent, sum)
    }
    resultUnit = extent / 32700
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
    error = measure(activation, need, by: kernel) + need.tolerance
  }

  /// The largest difference from the function where it matters, and what the rounding of t adds.
  private func measure(
    _ activation: Activation, _ need: Need, by kernel: ElementwiseKernel
  ) -> Double {
    // Where a parabola is farthest from the function.
    let checks: [Double] = [-1, -0.5, 0.5, 511.0 / 512]
    let exact = StoreCurve.sample(activation, checks, unit: inputUnit, by: kernel)
    var worst = 0.0
    var steepest = 0.0
    for piece in 0..<StoreCurve.pieces {
      let own = checks.count * piece
      for (index, offset) in checks.enumerated() {
        let r = Int32(offset * 32768)
        let line = Int32(slope[piece]) + (r * Int32(bends[piece]) + 16384) >> 15
        let f = Int32(value[piece]) + (r * line + 16384) >> 15
        let found = min(max(middle + resultUnit * Double(f), need.low), need.high)
        worst = max(worst, abs(found - min(max(exact[own + index], need.low), need.high)))
      }
      let (first, last) = (exact[own], exact[own + checks.count - 1])
      if min(first, last) <= need.high && max(first, last) >= need.low {
        steepest = max(steepest, abs(Double(slope[piece])) + 2 * abs(Double(bends[piece])))
      }
    }
    return worst + 0.5 * steepest * resultUnit / StoreCurve.halfPiece
  }

  /// The functions that are smooth but for kinks between pieces, and settle or rise on both sides.
  private static func knows(_ activation: Activation) -> Bool {
    switch activation.function {
    case .leakyRelu, .sigmoid, .swish, .tanh, .gelu, .geluTanh, .elu, .selu, .celu, .softplus,
      .softsign, .mish, .erf:
      true
    case .hardSigmoid, .hardSwish: activation.alpha > 0 && activation.beta == 0.5
    default: false
    }
  }

  /// Where the function has kinks besides 0, on both sides.
  private static func knot(_ activation: Activation) -> Double? {
    switch activation.function {
    case .hardSigmoid, .hardSwish: 0.5 / Double(activation.alpha)
    default: nil
    }
  }

  /// The function's values at `offsets` from the middle of every piece, in halves of a piece.
  private static func sample(
    _ activation: Activation, _ offsets: [Double], unit: Double, by kernel: ElementwiseKernel
  ) -> [Double] {
    var values: [Float] = []
    values.reserveCapacity(pieces * offsets.count)
    for piece in 0..<pieces {
      // The upper 6 bits of t: 0 … 31, −32 … −1.
      let middle = Double(piece < 32 ? piece : piece - 64) * 1024 + halfPiece
      for offset in offsets { values.append(Float((middle + halfPiece * offset) * unit)) }
    }
    return evaluate(activation, values, by: kernel)
  }

  private static func evaluate(
    _ activation: Activation, _ values: [Float], by kernel: ElementwiseKernel
  ) -> [Double] {
    var values = values
    values.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      activation.apply(to: base, count: buffer.count, by: kernel)
    }
    return values.map { Double($0) }
  }

  /// How far from 0 the function still changes y, on either side; nil where that is very far.
  private static func reach(
    _ activation: Activation, _ need: Need, by kernel: ElementwiseKernel
  ) -> Double? {
    let farthest = 4096 * max(1, abs(need.low), abs(need.high))
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
      let values = evaluate(activation, points, by: kernel)
      for index in values.indices {
        let value = min(max(values[index], need.low), need.high)
        if ends.count < 2 { ends.append(value) }
        let side = index % 2
        // A NaN is not settled.
        guard isSettled[side], !(abs(value - ends[side]) <= need.tolerance) else { continue }
        isSettled[side] = false
        // The point before, or more than the first one.
        reach = max(reach, abs(Double(points[index])) / shrinking)
      }
    }
    guard reach <= farthest else { return nil }
    reach = max(reach, x)
    return reach
  }
}

extension Int16 {
  /// Rounds to the nearest integer; nil beyond ±32767.
  init?(fraction x: Double) {
    let rounded = x.rounded(.toNearestOrEven)
    guard abs(rounded) <= 32767 else { return nil }
    self = Int16(rounded)
  }
}

/// The columns of a curve store, and its memory.
struct CurveColumns {
  let curve: StoreCurve
  /// Bits of the result behind the point.
  private(set) var fraction = 0
  private(set) var ratio: [Int16] = []
  private(set) var level: [Int16] = []
  private(set) var residualRatio: [Int16] = []

  /// What curve and integers may add to the error of y at most, in steps of the finest column; the
  /// sum of bounds that are hardly ever reached together.
  static let errorLimit = 0.2

  /// Returns nil where the store does not suit the function, or y.
  ///
  /// - Parameters:
  ///   - scales: what a unit of a column's sums stands for
  ///   - added: the quantisation of what is added behind the function
  init?(
    _ activation: Activation, scales: [Float], result: Quantization, added: Quantization?,
    isas: Set<ISA>
  ) {
    let all = ElementwiseKernel.all
    guard let kernel = ElementwiseKernel.best(of: all, isas: isas) ?? all.last else { return nil }
    var need = StoreCurve.Need(low: 0, high: 0, tolerance: 0, leastUnit: 0)
    var finest = Double.infinity
    for (n, scale) in scales.enumerated() {
      let step = Double(result.scale(n)), zero = Double(result.zeroPoint(n))
      var (low, high) = (-zero * step, (255 - zero) * step)
      if let added {
        let own = Double(added.scale(n)), addedZero = Double(added.zeroPoint(n))
        low -= (255 - addedZero) * own
        high += addedZero * own
      }
      need.low = min(need.low, low)
      need.high = max(need.high, high)
      need.leastUnit = max(need.leastUnit, Double(scale) / 0.99)
      finest = min(finest, step)
    }
    need.tolerance = 0.03 * finest
    guard !scales.isEmpty, let curve = StoreCurve(activation, need, by: kernel) else { return nil }
    self.curve = curve
    var fraction = 6
    while fraction >= 3 && !fill(fraction, count: scales.count, result, added) { fraction -= 1 }
    self.fraction = fraction
    let roundings = (added == nil ? 1.5 : 2.5) / Double(1 << fraction)
    guard fraction >= 3, curve.error / finest + roundings <= CurveColumns.errorLimit else {
      return nil
    }
  }

  /// Makes the entries of all columns; returns false where one does not fit.
  private mutating func fill(
    _ fraction: Int, count: Int, _ result: Quantization, _ added: Quantization?
  ) -> Bool {
    ratio.removeAll(keepingCapacity: true)
    level.removeAll(keepingCapacity: true)
    residualRatio.removeAll(keepingCapacity: true)
    let one = Double(1 << fraction)
    for n in 0..<count {
      let step = one / Double(result.scale(n))
      var own = Double(result.zeroPoint(n)) * one + curve.middle * step + one / 2
      if let added {
        guard let entry = Int16(fraction: Double(added.scale(n)) * step * 256) else { return false }
        own -= Double(added.zeroPoint(n)) * Double(entry) / 256
        residualRatio.append(entry)
      }
      guard
        let factor = Int16(fraction: curve.resultUnit * step * 32768),
        let rounded = Int16(fraction: own)
      else { return false }
      ratio.append(factor)
      level.append(rounded)
    }
    return true
  }
}
