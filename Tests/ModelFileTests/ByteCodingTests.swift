import Testing

@testable import ModelFile

@Suite struct ByteCodingTests {
  @Test func `reads back every number`() throws {
    let numbers = [0, 1, -1, 63, 64, 127, 128, -128, 1 << 40, Int.max, Int.min]
    var out = ByteWriter()
    for number in numbers { out.signed(number) }
    for number in numbers where number >= 0 { out.count(number) }
    out.float(-1.5)
    out.string("π")
    out.fixed(UInt32(0x0102_0304))
    try out.bytes.span.bytes.withUnsafeBytes { (bytes) throws(ModelFileError) in
      var input = ByteReader(bytes, section: "test")
      for number in numbers { #expect(try input.signed() == number) }
      for number in numbers where number >= 0 { #expect(try input.size() == number) }
      #expect(try input.float() == -1.5)
      #expect(try input.string() == "π")
      #expect(try input.fixed(UInt32.self) == 0x0102_0304)
      try input.end()
    }
  }

  @Test func `reads lists of numbers as it reads single ones`() throws {
    let integers = [0, -1, 1, 63, -64, 64, -65, 255, 1 << 40, -(1 << 40)]
    let floats: [Float] = [0, -1.5, .pi, .greatestFiniteMagnitude]
    var out = ByteWriter()
    for float in floats { out.float(float) }
    for integer in integers { out.signed(integer) }
    try out.bytes.span.bytes.withUnsafeBytes { (bytes) throws(ModelFileError) in
      var input = ByteReader(bytes, section: "test")
      #expect(try input.floats(floats.count) == floats)
      #expect(try input.integers(integers.count) == integers.map { Int32(clamping: $0) })
      try input.end()
      for count in [1, 1 << 40] {
        #expect(throws: ModelFileError.self) { try input.floats(count) }
        #expect(throws: ModelFileError.self) { try input.integers(count) }
      }
      // Enough bytes for as many numbers, but the last one does not end.
      let cut = UnsafeRawBufferPointer(rebasing: bytes.dropLast())
      var other = ByteReader(cut, section: "test")
      _ = try other.floats(floats.count)
      #expect(throws: ModelFileError.self) { try other.integers(integers.count) }
    }
  }

  @Test func `refuses what cannot be`() {
    let cases: [[UInt8]] = [
      [],  // nothing
      [0x80],  // an unfinished number
      [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02],  // 65 bits
      [0x05, 0x41],  // five items in one byte
      [0x01, 0xFF],  // no UTF-8
    ]
    for bytes in cases {
      #expect(throws: ModelFileError.self) {
        try bytes.span.bytes.withUnsafeBytes { (raw) throws(ModelFileError) in
          var input = ByteReader(raw, section: "test")
          _ = try input.string()
        }
      }
    }
  }
}
