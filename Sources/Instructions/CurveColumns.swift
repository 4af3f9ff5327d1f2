import Kernels
import Tensors

/// The columns of a curve or ramp store (`quantized.h`), and the function that they share.
struct CurveColumns {
  let curve: StoreCurve
  /// Bits of the result behind the point.
  private(set) var fraction: Int
  /// What is multiplied and added to the function's value in a column: one of each column, or one
  /// that is the same for all.
  private(set) var ratio: [Int16] = []
  private(set) var level: [Int16] = []
  /// Empty without a residual.
  private(set) var residualRatio: [Int16] = []
  /// Of a ramp.
  private(set) var ramps: [Ramp] = []
  /// A bound on the error of y beyond its rounding, in steps of the finest column: the sum of
  /// bounds that are hardly ever reached together.
  private(set) var error = 0.0

  static let errorLimit = 0.3

  /// How |t| becomes an argument.
  struct Ramp {
    var reach: UInt16
    var lift: UInt16
    var near: UInt16
  }

  /// What the store needs of all this.
  var entries: CurveEntries {
    CurveEntries(
      form: curve.form, fraction: fraction, unit: Float(curve.inputUnit),
      tables: curve.value + curve.slope + curve.bends, ratio: ratio, level: level,
      residualRatio: residualRatio, reach: ramps.map(\.reach), lift: ramps.map(\.lift),
      near: ramps.map(\.near))
  }

  /// Bits behind the point that are tried first, and last.
  private static let finestFraction = 6
  private static let coarsestFraction = 3

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
    let target = Target(scales: scales, result: result, added: added)
    var curve = CurveColumns(.curve, activation, target, isas)
    // A ramp takes a few operations more.
    if let least = curve?.error, least < errorLimit / 2 {
      curve = curve?.filled(target)
      if let curve, curve.error < errorLimit / 2 { return curve }
    }
    let ramp = CurveColumns(.ramp, activation, target, isas)
    var found: CurveColumns?
    for candidate in [curve, ramp].compactMap({ $0 }).sorted(by: { $0.error < $1.error })
    where candidate.error <= min(errorLimit, found?.error ?? .infinity) {
      guard let filled = candidate.filled(target), filled.error <= errorLimit else { continue }
      if filled.error < found?.error ?? .infinity { found = filled }
    }
    return found ?? best(variantsFor: target, activation, isas)
  }

  /// Where a few columns are much finer than the others, the bound for all of them together is too
  /// large; those of single columns depend on how their entries happen to be rounded.
  private static func best(
    variantsFor target: Target, _ activation: Activation, _ isas: Set<ISA>
  ) -> CurveColumns? {
    guard target.added == nil else { return nil }
    for (form, variants) in [(StoreCurve.Form.curve, [6, 5, 7, 4, 8]), (.ramp, Array(0..<8))] {
      for variant in variants {
        let columns = CurveColumns(form, activation, target, isas, variant: variant)
        // Variants differ by less.
        guard let columns, columns.error < 1.5 * errorLimit,
          let found = columns.filledByColumn(target), found.error < 1.5 * errorLimit
        else { break }
        if found.error <= errorLimit { return found }
      }
    }
    return nil
  }

  /// What columns are made for.
  private struct Target {
    let scales: [Float]
    let result: Quantization
    let added: Quantization?
    /// The entries that differ: one, or one of each column.
    let distinct: Int
    /// The smallest step of y.
    let finest: Double

    init(scales: [Float], result: Quantization, added: Quantization?) {
      self.scales = scales
      self.result = result
      self.added = added
      let isUniform = !result.isPerChannel && added?.isPerChannel != true
      distinct = isUniform ? min(1, scales.count) : scales.count
      finest = Double(result.scales.min() ?? 1)
    }

    /// A difference that does not matter.
    var tolerance: Double { 0.03 * finest }

    /// What the function must follow.
    var need: StoreCurve.Need {
      var need = StoreCurve.Need(low: 0, high: 0, tolerance: 0, leastUnit: 0)
      for n in 0..<distinct {
        let step = Double(result.scale(n))
        let zero = Double(result.zeroPoint(n))
        var (low, high) = (-zero * step, (255 - zero) * step)
        if let added {
          let own = Double(added.scale(n))
          let addedZero = Double(added.zeroPoint(n))
          low -= (255 - addedZero) * own
          high += addedZero * own
        }
        need.low = min(need.low, low)
        need.high = max(need.high, high)
      }
      need.leastUnit = Double(scales.max() ?? 0) / CurveColumns.multiplierLimit
      need.tolerance = tolerance
      return need
    }
  }

  /// Without entries: `error` is then the least that they can reach.
  private init?(
    _ form: StoreCurve.Form, _ activation: Activation, _ target: Target, _ isas: Set<ISA>,
    variant: Int? = nil
  ) {
    let all = ElementwiseKernel.all
    guard
      form.suits(activation), target.distinct > 0,
      let kernel = ElementwiseKernel.best(of: all, isas: isas) ?? all.last,
      let curve = StoreCurve(form, activation, target.need, by: kernel, variant: variant)
    else { return nil }
    self.curve = curve
    fraction = CurveColumns.finestFraction
    if variant == nil {
      setError(target)
    } else {
      error = curve.error / target.finest
    }
  }

  private mutating func setError(_ target: Target) {
    // Of the ratio, its product and the level; of t, and of the residual.
    let roundings = 1.5 + (curve.form == .ramp ? 0.55 : 0) + (target.added == nil ? 0 : 1)
    error = (curve.error + target.tolerance) / target.finest + roundings / Double(1 << fraction)
  }

  /// With entries; nil where they do not fit.
  private func filled(_ target: Target) -> CurveColumns? {
    guard ratio.isEmpty else { return self }
    var columns = self
    while columns.fraction >= CurveColumns.coarsestFraction {
      if columns.fill(target) {
        columns.setError(target)
        return columns
      }
      columns.fraction -= 1
    }
    return nil
  }

  /// With entries, and an error that no column by itself exceeds; nil where they do not fit.
  private func filledByColumn(_ target: Target) -> CurveColumns? {
    var best: CurveColumns?
    var columns = self
    while columns.fraction >= CurveColumns.coarsestFraction {
      if columns.fill(target, maySaturate: true) {
        columns.setErrorByColumn(target)
        if columns.error < best?.error ?? .infinity { best = columns }
        if columns.error <= CurveColumns.errorLimit { break }
      }
      columns.fraction -= 1
    }
    return best
  }

  private mutating func setErrorByColumn(_ target: Target) {
    error = (0..<target.distinct).reduce(0) { max($0, ownError($1, target)) }
  }

  /// A bound on the error of column n, without a residual.
  private func ownError(_ n: Int, _ target: Target) -> Double {
    let unit = Double(target.result.scale(n))
    let one = Double(1 << fraction)
    let middle =
      Double(target.result.zeroPoint(n)) * one + curve.middle * one / unit + one / 2
    let levelError = abs(middle - Double(level[n]))
    let ratioError = abs(curve.resultUnit * one / unit * 32768 - Double(ratio[n]))
    // Beyond its end, or beyond what saturates t before it, a ramp stays where it was.
    let isRamp = curve.form == .ramp
    let saturates = isRamp && ramps[n].reach > 32767
    let tail = saturates ? abs(curve.added(at: Int(ramps[n].near) / 2)) : 0
    // Of the product, and of a ramp's t; those of the entries are known.
    let roundings = (isRamp ? 1.05 : 0.5) + ratioError + levelError
    return max(curve.error, target.tolerance, tail) / unit + roundings / one
  }

  /// Makes the entries; returns false where one does not fit.
  ///
  /// - Parameter maySaturate: t may saturate before a ramp ends
  private mutating func fill(_ target: Target, maySaturate: Bool = false) -> Bool {
    let (result, added) = (target.result, target.added)
    let one = Double(1 << fraction)
    // The largest ratio decides nearly always.
    guard Int16(fraction: curve.resultUnit * (one / target.finest) * 32768) != nil else {
      return false
    }
    let count = target.distinct
    let (factor, middle) = (curve.resultUnit * 32768, curve.middle)
    var levels = [Double](repeating: 0, count: count)
    var ratios = levels
    for n in 0..<count {
      let step = one / Double(result.scale(n))
      ratios[n] = factor * step
      levels[n] = Double(result.zeroPoint(n)) * one + middle * step + one / 2
    }
    residualRatio = []
    if let added {
      residualRatio.reserveCapacity(count)
      for n in 0..<count {
        let step = one / Double(result.scale(n))
        guard let found = Int16(fraction: Double(added.scale(n)) * step * 256) else { return false }
        levels[n] -= Double(added.zeroPoint(n)) * Double(found) / 256
        residualRatio.append(found)
      }
    }
    guard let ratio = [Int16](fractions: ratios), let level = [Int16](fractions: levels) else {
      return false
    }
    (self.ratio, self.level) = (ratio, level)
    ramps = []
    if curve.form == .ramp {
      ramps.reserveCapacity(count)
      for n in 0..<count {
        let units = one / Double(result.scale(n)) * curve.inputUnit
        guard let ramp = Ramp(units: units, maySaturate: maySaturate) else { return false }
        ramps.append(ramp)
      }
    }
    guard curve.form == .ramp else { return true }
    // Those of a curve are below the limit, because of its unit.
    return target.scales.indices.allSatisfy { n in
      Double(target.scales[n]) * (one / Double(result.scale(n))) <= CurveColumns.multiplierLimit
    }
  }
}

extension CurveColumns.Ramp {
  /// Says how |t|, of which `units` stand for one of the curve's, becomes a multiple of the
  /// curve's unit, which is at most 2^15 − 1; nil where it cannot.
  ///
  /// - Parameter maySaturate: t may saturate before the ramp ends
  fileprivate init?(units: Double, maySaturate: Bool) {
    let factor = 1 / units
    guard factor >= 0, factor < 0x1p15 else { return nil }
    // The bits of the whole part: so many halvings leave less than 1.
    var shift = Int.bitWidth - Int(factor).leadingZeroBitCount
    var own = (factor * (65536 / Double(1 << shift))).rounded(.toNearestOrEven)
    guard own >= 1 && own <= 65536 else { return nil }
    if own == 65536 {
      // Just below 1: the next power of two.
      guard shift < 15 else { return nil }
      (own, shift) = (32768, shift + 1)
    }
    let largest = min((1 << 31 - 1) / Int(own), 65535) >> shift
    // What saturates t must lie beyond the curve, unless its error is known.
    guard largest <= 32767 || maySaturate else { return nil }
    reach = UInt16(largest)
    lift = UInt16(1 << shift)
    near = UInt16(own)
  }
}

extension [Int16] {
  /// Rounds to the nearest integers, ties to even; nil where one is beyond ±32767.
  fileprivate init?(fractions: [Double]) {
    // Behind this number a sum is rounded to an integer, which its lowest bits are.
    let large = 0x1.8p52
    var areBeyond = false
    self = fractions.map { x in
      areBeyond = areBeyond || !(abs(x) < 32767.5)
      return Int16(truncatingIfNeeded: (x + large).bitPattern)
    }
    if areBeyond { return nil }
  }
}
