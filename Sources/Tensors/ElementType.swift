/// The type of one element of a tensor.
///
/// The raw value is ONNX's `TensorProto.DataType`, so that files and messages agree on numbers.
public enum ElementType: UInt8, Sendable, Hashable, CaseIterable {
  case float32 = 1
  case uint8 = 2
  case int8 = 3
  case uint16 = 4
  case int16 = 5
  case int32 = 6
  case int64 = 7
  case string = 8
  case bool = 9
  case float16 = 10
  case float64 = 11
  case uint32 = 12
  case uint64 = 13
  case complex64 = 14
  case complex128 = 15
  case bfloat16 = 16
  case float8E4M3FN = 17
  case float8E4M3FNUZ = 18
  case float8E5M2 = 19
  case float8E5M2FNUZ = 20
  case uint4 = 21
  case int4 = 22
  case float4E2M1 = 23
  case float8E8M0 = 24
  case uint2 = 25
  case int2 = 26

  /// The bits of one element; 0 for strings, which have no fixed size.
  public var bitCount: Int {
    switch self {
    case .string: 0
    case .uint2, .int2: 2
    case .uint4, .int4, .float4E2M1: 4
    case .uint8, .int8, .bool, .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ,
      .float8E8M0:
      8
    case .uint16, .int16, .float16, .bfloat16: 16
    case .float32, .int32, .uint32: 32
    case .float64, .int64, .uint64, .complex64: 64
    case .complex128: 128
    }
  }

  /// The bytes of one element; 0 for strings and for types smaller than a byte.
  public var byteCount: Int { bitCount / 8 }

  /// Returns the bytes that `count` elements take, or nil where that overflows. Elements smaller
  /// than a byte are packed, the first in the low bits.
  public func byteCount(of count: Int) -> Int? {
    let (bits, overflow) = count.multipliedReportingOverflow(by: bitCount)
    guard !overflow, bits >= 0, bits <= Int.max - 7 else { return nil }
    return (bits + 7) / 8
  }

  /// Says whether the type is a floating-point type of 16, 32 or 64 bits.
  public var isFloat: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }

  /// Says whether the type is an integer of 8 to 64 bits.
  public var isInteger: Bool {
    switch self {
    case .uint8, .int8, .uint16, .int16, .int32, .int64, .uint32, .uint64: true
    default: false
    }
  }

  /// The name in messages, files and on the command line, e.g. `float32`.
  public var name: String { "\(self)" }
}

extension ElementType: CustomStringConvertible {
  public var description: String {
    switch self {
    case .float32: "float32"
    case .uint8: "uint8"
    case .int8: "int8"
    case .uint16: "uint16"
    case .int16: "int16"
    case .int32: "int32"
    case .int64: "int64"
    case .string: "string"
    case .bool: "bool"
    case .float16: "float16"
    case .float64: "float64"
    case .uint32: "uint32"
    case .uint64: "uint64"
    case .complex64: "complex64"
    case .complex128: "complex128"
    case .bfloat16: "bfloat16"
    case .float8E4M3FN: "float8e4m3fn"
    case .float8E4M3FNUZ: "float8e4m3fnuz"
    case .float8E5M2: "float8e5m2"
    case .float8E5M2FNUZ: "float8e5m2fnuz"
    case .uint4: "uint4"
    case .int4: "int4"
    case .float4E2M1: "float4e2m1"
    case .float8E8M0: "float8e8m0"
    case .uint2: "uint2"
    case .int2: "int2"
    }
  }
}

extension ElementType {
  /// The type in which elements lie inside a program: packed ones take a byte each (float4 becomes
  /// float32), float16 becomes float32; every other type stays what it is.
  package var innerType: ElementType {
    switch self {
    case .int4, .int2: .int8
    case .uint4, .uint2: .uint8
    case .float4E2M1, .float16: .float32
    default: self
    }
  }
}
