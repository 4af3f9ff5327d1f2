/// Puts numbers and strings one after the other. Integers are LEB128: seven bits a byte, the
/// lowest first, the top bit saying that more follow.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  mutating func byte(_ value: UInt8) { bytes.append(value) }

  mutating func unsigned(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  /// A number that is never negative, such as a count.
  mutating func count(_ value: Int) {
    precondition(value >= 0, "a count is not negative")
    unsigned(UInt64(value))
  }

  /// Zigzag: 0, -1, 1, -2 … become 0, 1, 2, 3 …
  mutating func signed(_ value: Int) {
    unsigned(UInt64(bitPattern: Int64((value << 1) ^ (value >> 63))))
  }

  mutating func fixed<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func float(_ value: Float) { fixed(value.bitPattern) }

  mutating func string(_ value: String) {
    let text = Array(value.utf8)
    count(text.count)
    bytes.append(contentsOf: text)
  }

  mutating func string(_ value: StaticString) {
    count(value.utf8CodeUnitCount)
    value.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  mutating func raw(_ more: [UInt8]) { bytes.append(contentsOf: more) }

  mutating func zeros(to byteCount: Int) {
    if bytes.count < byteCount {
      bytes.append(contentsOf: [UInt8](repeating: 0, count: byteCount - bytes.count))
    }
  }
}
