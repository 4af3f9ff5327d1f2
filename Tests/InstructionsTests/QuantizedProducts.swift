import Kernels
import Tensors

@testable import Instructions

/// The store of an 8-bit product in plain Swift, and random operands for it.
struct ProductStore {
  var xScale: Float = 1
  /// One per column, where x has them.
  var xScales: [Float] = []
  /// One per column, or one.
  var weightScales: [Float] = [1]
  var scale: Float = 1
  /// Nil: y is float32.
  var y: Quantization?
  /// Nil where the residual is float32 or absent.
  var residual: Quantization?
  var hasResidual = false
  var residualLast = false
  var activation = Activation.none

  /// Random quantisations and functions for `columns` columns whose sums are about `magnitude`.
  init(
    _ g: inout SeededGenerator, columns: Int, magnitude: Float, activation: Activation,
    perChannel: Bool = true
  ) {
    self.activation = activation
    func scales(_ range: ClosedRange<Float>, _ count: Int) -> [Float] {
      (0..<count).map { _ in Float.random(in: range, using: &g) }
    }
    func quantization(_ range: ClosedRange<Float>) -> Quantization {
      let count = perChannel && Bool.random(using: &g) ? columns : 1
      let zeros = (0..<count).map { _ in
        [0, 255, Int32.random(in: 0...255, using: &g)].randomElement(using: &g)!
      }
      return Quantization(scales: scales(range, count), zeroPoints: zeros, axis: 0)
    }
    xScale = Float.random(in: 0.001...0.1, using: &g)
    weightScales = scales(0.001...0.01, Bool.random(using: &g) ? columns : 1)
    let unit = xScale * 0.005 * max(1, magnitude) / 128
    if !Int.random(in: 0..<4, using: &g).isMultiple(of: 4) {
      y = quantization(unit * 0.5...unit * 2)
      // Sometimes one where most results saturate.
      if Int.random(in: 0..<6, using: &g) == 0 { y = quantization(unit * 1e-7...unit * 1e-6) }
    }
    hasResidual = Bool.random(using: &g)
    residualLast = Bool.random(using: &g)
    if hasResidual && Bool.random(using: &g) { residual = quantization(unit * 0.2...unit) }
  }

  /// Whether plain Swift gives the bits of the function.
  var isExact: Bool { [.identity, .relu, .clip].contains(activation.function) }

  func multiplier(_ n: Int) -> Float {
    (xScales.isEmpty ? xScale : xScales[n]) * weightScales[weightScales.count == 1 ? 0 : n] * scale
  }

  private func index(_ q: Quantization, _ n: Int) -> Int { q.scales.count == 1 ? 0 : n }

  private func isDirect(columns: Int) -> Bool {
    guard let y, !hasResidual, isExact else { return false }
    return (0..<columns).allSatisfy { multiplier($0) / y.scales[index(y, $0)] < 0.5 }
  }

  /// What becomes of sums [.., columns]: bytes, or the bits of floats.
  func apply(_ sums: [Int32], residual added: [Float], columns: Int) -> [UInt32] {
    let direct = isDirect(columns: columns)
    return sums.indices.map { i in
      let n = i % columns
      let v = Float(sums[i])
      if direct, let y {
        let target = index(y, n)
        let m = multiplier(n) / y.scales[target]
        let q = (v * m).rounded(.toNearestOrEven)
        let zero = Int64(y.zeroPoints[target])
        return UInt32(bounded(Int64(q) + zero, y, n))
      }
      var real = v * multiplier(n)
      if hasResidual && !residualLast { real += added[i] }
      withUnsafeMutablePointer(to: &real) { activation.apply(to: $0, count: 1) }
      if hasResidual && residualLast { real += added[i] }
      guard let y else { return real.bitPattern }
      let limited = min(max(real * (1 / y.scales[index(y, n)]), -0x1p20), 0x1p20)
      let q = Int64(limited.rounded(.toNearestOrEven)) + Int64(y.zeroPoints[index(y, n)])
      return UInt32(min(max(q, 0), 255))
    }
  }

  /// Clamps a byte to what the function leaves of y.
  private func bounded(_ q: Int64, _ y: Quantization, _ n: Int) -> Int64 {
    func quantized(_ bound: Float) -> Int64 {
      let scaled = (bound * (1 / y.scales[index(y, n)])).rounded(.toNearestOrEven)
      return min(max(Int64(min(max(scaled, -1e6), 1e6)) + Int64(y.zeroPoints[index(y, n)]), 0), 255)
    }
    let low = activation.function == .relu ? 0 : activation.alpha
    let byte = min(max(q, 0), 255)
    switch activation.function {
    case .identity: return byte
    case .relu: return max(byte, quantized(low))
    default: return min(max(byte, quantized(low)), quantized(activation.beta))
    }
  }

  /// Adds y to a rig.
  func makeY(_ rig: Rig, _ shape: Shape, rowStride: Int) -> Operand {
    guard let y else { return rig.tensor(.float32, shape, rowStride: rowStride) }
    return rig.tensor(
      .uint8, shape, rowStride: rowStride, quantization: y, elements: [UInt8]?.none)
  }

  /// The elements of y as `apply` gives them.
  func results(_ rig: Rig, _ operand: Operand) -> [UInt32] {
    y == nil
      ? rig.elements(operand, as: UInt32.self)
      : rig.elements(operand, as: UInt8.self).map { UInt32($0) }
  }

  /// Adds a random residual, if there is to be one; returns it with its real numbers.
  func makeResidual(
    _ rig: Rig, _ shape: Shape, rowStride: Int, _ g: inout SeededGenerator
  ) -> (Operand, [Float]) {
    guard hasResidual else { return (.none, []) }
    guard let residual else {
      let reals = g.floats(shape.elementCount).map { $0 * (y?.scales[0] ?? 1) * 64 }
      return (rig.tensor(.float32, shape, rowStride: rowStride, reals), reals)
    }
    let bytes = g.bytes(shape.elementCount)
    let columns = shape.dimensions.last ?? 1
    let reals = bytes.indices.map { i in
      let n = index(residual, i % columns)
      return Float(Int32(bytes[i]) - residual.zeroPoints[n]) * residual.scales[n]
    }
    let operand = rig.tensor(
      .uint8, shape, rowStride: rowStride, quantization: residual, elements: bytes)
    return (operand, reals)
  }
}

extension SeededGenerator {
  /// Bytes at random, or only the extremes.
  mutating func operandBytes(_ count: Int, extreme: Bool) -> [UInt8] {
    extreme ? (0..<count).map { _ in [0, 255, 255].randomElement(using: &self)! } : bytes(count)
  }

  mutating func weights(_ count: Int, extreme: Bool) -> [Int8] {
    extreme
      ? (0..<count).map { _ in [-128, -128, -128, 127].randomElement(using: &self)! }
      : bytes(count).map { Int8(bitPattern: $0) }
  }

  mutating func offsets(_ count: Int) -> [Int32] {
    (0..<count).map { _ in Int32.random(in: -100_000...100_000, using: &self) }
  }
}

/// The functions that a store may apply.
let storeActivations: [Activation] = Activation.Function.allCases.filter(\.isVector).map {
  function in
  switch function {
  case .clip: .clip(-0.5, 1.25)
  case .hardSigmoid, .hardSwish: Activation(function, alpha: 0.2, beta: 0.5)
  case .selu: Activation(function, alpha: 1.67, beta: 1.05)
  default: Activation(function, alpha: 0.3, beta: 0.2)
  }
}

/// Returns the first place where two results differ, or nil.
func difference(_ found: [UInt32], _ expected: [UInt32], isReal: Bool) -> String? {
  for i in found.indices where found[i] != expected[i] {
    let (a, b) = (Float(bitPattern: found[i]), Float(bitPattern: expected[i]))
    // NaNs may differ in their payload.
    if isReal && a.isNaN && b.isNaN { continue }
    if isReal { return "y[\(i)] = \(a), expected \(b)" }
    return "y[\(i)] = \(found[i]), expected \(expected[i])"
  }
  return found.count == expected.count ? nil : "\(found.count) elements"
}
