import Glibc
import Kernels
import Tensors
import Testing

@testable import Instructions

/// The curve and ramp stores against the functions in double precision.
@Suite struct StoreCurveTests {
  private struct Example: CustomTestStringConvertible {
    let activation: Activation
    /// The least real number, for results up to `high`.
    let low: @Sendable (Double) -> Double
    let exact: @Sendable (Double) -> Double
    var testDescription: String { "\(activation.function)" }
  }

  private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  private static let examples: [Example] = [
    Example(
      activation: Activation(.swish, alpha: 1), low: { _ in -0.2785 },
      exact: { $0 * sigmoid($0) }),
    Example(
      activation: Activation(.swish, alpha: 1.702), low: { _ in -0.17 },
      exact: { $0 * sigmoid(1.702 * $0) }),
    Example(activation: Activation(.sigmoid), low: { _ in 0 }, exact: { sigmoid($0) }),
    Example(activation: Activation(.tanh), low: { -$0 }, exact: { tanh($0) }),
    Example(
      activation: Activation(.gelu), low: { _ in -0.17 },
      exact: { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) }),
    Example(
      activation: Activation(.geluTanh), low: { _ in -0.17 },
      exact: { x in
        0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
      }),
    Example(
      activation: Activation(.elu, alpha: 1), low: { _ in -1 }, exact: { $0 < 0 ? expm1($0) : $0 }),
    Example(
      activation: Activation(.softplus), low: { _ in 0 },
      exact: { $0 > 30 ? $0 : log1p(exp($0)) }),
    Example(
      activation: Activation(.mish), low: { _ in -0.309 },
      exact: { $0 * tanh($0 > 30 ? $0 : log1p(exp($0))) }),
    Example(activation: Activation(.erf), low: { -$0 }, exact: { erf($0) }),
    Example(
      activation: Activation(.leakyRelu, alpha: 0.1), low: { -0.1 * $0 },
      exact: { $0 < 0 ? 0.1 * $0 : $0 }),
    Example(
      activation: Activation(.hardSwish, alpha: 1 / 6, beta: 0.5), low: { _ in -0.375 },
      exact: { $0 * min(max($0 / 6 + 0.5, 0), 1) }),
    Example(
      activation: Activation(.hardSigmoid, alpha: 0.2, beta: 0.5), low: { _ in 0 },
      exact: { min(max(0.2 * $0 + 0.5, 0), 1) }),
  ]

  /// y and the exact real result in steps of y, for sums that cover ±`range` in 64 columns whose
  /// scales fall to a part of the first.
  private func results(
    _ example: Example, high: Double, spread: Double, range: Double, residual: Bool
  ) throws -> (error: Double, form: StoreCurve.Form?) {
    let columns = 16
    let values = (0..<256).map { UInt8($0) }
    let scales = (0..<columns).map { n -> Quantization in
      let own = high / pow(spread, Double(n) / Double(columns - 1))
      return Quantization(low: Float(example.low(own)), high: Float(own))
    }
    let result = Quantization(
      scales: scales.map { $0.scale(0) }, zeroPoints: scales.map { $0.zeroPoint(0) }, axis: 0)
    let added = Quantization(scale: Float(high / 300), zeroPoint: 90)
    let rig = Rig()
    var product = QuantizedMatrixMultiply()
    product.a = rig.tensor(
      .uint8, [256, 1], quantization: Quantization(scale: Float(range / 128 / 127), zeroPoint: 128),
      elements: values)
    let weights = (0..<columns).map { Int8(127 - 7 * $0) }
    let packed = WeightPacking.matrix(quantized: weights, depth: 1, columns: columns)
    product.b = rig.tensor(
      .int8, packed.shape, quantization: Quantization(scale: 1, zeroPoint: 0),
      elements: packed.elements(as: Int8.self))
    product.packedB = true
    product.offsets = rig.tensor(
      .int32, [columns], elements: weights.map { -128 * Int32($0) })
    if residual {
      product.residual = rig.tensor(
        .uint8, [256, columns], quantization: added,
        elements: (0..<256 * columns).map { UInt8($0 * 7 % 256) })
      product.residualAfterActivation = true
    }
    product.activation = example.activation
    product.y = rig.tensor(.uint8, [256, columns], quantization: result, elements: [UInt8]?.none)
    try rig.run(product)
    let found = rig.elements(product.y, as: UInt8.self)
    let unit = Float(range / 128 / 127)
    var worst = 0.0
    for (i, byte) in found.enumerated() {
      let (row, n) = (i / columns, i % columns)
      let x = Double(row - 128) * Double(weights[n]) * Double(unit)
      var exact = example.exact(x)
      if residual { exact += Double(added.scale(0)) * Double(i * 7 % 256 - 90) }
      let wanted = exact / Double(result.scale(n)) + Double(result.zeroPoint(n))
      worst = max(worst, abs(Double(byte) - min(max(wanted, 0), 255)))
    }
    let curve = CurveColumns.best(
      example.activation, scales: (0..<columns).map { _ in unit }, result: result,
      added: residual ? added : nil, isas: [.portable])
    return (worst, curve?.curve.form)
  }

  @Test func `stays close to its functions`() throws {
    var curves = 0
    var all = 0
    for example in StoreCurveTests.examples {
      for high in [0.4, 1, 1.6, 4, 10, 30] {
        for spread in [1, 2.5, 8] {
          for residual in [false, true] {
            let range = min(12, 1.5 * high + 4)
            let (error, form) = try results(
              example, high: high, spread: spread, range: range, residual: residual)
            all += 1
            curves += form == nil ? 0 : 1
            // Half a step of rounding, and the bound.
            #expect(
              error <= 0.5 + CurveColumns.errorLimit,
              "\(example.testDescription) up to \(high), spread \(spread)")
          }
        }
      }
    }
    print("curve stores: \(curves) of \(all)")
    #expect(curves * 2 > all, "only \(curves) of \(all) are curves")
  }

  @Test func `typical stores err by little more than their rounding`() throws {
    for example in StoreCurveTests.examples {
      let (error, form) = try results(
        example, high: 6, spread: 1, range: 12, residual: false)
      #expect(form != nil && error <= 0.7, "\(example.testDescription): \(error)")
    }
  }

  @Test func `large results and very different columns stay close, too`() throws {
    var ramps = 0
    for example in StoreCurveTests.examples
    where StoreCurve.Form.ramp.suits(example.activation) {
      for (high, spread) in [(60.0, 20.0), (400, 1), (400, 60), (5000, 40)] {
        // Where columns differ, the few sums here would be too coarse for a wide range.
        for range in spread > 1 ? [10] : [10, 1.2 * high] {
          let (error, form) = try results(
            example, high: high, spread: spread, range: range, residual: false)
          ramps += form == .ramp ? 1 : 0
          #expect(
            form != nil && error <= 0.5 + CurveColumns.errorLimit,
            "\(example.testDescription) up to \(high), spread \(spread): \(error)")
        }
      }
    }
    #expect(ramps > 0, "none is a ramp")
  }

  @Test func `judges a few fine columns by themselves`() throws {
    // One channel hardly ever passes anything on; its steps are a tenth of the others'.
    let scales = (0..<64).map { n in
      Quantization(low: -0.2785, high: n == 0 ? 0.83 : 4 + 0.27 * Float(n))
    }
    let result = Quantization(
      scales: scales.map { $0.scale(0) }, zeroPoints: scales.map { $0.zeroPoint(0) }, axis: 0)
    let units = [Float](repeating: 2.5e-4, count: 64)
    let columns = try #require(
      CurveColumns.best(
        Activation(.swish, alpha: 1), scales: units, result: result, added: nil,
        isas: [.portable]))
    let multipliers = columns.entries.multipliers(units, result)
    #expect(columns.curve.form == .ramp)
    #expect(columns.error <= CurveColumns.errorLimit && columns.fraction == 3)
    // The products of such columns, at an eighth of a step and less.
    for n in [0, 1, 40, 63] {
      let (step, zero) = (Double(result.scale(n)), Double(result.zeroPoint(n)))
      let ramp = columns.ramps[n]
      var worst = 0.0
      for sum in stride(from: -60_000, to: 90_000, by: 37) {
        let scaled = (Float(sum) * multipliers[n]).rounded(.toNearestOrEven)
        let t = max(min(scaled, 32767), -32768)
        let size = min(abs(Int(t)), Int(ramp.reach)) * Int(ramp.lift)
        let place: Int = (size * Int(ramp.near)) >> 16
        let added = columns.curve.added(at: place)
        let units = ((added - columns.curve.middle) / columns.curve.resultUnit).rounded()
        let product = Int(units) * Int(columns.ratio[n]) + 16384
        let g: Int = max(Int(t), 0) + (product >> 15) + Int(columns.level[n])
        let y = min(max(g >> columns.fraction, 0), 255)
        let x = Double(sum) * 2.5e-4
        let wanted = x * StoreCurveTests.sigmoid(x) / step + zero
        worst = max(worst, abs(Double(y) - min(max(wanted, 0), 255)))
      }
      #expect(worst <= 0.5 + CurveColumns.errorLimit, "column \(n): \(worst)")
    }
  }

  /// Of the example, with steps per column and something added behind the function, or not.
  private func entries(
    _ activation: Activation, _ steps: [Float], added: Quantization? = nil
  ) -> CurveEntries? {
    let result = Quantization(scales: steps, zeroPoints: steps.map { _ in 30 }, axis: 0)
    return CurveColumns.best(
      activation, scales: [Float](repeating: 3e-4, count: 64), result: result, added: added,
      isas: [.portable])?.entries
  }

  @Test func `a file keeps what the search found`() throws {
    var forms: Set<[Int]> = []
    for example in StoreCurveTests.examples {
      for steps in [[0.02], (1...64).map { 0.005 * Float($0) }] {
        for added in [nil, Quantization(scale: 0.03, zeroPoint: 90)] {
          let found =
            entries(example.activation, steps, added: added).map { CurveEntries.Found.entries($0) }
            ?? .nothing
          CurveEntries.contents(found).withBytes { bytes in
            #expect(CurveEntries.read(bytes, columns: 64, hasResidual: added != nil) == found)
            if case .entries(let own) = found {
              #expect(CurveEntries.read(bytes, columns: 64, hasResidual: added == nil) == nil)
              let unit = Quantization(scales: steps, zeroPoints: steps.map { _ in 30 }, axis: 0)
              let scales = [Float](repeating: 3e-4, count: 64)
              #expect(own.areSound(own.multipliers(scales, unit)))
              forms.insert([own.form == .curve ? 1 : 2, own.ratio.count])
            }
          }
        }
      }
    }
    #expect(forms.isSuperset(of: [[1, 1], [1, 64], [2, 64]]), "\(forms)")
  }

  @Test func `entries that make no sense are passed over`() throws {
    let steps = (1...64).map { 0.005 * Float($0) }
    let own = try #require(entries(Activation(.swish, alpha: 1), steps))
    let good = CurveEntries.contents(.entries(own)).withBytes { Array($0) }
    func read(_ bytes: [UInt8], columns: Int = 64) -> CurveEntries.Found? {
      bytes.withUnsafeBytes { CurveEntries.read($0, columns: columns, hasResidual: false) }
    }
    #expect(read(good) == .entries(own))
    #expect(read(good, columns: 65) == nil)
    for count in [0, 3, 7, 8, 23, 24, 407, good.count - 2, good.count - 1] {
      #expect(read(Array(good[..<count])) == nil, "\(count) bytes")
    }
    #expect(read(good + [0, 0]) == nil)
    // Version, form, bits behind the point, number of entries, residual.
    let changes = [(0, 2), (4, 3), (4, 255), (8, 8), (11, 255), (16, 63), (19, 255), (20, 1)]
    for (place, value) in changes {
      var bytes = good
      bytes[place] = UInt8(value)
      #expect(read(bytes) == nil, "\(value) at \(place)")
    }
  }

  @Test func `entries that let sums overflow are refused`() throws {
    let result = Quantization(scale: 0.02, zeroPoint: 30)
    let scales = [Float](repeating: 3e-4, count: 64)
    let curve = try #require(entries(Activation(.tanh), [0.02]))
    let steps = (1...64).map { 0.005 * Float($0) }
    let ramp = try #require(entries(Activation(.swish, alpha: 1), steps))
    func isSound(_ entries: CurveEntries) -> Bool {
      entries.areSound(entries.multipliers(scales, result))
    }
    #expect(curve.form == .curve && ramp.form == .ramp && isSound(curve) && isSound(ramp))
    for unit in [0, -0.0, 1e-9, .nan] as [Float] {
      var changed = curve
      changed.unit = unit
      #expect(!isSound(changed), "\(unit)")
    }
    for table in 0..<3 {
      var changed = curve
      changed.tables[64 * table + 5] = .min
      #expect(!isSound(changed), "table \(table)")
    }
    var changed = ramp
    changed.lift[3] = .max
    #expect(!isSound(changed))
    changed = ramp
    (changed.reach[63], changed.lift[63], changed.near[63]) = (65535, 1, 65535)
    #expect(!isSound(changed))
  }

  @Test func `leaves alone what it cannot do well`() {
    func curve(
      _ activation: Activation, scale: Float = 1e-3, step: Float = 0.02
    ) -> CurveColumns? {
      CurveColumns.best(
        activation, scales: [scale], result: Quantization(scale: step, zeroPoint: 20), added: nil,
        isas: [.portable])
    }
    #expect(curve(Activation(.swish, alpha: 1)) != nil)
    // Functions with steps or poles, and kinks that lie elsewhere.
    #expect(curve(Activation(.floor)) == nil)
    #expect(curve(Activation(.reciprocal)) == nil)
    #expect(curve(Activation(.hardSigmoid, alpha: 0.2, beta: 0.3)) == nil)
    // Steps that are too fine for 16 bits, and numbers from a hostile file.
    #expect(curve(Activation(.swish, alpha: 1), step: 1e-6) == nil)
    for scale in [Float.greatestFiniteMagnitude, 1e30, 1e-38] {
      _ = curve(Activation(.swish, alpha: 1), scale: scale)
      _ = curve(Activation(.swish, alpha: 1), step: scale)
      _ = curve(Activation(.elu, alpha: scale), scale: scale, step: scale)
    }
    for parameter in [Float.nan, .infinity, -.infinity, 1e38] {
      #expect(curve(Activation(.swish, alpha: parameter)) == nil || !parameter.isNaN)
      _ = curve(Activation(.leakyRelu, alpha: parameter))
      _ = curve(Activation(.hardSwish, alpha: parameter, beta: 0.5))
      _ = curve(Activation(.selu, alpha: parameter, beta: parameter))
    }
  }
}
