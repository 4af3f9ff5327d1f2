import Graphs

/// A cursor over one protobuf message in memory.
///
///     message = { tag value }        tag = varint: field number << 3 | wire type
///     wire type 0: varint (7 bits per byte, low first; the high bit says that another follows)
///               1: 8 bytes    2: varint length, then as many bytes    5: 4 bytes
///               3, 4: groups, which ONNX does not use: refused
///
/// Source: protobuf.dev, "Encoding". Positions are offsets in the whole file, so that errors name
/// the byte. Nothing is trusted: every read is checked against the end of the enclosing message.
struct WireReader {
  /// One field of a message: its number, how it is encoded, and where its tag lies.
  struct Field {
    var number: Int
    var wire: UInt8
    var offset: Int
  }

  let base: UnsafeRawPointer
  private(set) var position: Int
  let end: Int

  /// Reads the message in `range` of the bytes at `base`, which must hold them.
  init(base: UnsafeRawPointer, range: Range<Int>) {
    self.base = base
    position = range.lowerBound
    end = range.upperBound
  }

  /// A cursor over a message inside this one, as returned by `bytes`.
  func message(_ range: Range<Int>) -> WireReader { WireReader(base: base, range: range) }

  /// Returns the next field, or nil at the end of the message. Its value must be read or skipped.
  mutating func next() throws(ImportError) -> Field? {
    if position >= end { return nil }
    let offset = position
    let tag = try varint()
    let number = tag >> 3
    guard number > 0, number < 1 << 29 else {
      throw malformed("\(number) is no field number", at: offset)
    }
    return Field(number: Int(number), wire: UInt8(tag & 7), offset: offset)
  }

  mutating func skip(_ field: Field) throws(ImportError) {
    switch field.wire {
    case 0: _ = try varint()
    case 1: try advance(8)
    case 2: _ = try bytes(field)
    case 5: try advance(4)
    case 3, 4: throw malformed("a group, which ONNX does not use", at: field.offset)
    default: throw malformed("wire type \(field.wire) does not exist", at: field.offset)
    }
  }

  /// A 64-bit integer.
  mutating func int(_ field: Field) throws(ImportError) -> Int {
    try expect(0, field)
    return Int(truncatingIfNeeded: try varint())
  }

  /// A 32-bit float.
  mutating func float(_ field: Field) throws(ImportError) -> Float {
    try expect(5, field)
    return Float(bitPattern: try fixed(UInt32.self))
  }

  /// The place of a length-delimited value: a string, bytes, a message, packed numbers.
  mutating func bytes(_ field: Field) throws(ImportError) -> Range<Int> {
    try expect(2, field)
    let start = position
    let length = try varint()
    guard length <= UInt64(end - position) else {
      throw malformed("\(length) bytes are announced, but only \(end - position) left", at: start)
    }
    let range = position..<position + Int(length)
    position = range.upperBound
    return range
  }

  /// Appends one integer, or several in packed form.
  mutating func append(_ field: Field, to integers: inout [Int]) throws(ImportError) {
    if field.wire == 0 {
      integers.append(Int(truncatingIfNeeded: try varint()))
      return
    }
    var packed = message(try bytes(field))
    integers.reserveCapacity(integers.count + packed.varintCount)
    while packed.position < packed.end {
      integers.append(Int(truncatingIfNeeded: try packed.varint()))
    }
  }

  /// Appends one number of fixed size, or several in packed form.
  mutating func append<T: FixedWidthInteger & BitwiseCopyable>(
    _ field: Field, fixed numbers: inout [T]
  ) throws(ImportError) {
    let size = MemoryLayout<T>.size
    if field.wire == (size == 4 ? 5 : 1) {
      numbers.append(try fixed(T.self))
      return
    }
    let range = try bytes(field)
    guard range.count % size == 0 else {
      throw malformed("\(range.count) bytes are no whole \(size)-byte numbers", at: field.offset)
    }
    numbers.reserveCapacity(numbers.count + range.count / size)
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: size) {
      numbers.append(base.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
  }

  /// The number of complete varints between the position and the end.
  private var varintCount: Int {
    var count = 0
    for offset in position..<end where base.load(fromByteOffset: offset, as: UInt8.self) < 128 {
      count += 1
    }
    return count
  }

  @inline(__always)
  private mutating func varint() throws(ImportError) -> UInt64 {
    if position < end {
      let byte = base.load(fromByteOffset: position, as: UInt8.self)
      if byte < 128 {
        position += 1
        return UInt64(byte)
      }
    }
    return try longVarint()
  }

  @inline(never)
  private mutating func longVarint() throws(ImportError) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard position < end else { throw malformed("the number is cut off", at: start) }
      let byte = base.load(fromByteOffset: position, as: UInt8.self)
      position += 1
      guard shift < 63 || byte < 2 else { break }
      value |= UInt64(byte & 127) << shift
      if byte < 128 { return value }
    }
    throw malformed("the number has more than 64 bits", at: start)
  }

  private mutating func fixed<T: BitwiseCopyable>(_ type: T.Type) throws(ImportError) -> T {
    let start = position
    try advance(MemoryLayout<T>.size)
    return base.loadUnaligned(fromByteOffset: start, as: type)
  }

  private mutating func advance(_ count: Int) throws(ImportError) {
    guard count <= end - position else {
      throw malformed("\(count) bytes are needed, but only \(end - position) left", at: position)
    }
    position += count
  }

  private func expect(_ wire: UInt8, _ field: Field) throws(ImportError) {
    if field.wire == wire { return }
    throw malformed(
      "field \(field.number) has wire type \(field.wire), but must have \(wire)", at: field.offset)
  }

  /// An error about the bytes at `offset`.
  func malformed(_ message: String, at offset: Int) -> ImportError {
    ImportError(.malformed, message, place: "byte \(offset)")
  }
}
