/// Reads and writes single elements of any numeric type as `Double` or `Int`, wherever they lie:
/// the slow way that works for all types, packed ones included.
///
/// Elements smaller than a byte lie packed, the first in the low bits of its byte. Writing one
/// changes its byte, so that two threads must not write neighbours: give each a multiple of
/// `grain` elements.
package struct NumericElements {
  /// How a number becomes one of an element type that cannot hold it.
  package struct Rules: Sendable, Hashable {
    /// Whether float8 takes its largest number for what is too large.
    package var saturates = true
    /// How float8e8m0 rounds.
    package var rounding = PowerOfTwo.Rounding.up

    package init() {}
  }

  /// Elements in one byte of the smallest type.
  package static let grain = 4

  private let base: UnsafeMutableRawPointer
  private let type: ElementType
  private let format: SmallFloat?

  /// - Parameter base: memory for the elements, aligned or not; must outlive this value.
  package init(_ base: UnsafeMutableRawPointer, _ type: ElementType) {
    self.base = base
    self.type = type
    format = SmallFloat(type)
  }

  /// Says whether elements of this type are numbers (or bool).
  package static func supports(_ type: ElementType) -> Bool {
    switch type {
    case .string, .complex64, .complex128: false
    default: true
    }
  }

  @inline(__always)
  private func load<T: BitwiseCopyable>(_ index: Int, as _: T.Type) -> T {
    base.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.size, as: T.self)
  }

  /// The bits of an element that takes at most a byte.
  @inline(__always)
  private func code(_ index: Int) -> UInt8 {
    let bits = type.bitCount
    if bits == 8 { return load(index, as: UInt8.self) }
    let place = index * bits
    return load(place / 8, as: UInt8.self) >> UInt8(place % 8) & (1 << UInt8(bits) - 1)
  }

  /// An element as an integer: an integer type or bool exactly, a float truncated.
  package func whole(_ index: Int) -> Int {
    switch type {
    case .int8: Int(load(index, as: Int8.self))
    case .uint8, .bool, .uint4, .uint2: Int(code(index))
    case .int4: Int(Int8(bitPattern: code(index) << 4) >> 4)
    case .int2: Int(Int8(bitPattern: code(index) << 6) >> 6)
    case .int16: Int(load(index, as: Int16.self))
    case .uint16: Int(load(index, as: UInt16.self))
    case .int32: Int(load(index, as: Int32.self))
    case .uint32: Int(load(index, as: UInt32.self))
    case .int64: Int(load(index, as: Int64.self))
    case .uint64: Int(truncatingIfNeeded: load(index, as: UInt64.self))
    default: Int(saturating: real(index))
    }
  }

  /// An element as a float: exact but for 64-bit integers.
  package func real(_ index: Int) -> Double {
    switch type {
    case .float32: Double(load(index, as: Float.self))
    case .float64: load(index, as: Double.self)
    case .float16: Double(load(index, as: Float16.self))
    case .bfloat16: Double(Float(load(index, as: BFloat16.self)))
    case .uint64: Double(load(index, as: UInt64.self))
    case .float8E8M0: Double(PowerOfTwo.decoded(code(index)))
    default: format.map { Double($0.decoded(code(index))) } ?? Double(whole(index))
    }
  }

  @inline(__always)
  private func store<T: BitwiseCopyable>(_ value: T, at index: Int) {
    base.storeBytes(of: value, toByteOffset: index * MemoryLayout<T>.size, as: T.self)
  }

  private func setCode(_ code: UInt8, at index: Int) {
    let bits = type.bitCount
    if bits == 8 { return store(code, at: index) }
    let place = index * bits
    let mask: UInt8 = (1 << UInt8(bits) - 1) << UInt8(place % 8)
    let old = load(place / 8, as: UInt8.self)
    store(old & ~mask | code << UInt8(place % 8) & mask, at: place / 8)
  }

  /// Makes the bits behind the last of `count` elements zero, where elements lie packed: before
  /// the last ones are written.
  package func clearTail(count: Int) {
    let bits = count * type.bitCount
    if bits % 8 != 0 { store(UInt8(0), at: bits / 8) }
  }

  /// Writes an integer: integer types keep the low bits, floats round to nearest.
  package func set(_ value: Int, at index: Int, _ rules: Rules = Rules()) {
    switch type {
    case .int8, .uint8, .uint4, .int4, .uint2, .int2:
      setCode(UInt8(truncatingIfNeeded: value), at: index)
    case .bool: setCode(value == 0 ? 0 : 1, at: index)
    case .int16, .uint16: store(UInt16(truncatingIfNeeded: value), at: index)
    case .int32, .uint32: store(UInt32(truncatingIfNeeded: value), at: index)
    case .int64, .uint64: store(value, at: index)
    case .float32: store(Float(value), at: index)
    default: set(Double(value), at: index, rules)
    }
  }

  /// Writes a float: float types round to nearest, ties to even; integers truncate; those of 8 to
  /// 64 bits saturate, smaller ones keep the low bits. NaN becomes the integer 0.
  package func set(_ value: Double, at index: Int, _ rules: Rules = Rules()) {
    switch type {
    case .float32: store(Float(value), at: index)
    case .float64: store(value, at: index)
    case .float16: store(Float16(value), at: index)
    case .bfloat16: store(BFloat16(Float(value)), at: index)
    case .bool: setCode(value == 0 ? 0 : 1, at: index)
    case .uint64:
      let clamped = value.isNaN ? 0 : min(max(value, 0), 0x1p64)
      store(clamped == 0x1p64 ? UInt64.max : UInt64(clamped), at: index)
    case .float8E8M0:
      setCode(
        PowerOfTwo.encoded(Float(value), rules.rounding, saturating: rules.saturates), at: index)
    default:
      if let format {
        setCode(format.encoded(value, saturating: rules.saturates), at: index)
      } else {
        let whole = Int(saturating: value)
        set(type.bitCount < 8 ? whole : type.clamped(whole), at: index)
      }
    }
  }
}

extension ElementType {
  /// The least and the greatest integer of an integer type (uint64: up to the greatest `Int`); nil
  /// for other types.
  package var integerRange: ClosedRange<Int>? {
    switch self {
    case .int2: -2...1
    case .uint2: 0...3
    case .int4: -8...7
    case .uint4: 0...15
    case .int8: -128...127
    case .uint8: 0...255
    case .int16: -32768...32767
    case .uint16: 0...65535
    case .int32: Int(Int32.min)...Int(Int32.max)
    case .uint32: 0...Int(UInt32.max)
    case .int64: Int.min...Int.max
    case .uint64: 0...Int.max
    default: nil
    }
  }

  /// Says whether elements take less than a byte and lie packed.
  public var isPacked: Bool { bitCount > 0 && bitCount < 8 }

  fileprivate func clamped(_ value: Int) -> Int {
    guard let range = integerRange else { return value }
    return Swift.min(Swift.max(value, range.lowerBound), range.upperBound)
  }
}

extension Int {
  /// Truncates towards zero; values outside the range saturate, NaN becomes 0.
  package init(saturating value: Double) {
    if value.isNaN {
      self = 0
    } else if value >= 0x1p63 {
      self = .max
    } else if value <= -0x1p63 {
      self = .min
    } else {
      self = Int(value)
    }
  }
}
