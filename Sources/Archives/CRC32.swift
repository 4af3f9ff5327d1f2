/// The checksum of zip files (ISO 3309; polynomial 0xEDB88320, reflected), eight bytes a step.
struct CRC32 {
  private var state = UInt32.max

  /// The checksum of everything added so far.
  var value: UInt32 { ~state }

  /// `tables[k * 256 + b]`: the effect of byte b, k bytes before the end of a step.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var remainder = UInt32(byte)
      for _ in 0..<8 {
        remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0xEDB8_8320 : remainder >> 1
      }
      tables[byte] = remainder
    }
    for index in 256..<(8 * 256) {
      let before = tables[index - 256]
      tables[index] = before >> 8 ^ tables[Int(before & 0xFF)]
    }
    return tables
  }()

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    CRC32.tables.withUnsafeBufferPointer { tables in
      var state = state
      var index = 0
      while index + 8 <= bytes.count {
        let word =
          UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
          ^ UInt64(state)
        state = 0
        for lane in 0..<8 {
          state ^= tables[(7 - lane) * 256 + Int(word >> UInt64(8 * lane) & 0xFF)]
        }
        index += 8
      }
      while index < bytes.count {
        state = state >> 8 ^ tables[Int((state ^ UInt32(bytes[index])) & 0xFF)]
        index += 1
      }
      self.state = state
    }
  }
}
