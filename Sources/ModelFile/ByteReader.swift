import Tensors

/// Reads what `ByteWriter` wrote from bytes that nobody vouches for.
///
/// The first thing that does not fit makes every further read throw as well, with the offset in
/// the section as the error's place.
struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  private(set) var offset = 0
  private let section: String

  init(_ bytes: UnsafeRawBufferPointer, section: String) {
    self.bytes = bytes
    self.section = section
  }

  var remaining: Int { bytes.count - offset }

  func corrupt(_ message: String) -> ModelFileError {
    ModelFileError(
      .corrupt, "\(message); the file is damaged, compile it again",
      place: "section \"\(section)\", byte \(offset)")
  }

  mutating func byte() throws(ModelFileError) -> UInt8 {
    guard offset < bytes.count else { throw corrupt("it ends too early") }
    defer { offset += 1 }
    return bytes[offset]
  }

  mutating func unsigned() throws(ModelFileError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      let next = try byte()
      let bits = UInt64(next & 0x7F)
      guard shift < 63 || bits <= 1 else { break }
      value |= bits << shift
      if next < 0x80 { return value }
    }
    throw corrupt("a number has too many bits")
  }

  mutating func signed() throws(ModelFileError) -> Int {
    let value = try unsigned()
    return Int(bitPattern: UInt(value >> 1)) ^ -Int(value & 1)
  }

  /// A number that is never negative.
  mutating func size() throws(ModelFileError) -> Int {
    guard let value = Int(exactly: try unsigned()) else { throw corrupt("a size is too large") }
    return value
  }

  /// The number of items that follow, each of which takes at least `smallest` bytes.
  mutating func count(smallest: Int = 1) throws(ModelFileError) -> Int {
    let value = try size()
    guard value <= remaining / max(smallest, 1) else {
      throw corrupt("\(value) items are announced and \(remaining) bytes are left")
    }
    return value
  }

  mutating func fixed<T: FixedWidthInteger>(_: T.Type) throws(ModelFileError) -> T {
    let size = MemoryLayout<T>.size
    guard remaining >= size else { throw corrupt("it ends too early") }
    defer { offset += size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  mutating func float() throws(ModelFileError) -> Float {
    Float(bitPattern: try fixed(UInt32.self))
  }

  mutating func floats(_ count: Int) throws(ModelFileError) -> [Float] {
    guard count <= remaining / 4 else { throw corrupt("it ends too early") }
    defer { offset += 4 * count }
    let (bytes, offset) = (bytes, offset)
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      for index in 0..<count {
        let bits = bytes.loadUnaligned(fromByteOffset: offset + 4 * index, as: UInt32.self)
        buffer[index] = Float(bitPattern: UInt32(littleEndian: bits))
      }
      initialized = count
    }
  }

  /// Signed numbers, those outside the range of 32 bits as its ends.
  mutating func integers(_ count: Int) throws(ModelFileError) -> [Int32] {
    guard count <= remaining else { throw corrupt("it ends too early") }
    var values = [Int32](repeating: 0, count: count)
    // So are the zero points of all weights.
    if union(count) == 0 {
      offset += count
      return values
    }
    var index = 0
    while index < count {
      index += readShort(&values, from: index)
      guard index < count else { break }
      values[index] = Int32(clamping: try signed())
      index += 1
    }
    return values
  }

  /// The bits that any of the next bytes has.
  private func union(_ count: Int) -> UInt8 {
    var any: UInt8 = 0
    for byte in UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]) { any |= byte }
    return any
  }

  /// Reads numbers of one or two bytes, which nearly all have; returns how many.
  private mutating func readShort(_ values: inout [Int32], from first: Int) -> Int {
    let bytes = bytes
    var (next, index) = (offset, first)
    values.withUnsafeMutableBufferPointer { values in
      while index < values.count, next < bytes.count {
        var value = Int32(bytes[next])
        if value >= 0x80 {
          guard next + 1 < bytes.count, bytes[next + 1] < 0x80 else { break }
          next += 1
          value = value & 0x7F | Int32(bytes[next]) << 7
        }
        values[index] = value >> 1 ^ -(value & 1)
        index += 1
        next += 1
      }
    }
    offset = next
    return index - first
  }

  mutating func bool() throws(ModelFileError) -> Bool {
    switch try byte() {
    case 0: return false
    case 1: return true
    default: throw corrupt("a truth value is neither 0 nor 1")
    }
  }

  mutating func string() throws(ModelFileError) -> String {
    let length = try count()
    defer { offset += length }
    let text = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
    // To validate takes much longer, and most names are ASCII.
    if union(length) < 0x80 { return String(decoding: text, as: UTF8.self) }
    guard let string = String(validating: text, as: UTF8.self) else {
      throw corrupt("a text is not UTF-8")
    }
    return string
  }

  mutating func elementType() throws(ModelFileError) -> ElementType {
    let value = try byte()
    guard let type = ElementType(rawValue: value) else {
      throw corrupt("there is no element type \(value)")
    }
    return type
  }

  /// A shape whose extents can be multiplied without overflow.
  mutating func shape() throws(ModelFileError) -> Shape {
    let rank = try count()
    guard rank <= FileFormat.largestRank else { throw corrupt("a shape of rank \(rank)") }
    var extents: [Int] = []
    var product = 1
    for _ in 0..<rank {
      let extent = try size()
      let (next, overflow) = product.multipliedReportingOverflow(by: max(extent, 1))
      guard !overflow, next <= FileFormat.largestTensor else {
        throw corrupt("a shape has too many elements")
      }
      product = next
      extents.append(extent)
    }
    return Shape(extents)
  }

  mutating func end() throws(ModelFileError) {
    guard remaining == 0 else { throw corrupt("\(remaining) bytes are left over") }
  }
}
