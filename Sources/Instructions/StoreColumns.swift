internal import CKernels
import Tensors

/// The arrays of columns of a store (`quantized.h`), readable to a multiple of 64 entries behind
/// any column.
///
/// Arrays that a store's kind does not use are the multipliers again: kernels may read them, and
/// memory that need not be touched makes sessions start faster.
///
/// Sendable because the arrays are written only while the store is made, before it is shared.
final class StoreColumns: @unchecked Sendable {
  let kind: apus_store_kind
  let fraction: UInt32
  let multiplier: UnsafeMutablePointer<Float>
  let inverse: UnsafeMutablePointer<Float>
  let zero: UnsafeMutablePointer<Int32>
  let low: UnsafeMutablePointer<UInt8>
  let high: UnsafeMutablePointer<UInt8>
  let residualScale: UnsafeMutablePointer<Float>
  let residualZero: UnsafeMutablePointer<Int32>
  let ratio: UnsafeMutablePointer<Int16>
  let level: UnsafeMutablePointer<Int16>
  let residualRatio: UnsafeMutablePointer<Int16>
  let reach: UnsafeMutablePointer<UInt16>
  let lift: UnsafeMutablePointer<UInt16>
  let near: UnsafeMutablePointer<UInt16>
  let curve: UnsafeMutablePointer<apus_curve>
  private let memory: UnsafeMutableRawPointer

  private init(_ kind: apus_store_kind, fraction: Int = 0, count: Int, hasResidual: Bool = false) {
    self.kind = kind
    self.fraction = UInt32(fraction)
    let padded = (count + 63) / 64 * 64 + 64
    let isRamp = kind == APUS_STORE_RAMP
    let isCurve = isRamp || kind == APUS_STORE_CURVE
    let isGeneral = kind == APUS_STORE_GENERAL
    let curveByteCount = isCurve ? MemoryLayout<apus_curve>.size : 0
    let isAdded = isGeneral && hasResidual
    let entryByteCount = isRamp ? 16 : isCurve ? 10 : !isGeneral ? 10 : isAdded ? 20 : 12
    let byteCount = curveByteCount + padded * entryByteCount
    let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
    self.memory = memory
    var next = memory + curveByteCount
    let multipliers = next
    func array<Entry: Numeric>(_ isUsed: Bool, of: Entry.Type) -> UnsafeMutablePointer<Entry> {
      let entries = (isUsed ? next : multipliers).assumingMemoryBound(to: Entry.self)
      if isUsed {
        next += padded * MemoryLayout<Entry>.stride
        (entries + count).update(repeating: 0, count: padded - count)
      }
      return entries
    }
    curve = memory.assumingMemoryBound(to: apus_curve.self)
    multiplier = array(true, of: Float.self)
    inverse = array(isGeneral, of: Float.self)
    zero = array(!isCurve, of: Int32.self)
    residualScale = array(isAdded, of: Float.self)
    residualZero = array(isAdded, of: Int32.self)
    low = array(kind == APUS_STORE_DIRECT, of: UInt8.self)
    high = array(kind == APUS_STORE_DIRECT, of: UInt8.self)
    ratio = array(isCurve, of: Int16.self)
    level = array(isCurve, of: Int16.self)
    residualRatio = array(isCurve, of: Int16.self)
    reach = array(isRamp, of: UInt16.self)
    lift = array(isRamp, of: UInt16.self)
    near = array(isRamp, of: UInt16.self)
  }

  deinit { memory.deallocate() }
}

// MARK: Kinds

extension StoreColumns {
  /// Of a general store: y and the residual have their own types.
  convenience init(
    general scales: [Float], result: Quantization, hasResidual: Bool, residual: Quantization
  ) {
    let count = scales.count
    self.init(APUS_STORE_GENERAL, count: count, hasResidual: hasResidual)
    let (steps, zeros) = (result.scales(count), result.zeroPoints(count))
    multiplier.fill(scales)
    inverse.fill(count) { 1 / steps[$0] }
    zero.fill(zeros)
    guard hasResidual else { return }
    residualScale.fill(residual.scales(count))
    residualZero.fill(residual.zeroPoints(count))
  }

  /// Of a direct store; nil where the function is no bound of y, or a sum could become too large.
  convenience init?(direct scales: [Float], result: Quantization, activation: Activation) {
    guard let bounds = StoreBounds(activation, result) else { return nil }
    let count = scales.count
    let steps = result.scales(count)
    // Below 1/2 no int32 sum can reach 2^30.
    guard scales.indices.allSatisfy({ scales[$0] / steps[$0] < 0.5 }) else { return nil }
    self.init(APUS_STORE_DIRECT, count: count)
    // In float32 and in this order, as ONNX Runtime multiplies scales.
    multiplier.fill(count) { scales[$0] / steps[$0] }
    zero.fill(result.zeroPoints(count))
    if result.isPerChannel {
      low.fill(count, bounds.low)
      high.fill(count, bounds.high)
    } else {
      low.update(repeating: bounds.low(0), count: count)
      high.update(repeating: bounds.high(0), count: count)
    }
  }

  /// Of a curve or a ramp.
  convenience init(_ entries: CurveEntries, multipliers: [Float]) {
    let count = multipliers.count
    let kind = entries.form == .ramp ? APUS_STORE_RAMP : APUS_STORE_CURVE
    self.init(kind, fraction: entries.fraction, count: count)
    multiplier.fill(multipliers)
    // Arrays of one entry for all, or of one for each.
    func copy<Entry: Numeric>(_ list: [Entry], to target: UnsafeMutablePointer<Entry>) {
      if list.count == count {
        target.fill(list)
      } else {
        target.update(repeating: list.first ?? 0, count: count)
      }
    }
    copy(entries.ratio, to: ratio)
    copy(entries.level, to: level)
    copy(entries.residualRatio, to: residualRatio)
    if entries.form == .ramp {
      copy(entries.reach, to: reach)
      copy(entries.lift, to: lift)
      copy(entries.near, to: near)
    }
    let words = UnsafeMutableRawPointer(curve).assumingMemoryBound(to: Int16.self)
    let bytes = (UnsafeMutableRawPointer(curve) + 3 * 128).assumingMemoryBound(to: UInt8.self)
    for (index, entry) in entries.tables.enumerated() {
      let place = index / 64 * 128 + index % 64
      words[index] = entry
      bytes[place] = UInt8(truncatingIfNeeded: entry)
      bytes[place + 64] = UInt8(truncatingIfNeeded: entry >> 8)
    }
  }
}

/// The functions that are bounds of y: the identity, and clamps.
private struct StoreBounds {
  private let range: ClosedRange<Float>
  private let result: Quantization

  /// Returns nil for any other function.
  init?(_ activation: Activation, _ result: Quantization) {
    self.result = result
    switch activation.function {
    case .identity: range = -Float.infinity...Float.infinity
    case .relu: range = 0...Float.infinity
    case .clip:
      guard activation.alpha <= activation.beta else { return nil }
      range = activation.alpha...activation.beta
    default: return nil
    }
  }

  func low(_ column: Int) -> UInt8 { quantized(range.lowerBound, column) }
  func high(_ column: Int) -> UInt8 { quantized(range.upperBound, column) }

  /// Rounds a real number as the general store does.
  private func quantized(_ bound: Float, _ column: Int) -> UInt8 {
    let scaled = bound * (1 / result.scale(column))
    let limited = min(max(scaled, -0x1p20), 0x1p20).rounded(.toNearestOrEven)
    return UInt8(clamping: Int(limited) + Int(result.zeroPoint(column)))
  }
}

extension UnsafeMutablePointer {
  /// Sets the first elements, each by its place.
  @inline(__always)
  fileprivate func fill(_ count: Int, _ element: (Int) -> Pointee) {
    for n in 0..<count { self[n] = element(n) }
  }

  fileprivate func fill(_ elements: [Pointee]) { update(from: elements, count: elements.count) }
}
