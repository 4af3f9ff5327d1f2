/// Where something stands in a text; both count from 1, columns in characters of UTF-8 decoding.
package struct TextPosition: Sendable, Hashable, CustomStringConvertible {
  package var line: Int
  package var column: Int

  package init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  package var description: String { "line \(line), column \(column)" }
}

/// A value read from JSON that remembers where it stood.
package struct JSONNode: Sendable {
  /// One field of an object.
  package struct Field: Sendable {
    package var key: String
    package var position: TextPosition
    package var value: JSONNode
  }

  package enum Value: Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONNode])
    /// In the order of the text; keys differ.
    case object([Field])
  }

  package var position: TextPosition
  package var value: Value

  /// The field `key` of an object; nil for other values and where there is none.
  package subscript(key: String) -> JSONNode? { fields?.first { $0.key == key }?.value }

  package var fields: [Field]? {
    if case .object(let fields) = value { fields } else { nil }
  }
  package var elements: [JSONNode]? {
    if case .array(let elements) = value { elements } else { nil }
  }
  package var string: String? { if case .string(let string) = value { string } else { nil } }
  package var number: Double? { if case .number(let number) = value { number } else { nil } }
  package var bool: Bool? { if case .bool(let bool) = value { bool } else { nil } }
  /// The number where it is whole and fits.
  package var integer: Int? { number.flatMap { Int(exactly: $0) } }
  package var isNull: Bool { if case .null = value { true } else { false } }

  /// Checks that every key of an object is one of `keys`.
  ///
  /// - Throws: `JSONError` at the first other key, with the nearest of `keys`.
  package func requireKeys(_ keys: [String]) throws(JSONError) {
    for field in fields ?? [] where !keys.contains(field.key) {
      let known = keys.joined(separator: ", ")
      throw JSONError(
        position: field.position,
        message: "unknown key \(JSONWriter.quoted(field.key)); known are \(known)."
          + Suggestion.question(field.key, in: keys))
    }
  }
}

/// Why a text is no JSON, or not the JSON that was expected.
package struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  package var position: TextPosition
  package var message: String

  package init(position: TextPosition, message: String) {
    self.position = position
    self.message = message
  }

  package var description: String { "\(position): \(message)" }
}
