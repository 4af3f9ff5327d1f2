import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// An element as it lies in memory, and the type that instructions compute it in.
///
/// bfloat16 computes in float32; everything else computes in itself.
protocol Element: BitwiseCopyable {
  associatedtype Value: Number
  /// The element in the type it is computed in.
  var value: Value { get }
  /// Rounds to nearest, ties to even, where the element is narrower than its value.
  init(rounding value: Value)
}

/// A number that arithmetic is done in. Integers wrap around and never trap.
protocol Number: Comparable, BitwiseCopyable, Sendable {
  static var zero: Self { get }
  static var one: Self { get }
  /// The identity of max: -∞ or the least integer.
  static var lowest: Self { get }
  /// The identity of min: +∞ or the greatest integer.
  static var highest: Self { get }
  /// Whether there are infinities.
  static var isReal: Bool { get }
  init(_ value: Float)
  init(wrapping value: Int)
  var isNotANumber: Bool { get }
  static func plus(_ a: Self, _ b: Self) -> Self
  static func minus(_ a: Self, _ b: Self) -> Self
  static func times(_ a: Self, _ b: Self) -> Self
  /// Integers truncate; an integer divided by zero is zero.
  static func over(_ a: Self, _ b: Self) -> Self
  /// The remainder with the sign of the divisor; zero for an integer divisor of zero.
  static func modulo(_ a: Self, _ b: Self) -> Self
  /// The remainder with the sign of the dividend; zero for an integer divisor of zero.
  static func remainder(_ a: Self, _ b: Self) -> Self
  static func power(_ a: Self, _ b: Self) -> Self
  static func squareRoot(_ a: Self) -> Self
  static func exponential(_ a: Self) -> Self
  static func logarithm(_ a: Self) -> Self
}

extension Element where Value == Self {
  @inline(__always) var value: Self { self }
  @inline(__always) init(rounding value: Self) { self = value }
}

extension BFloat16: Element {
  @inline(__always) var value: Float { Float(self) }
  @inline(__always) init(rounding value: Float) { self.init(value) }
}

/// A float that functions beyond arithmetic are computed in, by the C library.
protocol Real: Number, BinaryFloatingPoint {
  static func exp(_ x: Self) -> Self
  static func expMinusOne(_ x: Self) -> Self
  static func log(_ x: Self) -> Self
  static func logOnePlus(_ x: Self) -> Self
  static func pow(_ x: Self, _ y: Self) -> Self
  static func erf(_ x: Self) -> Self
  static func sin(_ x: Self) -> Self
  static func cos(_ x: Self) -> Self
  static func tan(_ x: Self) -> Self
  static func asin(_ x: Self) -> Self
  static func acos(_ x: Self) -> Self
  static func atan(_ x: Self) -> Self
  static func sinh(_ x: Self) -> Self
  static func cosh(_ x: Self) -> Self
  static func tanh(_ x: Self) -> Self
  static func asinh(_ x: Self) -> Self
  static func acosh(_ x: Self) -> Self
  static func atanh(_ x: Self) -> Self
}

extension Real {
  static var one: Self { 1 }
  static var lowest: Self { -.infinity }
  static var highest: Self { .infinity }
  static var isReal: Bool { true }
  init(wrapping value: Int) { self.init(value) }
  @inline(__always) var isNotANumber: Bool { isNaN }
  @inline(__always) static func plus(_ a: Self, _ b: Self) -> Self { a + b }
  @inline(__always) static func minus(_ a: Self, _ b: Self) -> Self { a - b }
  @inline(__always) static func times(_ a: Self, _ b: Self) -> Self { a * b }
  @inline(__always) static func over(_ a: Self, _ b: Self) -> Self { a / b }
  static func modulo(_ a: Self, _ b: Self) -> Self {
    let rest = a.truncatingRemainder(dividingBy: b)
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest
  }
  static func remainder(_ a: Self, _ b: Self) -> Self { a.truncatingRemainder(dividingBy: b) }
  static func power(_ a: Self, _ b: Self) -> Self { pow(a, b) }
  @inline(__always) static func squareRoot(_ a: Self) -> Self { a.squareRoot() }
  static func exponential(_ a: Self) -> Self { exp(a) }
  static func logarithm(_ a: Self) -> Self { log(a) }
}

extension Float: Element, Real {
  static func exp(_ x: Float) -> Float { expf(x) }
  static func expMinusOne(_ x: Float) -> Float { expm1f(x) }
  static func log(_ x: Float) -> Float { logf(x) }
  static func logOnePlus(_ x: Float) -> Float { log1pf(x) }
  static func pow(_ x: Float, _ y: Float) -> Float { powf(x, y) }
  static func erf(_ x: Float) -> Float { erff(x) }
  static func sin(_ x: Float) -> Float { sinf(x) }
  static func cos(_ x: Float) -> Float { cosf(x) }
  static func tan(_ x: Float) -> Float { tanf(x) }
  static func asin(_ x: Float) -> Float { asinf(x) }
  static func acos(_ x: Float) -> Float { acosf(x) }
  static func atan(_ x: Float) -> Float { atanf(x) }
  static func sinh(_ x: Float) -> Float { sinhf(x) }
  static func cosh(_ x: Float) -> Float { coshf(x) }
  static func tanh(_ x: Float) -> Float { tanhf(x) }
  static func asinh(_ x: Float) -> Float { asinhf(x) }
  static func acosh(_ x: Float) -> Float { acoshf(x) }
  static func atanh(_ x: Float) -> Float { atanhf(x) }
}

extension Double: Element, Real {
  static func exp(_ x: Double) -> Double { Glibc.exp(x) }
  static func expMinusOne(_ x: Double) -> Double { Glibc.expm1(x) }
  static func log(_ x: Double) -> Double { Glibc.log(x) }
  static func logOnePlus(_ x: Double) -> Double { Glibc.log1p(x) }
  static func pow(_ x: Double, _ y: Double) -> Double { Glibc.pow(x, y) }
  static func erf(_ x: Double) -> Double { Glibc.erf(x) }
  static func sin(_ x: Double) -> Double { Glibc.sin(x) }
  static func cos(_ x: Double) -> Double { Glibc.cos(x) }
  static func tan(_ x: Double) -> Double { Glibc.tan(x) }
  static func asin(_ x: Double) -> Double { Glibc.asin(x) }
  static func acos(_ x: Double) -> Double { Glibc.acos(x) }
  static func atan(_ x: Double) -> Double { Glibc.atan(x) }
  static func sinh(_ x: Double) -> Double { Glibc.sinh(x) }
  static func cosh(_ x: Double) -> Double { Glibc.cosh(x) }
  static func tanh(_ x: Double) -> Double { Glibc.tanh(x) }
  static func asinh(_ x: Double) -> Double { Glibc.asinh(x) }
  static func acosh(_ x: Double) -> Double { Glibc.acosh(x) }
  static func atanh(_ x: Double) -> Double { Glibc.atanh(x) }
}

/// An integer of 8 to 64 bits; booleans are 8-bit integers, 0 or 1.
protocol Whole: Number, Element, FixedWidthInteger where Value == Self {}

extension Whole {
  static var one: Self { 1 }
  static var lowest: Self { .min }
  static var highest: Self { .max }
  static var isReal: Bool { false }
  init(_ value: Float) { self.init(saturating: Double(value)) }
  init(wrapping value: Int) { self.init(truncatingIfNeeded: value) }
  @inline(__always) var isNotANumber: Bool { false }
  @inline(__always) static func plus(_ a: Self, _ b: Self) -> Self { a &+ b }
  @inline(__always) static func minus(_ a: Self, _ b: Self) -> Self { a &- b }
  @inline(__always) static func times(_ a: Self, _ b: Self) -> Self { a &* b }
  static func over(_ a: Self, _ b: Self) -> Self {
    b == 0 ? 0 : a.dividedReportingOverflow(by: b).partialValue
  }
  static func modulo(_ a: Self, _ b: Self) -> Self {
    let rest = remainder(a, b)
    return rest != 0 && (rest < 0) != (b < 0) ? rest &+ b : rest
  }
  static func remainder(_ a: Self, _ b: Self) -> Self {
    b == 0 ? 0 : a.remainderReportingOverflow(dividingBy: b).partialValue
  }
  /// By squaring; a negative exponent gives the truncated value.
  static func power(_ a: Self, _ b: Self) -> Self {
    if b < 0 {
      if a == 1 { return 1 }
      return Self.isSigned && a == 0 &- 1 ? (b & 1 == 0 ? 1 : a) : 0
    }
    var result: Self = 1
    var base = a
    var rest = b
    while rest > 0 {
      if rest & 1 == 1 { result = result &* base }
      base = base &* base
      rest >>= 1
    }
    return result
  }
  static func squareRoot(_ a: Self) -> Self { Self(saturating: Double(a).squareRoot()) }
  static func exponential(_ a: Self) -> Self { Self(saturating: Double.exp(Double(a))) }
  static func logarithm(_ a: Self) -> Self { Self(saturating: Double.log(Double(a))) }

  /// Truncates towards zero; values outside the range saturate, NaN becomes 0.
  @inline(__always)
  init(saturating value: Double) {
    if value.isNaN {
      self = 0
    } else if value >= Double(Self.max) {
      self = .max
    } else if value <= Double(Self.min) {
      self = .min
    } else {
      self = Self(value)
    }
  }
}

extension Int8: Whole {}
extension UInt8: Whole {}
extension Int16: Whole {}
extension UInt16: Whole {}
extension Int32: Whole {}
extension UInt32: Whole {}
extension Int64: Whole {}
extension UInt64: Whole {}

extension ElementType {
  /// Float types that instructions compute in float32.
  var isComputedInFloat32: Bool { self == .float32 || self == .bfloat16 }
  /// The types that arithmetic instructions take (float16 exists at a program's border only).
  var isArithmetic: Bool { isInteger || isComputedInFloat32 || self == .float64 }
}

/// Elements of float32 or bfloat16, read and written as float32 in blocks.
struct FloatElements {
  let base: UnsafeMutableRawPointer
  let isBFloat16: Bool

  /// The elements of a block; four blocks of them still lie on the stack.
  static let blockLength = 64

  init(_ base: UnsafeMutableRawPointer, _ type: ElementType) {
    self.base = base
    isBFloat16 = type == .bfloat16
  }

  @inline(__always)
  subscript(index: Int) -> Float {
    get {
      isBFloat16
        ? Float(base.assumingMemoryBound(to: BFloat16.self)[index])
        : base.assumingMemoryBound(to: Float.self)[index]
    }
    nonmutating set {
      if isBFloat16 {
        base.assumingMemoryBound(to: BFloat16.self)[index] = BFloat16(newValue)
      } else {
        base.assumingMemoryBound(to: Float.self)[index] = newValue
      }
    }
  }

  /// Copies `count` elements, `step` apart from `offset` on, to `target`.
  @inline(__always)
  func load(_ offset: Int, step: Int, count: Int, to target: UnsafeMutablePointer<Float>) {
    if isBFloat16 {
      let source = base.assumingMemoryBound(to: BFloat16.self) + offset
      for i in 0..<count { target[i] = Float(source[i &* step]) }
    } else {
      let source = base.assumingMemoryBound(to: Float.self) + offset
      for i in 0..<count { target[i] = source[i &* step] }
    }
  }

  /// Copies `count` elements from `source` to `step` apart from `offset` on.
  @inline(__always)
  func store(_ offset: Int, step: Int, count: Int, from source: UnsafePointer<Float>) {
    if isBFloat16 {
      let target = base.assumingMemoryBound(to: BFloat16.self) + offset
      for i in 0..<count { target[i &* step] = BFloat16(source[i]) }
    } else {
      let target = base.assumingMemoryBound(to: Float.self) + offset
      for i in 0..<count { target[i &* step] = source[i] }
    }
  }
}
