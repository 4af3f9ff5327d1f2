/// A floating-point format of 4 or 8 bits with sign, exponent and mantissa: float8 and float4 of
/// ONNX (the formats of the OCP 8-bit and MX specifications, and their variants without a
/// negative zero).
///
///     bit  7  6 …            0
///          s  e e e e  m m m        float8e4m3fn: exponent bits 4, mantissa bits 3, bias 7
///
/// With exponent field 0 the number is m · 2^(1 - bias - mantissa bits), else
/// (1.m) · 2^(e - bias).
public struct SmallFloat: Sendable, Hashable {
  /// What the codes beside numbers mean.
  enum Specials {
    /// As IEEE 754: the highest exponent holds infinity and NaN.
    case infinityAndNaN
    /// No infinity; all exponent and mantissa bits set are NaN.
    case allOnesIsNaN
    /// No infinity and no negative zero, whose code is NaN.
    case negativeZeroIsNaN
    /// Numbers only.
    case none
  }

  let bitCount: Int
  let mantissaBits: Int
  let bias: Int
  let specials: Specials

  /// - Returns: nil for an element type that is not such a format.
  public init?(_ type: ElementType) {
    switch type {
    case .float8E4M3FN: self.init(8, mantissa: 3, bias: 7, .allOnesIsNaN)
    case .float8E4M3FNUZ: self.init(8, mantissa: 3, bias: 8, .negativeZeroIsNaN)
    case .float8E5M2: self.init(8, mantissa: 2, bias: 15, .infinityAndNaN)
    case .float8E5M2FNUZ: self.init(8, mantissa: 2, bias: 16, .negativeZeroIsNaN)
    case .float4E2M1: self.init(4, mantissa: 1, bias: 1, .none)
    default: return nil
    }
  }

  private init(_ bitCount: Int, mantissa: Int, bias: Int, _ specials: Specials) {
    self.bitCount = bitCount
    mantissaBits = mantissa
    self.bias = bias
    self.specials = specials
  }

  private var signBit: UInt8 { 1 << UInt8(bitCount - 1) }

  /// The code of the largest number, without sign.
  private var largest: UInt8 {
    switch specials {
    case .infinityAndNaN: signBit - 1 - (1 << UInt8(mantissaBits))
    case .allOnesIsNaN: signBit - 2
    case .negativeZeroIsNaN, .none: signBit - 1
    }
  }

  /// The number that a code stands for; exact.
  public func decoded(_ code: UInt8) -> Float {
    let bits = Int(code & (signBit - 1))
    let isNegative = code & signBit != 0
    switch specials {
    case .negativeZeroIsNaN where isNegative && bits == 0: return .nan
    case .allOnesIsNaN where bits == Int(signBit) - 1: return .nan
    case .infinityAndNaN where bits > Int(largest):
      let isInfinity = bits == Int(largest) + 1
      return isInfinity ? (isNegative ? -.infinity : .infinity) : .nan
    default: break
    }
    let field = bits >> mantissaBits
    let fraction = bits & (1 << mantissaBits - 1)
    let significand = field == 0 ? fraction : fraction + 1 << mantissaBits
    let magnitude = Float(
      sign: .plus, exponent: max(field, 1) - bias - mantissaBits, significand: Float(significand))
    return isNegative ? -magnitude : magnitude
  }

  /// The code nearest to a number, ties to the even one.
  ///
  /// - Parameter saturating: whether what is too large (infinity too) becomes the largest number;
  ///   else it becomes infinity, or NaN where there is none. NaN stays NaN; a format without NaN
  ///   has zero for it, with the sign bit set.
  public func encoded(_ value: Double, saturating: Bool) -> UInt8 {
    let sign = value.sign == .minus ? signBit : 0
    if value.isNaN { return notANumber(sign: sign) }
    guard value.isFinite else { return tooLarge(sign: sign, saturating) }
    if value == 0 { return specials == .negativeZeroIsNaN ? 0 : sign }
    let magnitude = value.magnitude
    let exponent = max(Int(magnitude.exponent), 1 - bias)
    if exponent > 128 { return tooLarge(sign: sign, saturating) }
    let unit = Double(sign: .plus, exponent: exponent - mantissaBits, significand: 1)
    let steps = Int((magnitude / unit).rounded(.toNearestOrEven))
    // A number that rounded up to the next power of two carries into the exponent by itself.
    let code = (exponent + bias - 1) << mantissaBits + steps
    if code > Int(largest) { return tooLarge(sign: sign, saturating) }
    return code == 0 && specials == .negativeZeroIsNaN ? 0 : sign | UInt8(code)
  }

  private func notANumber(sign: UInt8) -> UInt8 {
    switch specials {
    case .infinityAndNaN: sign | (signBit - 2)
    case .allOnesIsNaN: sign | (signBit - 1)
    case .negativeZeroIsNaN, .none: signBit
    }
  }

  private func tooLarge(sign: UInt8, _ saturating: Bool) -> UInt8 {
    if saturating || specials == .none { return sign | largest }
    return specials == .infinityAndNaN ? sign | (largest + 1) : notANumber(sign: sign)
  }
}

/// float8e8m0: a power of two without sign or mantissa, 2^(code - 127); code 255 is NaN.
public enum PowerOfTwo {
  /// How a number between two powers is rounded.
  public enum Rounding: UInt8, Sendable, Hashable {
    /// To the next higher power.
    case up = 0
    /// To the next lower power.
    case down = 1
    /// To the nearer power; the higher one where both are equally near.
    case nearest = 2
  }

  /// The number that a code stands for.
  public static func decoded(_ code: UInt8) -> Float {
    if code == 255 { return .nan }
    return Float(sign: .plus, exponent: Int(code) - 127, significand: 1)
  }

  /// The code of a number; its sign does not matter, infinities become NaN.
  ///
  /// - Parameter saturating: whether what would be rounded beyond 2^127 stays 2^127 instead of
  ///   becoming NaN.
  public static func encoded(_ value: Float, _ rounding: Rounding, saturating: Bool) -> UInt8 {
    let bits = value.bitPattern
    let exponent = UInt8(truncatingIfNeeded: bits >> 23)
    if exponent == 255 { return 255 }
    let fraction = bits & 0x7F_FFFF
    let roundsUp: Bool
    switch rounding {
    case .up: roundsUp = fraction != 0
    case .down: roundsUp = false
    case .nearest: roundsUp = exponent > 0 ? fraction >= 0x40_0000 : fraction > 0x40_0000
    }
    if !roundsUp || exponent == 254 && saturating { return exponent }
    return exponent + 1
  }
}
