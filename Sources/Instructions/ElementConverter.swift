import Kernels
import Tensors

/// Converts elements between float32, bfloat16 and float16.
struct ElementConverter: Sendable {
  private enum Way: Sendable {
    case narrow, widen
    case halfToFloat, floatToHalf, halfToNarrow, narrowToHalf
  }

  private let way: Way
  private let rounding: BFloat16Rounding
  let sourceSize: Int
  let targetSize: Int

  /// Nil for other types, and for equal ones.
  init?(from source: ElementType, to target: ElementType, isas: Set<ISA>) {
    switch (source, target) {
    case (.float32, .bfloat16): way = .narrow
    case (.bfloat16, .float32): way = .widen
    case (.float16, .float32): way = .halfToFloat
    case (.float32, .float16): way = .floatToHalf
    case (.float16, .bfloat16): way = .halfToNarrow
    case (.bfloat16, .float16): way = .narrowToHalf
    default: return nil
    }
    rounding = BFloat16Rounding(isas: isas)
    sourceSize = source.byteCount
    targetSize = target.byteCount
  }

  /// Converts `count` elements that lie `step` apart in the source; the target's lie `targetStep`
  /// apart.
  @inline(__always)
  func callAsFunction(
    _ source: UnsafeRawPointer, step: Int, _ target: UnsafeMutableRawPointer, step targetStep: Int,
    count: Int
  ) {
    switch way {
    case .narrow:
      let from = source.assumingMemoryBound(to: Float.self)
      let to = target.assumingMemoryBound(to: UInt16.self)
      if step == 1 && targetStep == 1 {
        rounding(from, to, count: count)
      } else {
        for i in 0..<count { to[i * targetStep] = BFloat16(from[i * step]).bitPattern }
      }
    case .widen:
      let from = source.assumingMemoryBound(to: UInt16.self)
      let to = target.assumingMemoryBound(to: UInt32.self)
      if step == 1 && targetStep == 1 {
        for i in 0..<count { to[i] = UInt32(from[i]) << 16 }
      } else {
        for i in 0..<count { to[i * targetStep] = UInt32(from[i * step]) << 16 }
      }
    case .halfToFloat:
      each(source, step, target, targetStep, count) { (x: Float16) in Float(x) }
    case .floatToHalf:
      each(source, step, target, targetStep, count) { (x: Float) in Float16(x) }
    case .halfToNarrow:
      each(source, step, target, targetStep, count) { (x: Float16) in BFloat16(Float(x)) }
    case .narrowToHalf:
      each(source, step, target, targetStep, count) { (x: BFloat16) in Float16(Float(x)) }
    }
  }

  @inline(__always)
  private func each<S, T>(
    _ source: UnsafeRawPointer, _ step: Int, _ target: UnsafeMutableRawPointer,
    _ targetStep: Int, _ count: Int, _ convert: (S) -> T
  ) {
    let from = source.assumingMemoryBound(to: S.self)
    let to = target.assumingMemoryBound(to: T.self)
    for i in 0..<count { to[i * targetStep] = convert(from[i * step]) }
  }
}
