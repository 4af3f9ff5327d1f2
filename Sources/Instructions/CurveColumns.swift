import Kernels
import Tensors

/// The columns of a curve or ramp store (`quantized.h`), and the function that they share.
struct CurveColumns {
  let curve: StoreCurve
  /// Bits of the result behind the point.
  private(set) var fraction = 0
  private(set) var multiplier: [Float] = []
  private(set) var ratio: [Int16] = []
  private(set) var level: [Int16] = []
  /// Empty without a residual.
  private(set) var residualRatio: [Int16] = []
  /// Of a ramp.
  private(set) var reach: [UInt16] = []
  private(set) var lift: [UInt16] = []
  private(set) var near: [UInt16] = []
  /// A bound on the error of y beyond its rounding, in steps of the finest column: the sum of
  /// bounds that are hardly ever reached together.
  private(set) var error = 0.0

  static let errorLimit = 0.3

  /// A sum of 2^31 must still fit 32 bits when it is multiplied.
  private static let multiplierLimit = 0.99

  /// The better of both forms; nil where neither suits the function and y.
  ///
  /// - Parameters:
  ///   - scales: what a unit of a column's sums stands for
  ///   - added: the quantisation of what is added behind the function
  static func best(
    _ activation: Activation, scales: [Float], result: Quantization, added: Quantization?,
    isas: Set<ISA>
  ) -> CurveColumns? {
    let curve = CurveColumns(
      .curve, activation, scales: scales, result: result, added: added, isas: isas)
    // A ramp takes a few operations more.
    if let curve, curve.error < errorLimit / 2 { return curve }
    let ramp = CurveColumns(
      .ramp, activation, scales: scales, result: result, added: added, isas: isas)
    let found = [curve, ramp].compactMap { $0 }.min { $0.error < $1.error }
    guard let found, found.error <= errorLimit else { return nil }
    return found
  }

  private init?(
    _ form: StoreCurve.Form, _ activation: Activation, scales: [Float], result: Quantization,
    added: Quantization?, isas: Set<ISA>
  ) {
    let all = ElementwiseKernel.all
    guard
      form.suits(activation), !scales.isEmpty,
      let kernel = ElementwiseKernel.best(of: all, isas: isas) ?? all.last
    else { return nil }
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
      need.leastUnit = max(need.leastUnit, Double(scale) / CurveColumns.multiplierLimit)
      finest = min(finest, step)
    }
    need.tolerance = 0.03 * finest
    guard let curve = StoreCurve(form, activation, need, by: kernel) else { return nil }
    self.curve = curve
    fraction = 6
    while fraction >= 3 && !fill(fraction, scales, result, added) { fraction -= 1 }
    guard fraction >= 3 else { return nil }
    // Of the ratio, its product and the level; of t, and of the residual.
    let roundings = 1.5 + (form == .ramp ? 0.55 : 0) + (added == nil ? 0 : 1)
    error = curve.error / finest + roundings / Double(1 << fraction)
  }

  /// Makes the entries of all columns; returns false where one does not fit.
  private mutating func fill(
    _ fraction: Int, _ scales: [Float], _ result: Quantization, _ added: Quantization?
  ) -> Bool {
    ratio.removeAll(keepingCapacity: true)
    level.removeAll(keepingCapacity: true)
    residualRatio.removeAll(keepingCapacity: true)
    multiplier.removeAll(keepingCapacity: true)
    reach.removeAll(keepingCapacity: true)
    lift.removeAll(keepingCapacity: true)
    near.removeAll(keepingCapacity: true)
    let one = Double(1 << fraction)
    for (n, scale) in scales.enumerated() {
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
      if curve.form == .curve {
        multiplier.append(Float(Double(scale) / curve.inputUnit))
        continue
      }
      guard Double(scale) * step <= CurveColumns.multiplierLimit, appendRamp(step) else {
        return false
      }
      multiplier.append(Float(Double(scale) * step))
    }
    return true
  }

  /// Says how |t|, of which `step` stand for 1, becomes a multiple of the curve's unit, which is at
  /// most 2^15 − 1.
  private mutating func appendRamp(_ step: Double) -> Bool {
    var factor = 1 / (step * curve.inputUnit)
    var shift = 0
    while factor >= 1 && shift < 15 {
      factor /= 2
      shift += 1
    }
    let rounded = (factor * 65536).rounded(.toNearestOrEven)
    guard rounded >= 1 && rounded < 65536 else {
      // Just below 1: the next power of two.
      guard rounded == 65536 && shift < 15 else { return false }
      return append(near: 32768, shift: shift + 1)
    }
    return append(near: Int(rounded), shift: shift)
  }

  private mutating func append(near own: Int, shift: Int) -> Bool {
    let largest = min((1 << 31 - 1) / own, 65535) >> shift
    // What saturates t must lie beyond the curve.
    guard largest <= 32767 else { return false }
    reach.append(UInt16(largest))
    lift.append(UInt16(1 << shift))
    near.append(UInt16(own))
    return true
  }
}
