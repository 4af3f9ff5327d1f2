extension JSONNode {
  /// Reads one JSON document (RFC 8259, strictly: no comments, no trailing commas, no repeated
  /// keys, nothing after the end).
  ///
  /// Objects and arrays may nest `depthLimit` deep; texts above `byteLimit` are refused. The values
  /// of the keys `skipped` are checked like all others, but left out as null: what nobody needs
  /// takes no memory.
  package init(
    parsing bytes: [UInt8], byteLimit: Int = 64 << 20, depthLimit: Int = 64,
    skipping skipped: Set<String> = []
  ) throws(JSONError) {
    guard bytes.count <= byteLimit else {
      throw JSONError(
        position: TextPosition(line: 1, column: 1),
        message: "\(bytes.count) bytes of JSON; at most \(byteLimit) are accepted")
    }
    var parser = JSONParser(bytes: bytes, depthLimit: depthLimit, skipped: skipped)
    self = try parser.document()
  }

  /// Reads one JSON document from text.
  package init(parsing text: String) throws(JSONError) {
    try self.init(parsing: Array(text.utf8))
  }
}

/// A recursive-descent parser over bytes; the recursion is bounded by `depthLimit`.
private struct JSONParser {
  let bytes: [UInt8]
  let depthLimit: Int
  let skipped: Set<String>
  var index = 0
  var depth = 0
  /// The position of the byte at `counted`, moved forward on demand: each byte is counted once.
  var counted = 0
  var reached = TextPosition(line: 1, column: 1)

  mutating func document() throws(JSONError) -> JSONNode {
    let node = try value()
    skipSpaces()
    guard index == bytes.count else { throw error("something follows the end of the document") }
    return node
  }

  private mutating func value() throws(JSONError) -> JSONNode {
    skipSpaces()
    let position = position()
    guard let byte = peek else { throw error("the text ends where a value is expected") }
    let value: JSONNode.Value
    switch byte {
    case UInt8(ascii: "{"): value = .object(try nested { (p) throws(JSONError) in try p.object() })
    case UInt8(ascii: "["): value = .array(try nested { (p) throws(JSONError) in try p.array() })
    case UInt8(ascii: "\""): value = .string(try string())
    case UInt8(ascii: "t") where accept("true"): value = .bool(true)
    case UInt8(ascii: "f") where accept("false"): value = .bool(false)
    case UInt8(ascii: "n") where accept("null"): value = .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): value = .number(try number())
    default:
      throw error("expected a value: an object, an array, a quoted string, a number, true or false")
    }
    return JSONNode(position: position, value: value)
  }

  private mutating func nested<R>(
    _ body: (inout JSONParser) throws(JSONError) -> R
  ) throws(JSONError) -> R {
    depth += 1
    guard depth <= depthLimit else { throw error("nests more than \(depthLimit) deep") }
    let result = try body(&self)
    depth -= 1
    return result
  }

  // MARK: Containers

  private mutating func object() throws(JSONError) -> [JSONNode.Field] {
    index += 1
    var fields: [JSONNode.Field] = []
    var keys = Set<String>()
    if acceptToken("}") { return fields }
    while true {
      skipSpaces()
      let position = position()
      guard peek == UInt8(ascii: "\"") else { throw error("expected a key in double quotes") }
      let key = try string()
      guard keys.insert(key).inserted else {
        throw JSONError(
          position: position, message: "the key \(JSONWriter.quoted(key)) is given twice")
      }
      guard acceptToken(":") else {
        throw error("expected ':' after the key \(JSONWriter.quoted(key))")
      }
      var value = try value()
      if skipped.contains(key) { value.value = .null }
      fields.append(JSONNode.Field(key: key, position: position, value: value))
      if acceptToken("}") { return fields }
      guard acceptToken(",") else { throw error("expected ',' or '}'") }
    }
  }

  private mutating func array() throws(JSONError) -> [JSONNode] {
    index += 1
    var elements: [JSONNode] = []
    if acceptToken("]") { return elements }
    while true {
      elements.append(try value())
      if acceptToken("]") { return elements }
      guard acceptToken(",") else { throw error("expected ',' or ']'") }
    }
  }

  // MARK: Scalars

  private mutating func string() throws(JSONError) -> String {
    let start = position()
    index += 1
    var content: [UInt8] = []
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        index += 1
        guard let string = String(validating: content, as: UTF8.self) else {
          throw JSONError(position: start, message: "the string is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"):
        index += 1
        content += Array(String(Character(try escape())).utf8)
      case 0..<0x20: throw error("a line break or control character in a string; escape it")
      default:
        content.append(byte)
        index += 1
      }
    }
    throw JSONError(position: start, message: "the string has no end")
  }

  private mutating func escape() throws(JSONError) -> Unicode.Scalar {
    guard let byte = peek else { throw error("the text ends inside a string") }
    let simple: [UInt8: Unicode.Scalar] = [
      UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/",
      UInt8(ascii: "b"): "\u{8}", UInt8(ascii: "f"): "\u{C}", UInt8(ascii: "n"): "\n",
      UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
    ]
    if let scalar = simple[byte] {
      index += 1
      return scalar
    }
    guard byte == UInt8(ascii: "u") else { throw error("unknown escape after '\\'") }
    index += 1
    var code = try hexadecimal()
    if (0xD800..<0xDC00).contains(code), accept("\\u") {
      let low = try hexadecimal()
      guard (0xDC00..<0xE000).contains(low) else { throw error("half of a surrogate pair") }
      code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw error("half of a surrogate pair") }
    return scalar
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = peek.flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else {
        throw error("expected four hexadecimal digits after '\\u'")
      }
      code = code << 4 | UInt32(digit)
      index += 1
    }
    return code
  }

  private mutating func number() throws(JSONError) -> Double {
    let start = index
    _ = accept("-")
    let whole = digits()
    guard whole > 0, whole == 1 || bytes[index - whole] != UInt8(ascii: "0") else {
      throw error("a number begins with one digit other than 0, or is 0")
    }
    if accept("."), digits() == 0 { throw error("expected digits after the decimal point") }
    if accept("e") || accept("E") {
      if !accept("+") { _ = accept("-") }
      if digits() == 0 { throw error("expected digits in the exponent") }
    }
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    guard let number = Double(text), number.isFinite else {
      throw error("the number \(text) is too large")
    }
    return number
  }

  private mutating func digits() -> Int {
    let start = index
    while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
    return index - start
  }

  // MARK: Bytes

  private var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func accept(_ word: String) -> Bool {
    guard bytes[index...].starts(with: word.utf8) else { return false }
    index += word.utf8.count
    return true
  }

  private mutating func acceptToken(_ token: String) -> Bool {
    skipSpaces()
    return accept(token)
  }

  private mutating func skipSpaces() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      index += 1
    }
  }

  private mutating func position() -> TextPosition {
    while counted < index {
      let byte = bytes[counted]
      if byte == 0x0A {
        reached = TextPosition(line: reached.line + 1, column: 1)
      } else if byte & 0xC0 != 0x80 {
        reached.column += 1
      }
      counted += 1
    }
    return reached
  }

  private mutating func error(_ message: String) -> JSONError {
    JSONError(position: position(), message: message)
  }
}
