// The .npy format (NumPy enhancement proposal 1, versions 1 to 3):
//
//     0      6  7  8            8 + n or 12 + n
//     +------+--+--+-----+------+-----------------------------------
//     |\x93NUMPY|ma|mi| n | text | elements, dense
//     +------+--+--+-----+------+-----------------------------------
//
// n, the length of the text, takes 2 bytes in version 1 and 4 in versions 2 and 3, little-endian.
// The text is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }

import Tensors

/// What the header of an `.npy` array says.
struct NpyHeader: Equatable {
  var type: ElementType
  var isBigEndian: Bool
  var isFortranOrder: Bool
  var shape: Shape

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// Longer header texts are refused; NumPy itself writes fewer than 300 bytes.
  static let longestText = 1 << 16
  /// NumPy's own limit.
  static let highestRank = 64
}

// MARK: Types

extension NpyHeader {
  /// The one-letter kinds and sizes of NumPy, beside the types that they name.
  private static let codes: [(code: String, type: ElementType)] = [
    ("b1", .bool), ("i1", .int8), ("i2", .int16), ("i4", .int32), ("i8", .int64),
    ("u1", .uint8), ("u2", .uint16), ("u4", .uint32), ("u8", .uint64),
    ("f2", .float16), ("f4", .float32), ("f8", .float64), ("c8", .complex64), ("c16", .complex128),
  ]

  /// Returns NumPy's name for a type, e.g. `<f4`; nil for what NumPy cannot hold.
  static func descriptor(of type: ElementType) -> String? {
    guard let code = codes.first(where: { $0.type == type })?.code else { return nil }
    return (type.bitCount == 8 ? "|" : "<") + code
  }

  /// Reads NumPy's name for a type, e.g. `>i8`.
  private static func type(
    of descriptor: String, _ place: ArchivePlace
  ) throws(ArchiveError) -> (ElementType, isBigEndian: Bool) {
    let order = descriptor.first
    let code =
      order.map { "<>=|".contains($0) } == true ? String(descriptor.dropFirst()) : descriptor
    if let found = codes.first(where: { $0.code == code || (code == "?" && $0.type == .bool) }) {
      return (found.type, order == ">")
    }
    let remedy =
      switch code.first {
      case "U", "S", "a", "O": "texts and objects are not supported; save numbers"
      case "V": "raw bytes (bfloat16?) are not supported; save as float32"
      default: "save with astype(numpy.float32) or another numeric type"
      }
    throw place.error("elements of type '\(descriptor)': \(remedy)")
  }
}

// MARK: Reading

extension NpyHeader {
  /// Reads the dictionary text of a header.
  init(parsing text: [UInt8], _ place: ArchivePlace) throws(ArchiveError) {
    var parser = PythonDictionaryParser(text: text, place: place)
    let fields = try parser.parse()
    guard let descriptor = fields.descriptor, let shape = fields.shape,
      let fortranOrder = fields.fortranOrder
    else {
      throw place.error(
        "the header lacks 'descr', 'fortran_order' or 'shape'; the file is damaged: save it again")
    }
    let (type, isBigEndian) = try NpyHeader.type(of: descriptor, place)
    self.init(
      type: type, isBigEndian: isBigEndian, isFortranOrder: fortranOrder, shape: Shape(shape))
  }
}

// MARK: Writing

extension NpyHeader {
  /// The header's bytes, padded with spaces so that the elements begin at a multiple of 64.
  var encoded: [UInt8] {
    let order = isFortranOrder ? "True" : "False"
    let descriptor = NpyHeader.descriptor(of: type) ?? "|u1"
    let extents = shape.dimensions.map { "\($0)," }.joined(separator: " ")
    var text = Array(
      "{'descr': '\(descriptor)', 'fortran_order': \(order), 'shape': (\(extents)), }".utf8)
    while (NpyHeader.magic.count + 4 + text.count + 1) % 64 != 0 { text.append(0x20) }
    text.append(0x0A)
    let count = UInt16(clamping: text.count)
    return NpyHeader.magic + [1, 0, UInt8(count & 0xFF), UInt8(count >> 8)] + text
  }
}

// MARK: The dictionary

/// A parser for the one dictionary that `.npy` headers hold.
private struct PythonDictionaryParser {
  let text: [UInt8]
  let place: ArchivePlace
  var index = 0

  typealias Fields = (descriptor: String?, fortranOrder: Bool?, shape: [Int]?)

  mutating func parse() throws(ArchiveError) -> Fields {
    var fields: Fields = (nil, nil, nil)
    try expect("{")
    while !accept("}") {
      let key = try string()
      try expect(":")
      switch key {
      case "descr" where fields.descriptor == nil: fields.descriptor = try descriptor()
      case "fortran_order" where fields.fortranOrder == nil: fields.fortranOrder = try bool()
      case "shape" where fields.shape == nil: fields.shape = try tuple()
      default: throw damaged("has the key '\(key)' unexpectedly or twice")
      }
      if !accept(",") {
        try expect("}")
        break
      }
    }
    skipSpaces()
    guard index == text.count else { throw damaged("goes on after its end") }
    return fields
  }

  private mutating func descriptor() throws(ArchiveError) -> String {
    skipSpaces()
    if index < text.count, text[index] == UInt8(ascii: "[") {
      throw place.error("records with named fields are not supported; save each field by itself")
    }
    return try string()
  }

  private mutating func string() throws(ArchiveError) -> String {
    skipSpaces()
    guard index < text.count, text[index] == 0x27 || text[index] == 0x22 else {
      throw damaged("lacks a quoted name at byte \(index)")
    }
    let quote = text[index]
    let start = index + 1
    guard let end = text[start...].firstIndex(of: quote), end - start <= 64 else {
      throw damaged("has an unfinished or overlong name at byte \(index)")
    }
    index = end + 1
    return String(decoding: text[start..<end], as: UTF8.self)
  }

  private mutating func bool() throws(ArchiveError) -> Bool {
    skipSpaces()
    for (word, value) in [("True", true), ("False", false)]
    where text[index...].starts(with: word.utf8) {
      index += word.utf8.count
      return value
    }
    throw damaged("says neither True nor False at byte \(index)")
  }

  private mutating func tuple() throws(ArchiveError) -> [Int] {
    var extents: [Int] = []
    try expect("(")
    while !accept(")") {
      extents.append(try integer())
      guard extents.count <= NpyHeader.highestRank else {
        throw damaged("has more than \(NpyHeader.highestRank) dimensions")
      }
      if !accept(",") {
        try expect(")")
        break
      }
    }
    return extents
  }

  private mutating func integer() throws(ArchiveError) -> Int {
    skipSpaces()
    let start = index
    var value = 0
    while index < text.count, let digit = digit(text[index]) {
      let (tens, first) = value.multipliedReportingOverflow(by: 10)
      let (sum, second) = tens.addingReportingOverflow(digit)
      guard !first, !second else { throw damaged("has an absurd extent at byte \(start)") }
      value = sum
      index += 1
    }
    guard index > start else { throw damaged("lacks a non-negative extent at byte \(start)") }
    _ = accept("L")
    return value
  }

  private func digit(_ byte: UInt8) -> Int? {
    (0x30...0x39).contains(byte) ? Int(byte) - 0x30 : nil
  }

  private mutating func skipSpaces() {
    while index < text.count, [0x20, 0x0A, 0x0D, 0x09].contains(text[index]) { index += 1 }
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    skipSpaces()
    guard index < text.count, UInt32(text[index]) == character.value else { return false }
    index += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(ArchiveError) {
    if !accept(character) { throw damaged("lacks '\(character)' at byte \(index)") }
  }

  private func damaged(_ what: String) -> ArchiveError {
    place.error("the header \(what); the file is damaged: save it again with numpy.save")
  }
}
