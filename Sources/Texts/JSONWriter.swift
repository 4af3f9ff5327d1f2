/// Writes JSON (RFC 8259) as it goes.
///
/// ```swift
/// var json = JSONWriter()
/// json.object {
///   $0.field("model", "detector")
///   $0.array("shape") { for extent in shape { $0.element(extent) } }
/// }
/// ```
/// Floating-point numbers keep every digit that matters; NaN and infinities, which JSON lacks,
/// become null.
package struct JSONWriter: Sendable {
  /// What has been written so far.
  package private(set) var text = ""
  private let isIndented: Bool
  private var depth = 0
  private var isFirst = true

  /// Makes a writer; `isIndented` gives each field its own line, else everything is one line.
  package init(isIndented: Bool = false) { self.isIndented = isIndented }

  // MARK: Containers

  /// Writes an object, as an element or as the document.
  package mutating func object<E: Error>(
    _ body: (inout JSONWriter) throws(E) -> Void
  ) throws(E) {
    separate()
    try contain("{", "}", body)
  }

  /// Writes an object as the field `key`.
  package mutating func object<E: Error>(
    _ key: String, _ body: (inout JSONWriter) throws(E) -> Void
  ) throws(E) {
    begin(key)
    try contain("{", "}", body)
  }

  /// Writes an array, as an element or as the document.
  package mutating func array<E: Error>(
    _ body: (inout JSONWriter) throws(E) -> Void
  ) throws(E) {
    separate()
    try contain("[", "]", body)
  }

  /// Writes an array as the field `key`.
  package mutating func array<E: Error>(
    _ key: String, _ body: (inout JSONWriter) throws(E) -> Void
  ) throws(E) {
    begin(key)
    try contain("[", "]", body)
  }

  // MARK: Values

  /// Writes a field of the object; nil is null.
  package mutating func field(_ key: String, _ value: (any JSONScalar)?) {
    begin(key)
    text += value?.json ?? "null"
  }

  /// Writes an element of the array; nil is null.
  package mutating func element(_ value: (any JSONScalar)?) {
    separate()
    text += value?.json ?? "null"
  }

  /// Writes a field whose value is an array of scalars, on one line.
  package mutating func field(_ key: String, _ values: [some JSONScalar]) {
    begin(key)
    text += "[" + values.map(\.json).joined(separator: isIndented ? ", " : ",") + "]"
  }

  // MARK: Text

  /// Returns `string` in quotes, escaped.
  package static func quoted(_ string: String) -> String {
    var text = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }

  private mutating func contain<E: Error>(
    _ open: String, _ close: String, _ body: (inout JSONWriter) throws(E) -> Void
  ) throws(E) {
    text += open
    depth += 1
    isFirst = true
    try body(&self)
    depth -= 1
    if !isFirst { breakLine() }
    text += close
    isFirst = false
  }

  private mutating func begin(_ key: String) {
    separate()
    text += JSONWriter.quoted(key) + (isIndented ? ": " : ":")
  }

  private mutating func separate() {
    if !isFirst { text += "," }
    isFirst = false
    if depth > 0 { breakLine() }
  }

  private mutating func breakLine() {
    guard isIndented else { return }
    text += "\n" + String(repeating: "  ", count: depth)
  }
}

/// A value that JSON writes as one token.
package protocol JSONScalar {
  /// The token.
  var json: String { get }
}

extension String: JSONScalar { package var json: String { JSONWriter.quoted(self) } }
extension Int: JSONScalar { package var json: String { String(self) } }
extension Int32: JSONScalar { package var json: String { String(self) } }
extension UInt64: JSONScalar { package var json: String { String(self) } }
extension Bool: JSONScalar { package var json: String { self ? "true" : "false" } }
extension Double: JSONScalar {
  package var json: String { isFinite ? description : "null" }
}
extension Float: JSONScalar {
  package var json: String { isFinite ? description : "null" }
}
