import Texts

// The kinds of values that options take, each with its own message for what it cannot read.

extension Option where Value == String {
  /// An option with any text, e.g. a path.
  package static func text(_ name: String, _ placeholder: String, help: String) -> Self {
    Option(name, placeholder, help: help) { (text) throws(UsageError) in
      guard !text.isEmpty else { throw UsageError("the value is empty") }
      return text
    }
  }

  /// An option with one of some words.
  package static func choice(_ name: String, _ words: [String], help: String) -> Self {
    Option(name, words.joined(separator: "|"), help: help) { (text) throws(UsageError) in
      try chosen(text, words)
    }
  }
}

extension Option where Value: RawRepresentable<String> & CaseIterable {
  /// An option with one of the cases of an enumeration.
  package static func choice(_ name: String, help: String) -> Self {
    let words = Value.allCases.map(\.rawValue)
    return Option(name, words.joined(separator: "|"), help: help) { (text) throws(UsageError) in
      let word = try chosen(text, words)
      guard let value = Value(rawValue: word) else { throw UsageError("'\(word)' is unknown") }
      return value
    }
  }
}

extension Option where Value == Int {
  /// An option with a whole number within `range`.
  package static func integer(
    _ name: String, _ placeholder: String = "N", in range: ClosedRange<Int> = 0...Int.max,
    help: String
  ) -> Self {
    Option(name, placeholder, help: help) { (text) throws(UsageError) in
      guard let value = Int(text) else { throw UsageError("'\(text)' is not a whole number") }
      guard range.contains(value) else {
        throw UsageError("\(text) is not \(bounds(range.lowerBound, range.upperBound, .max))")
      }
      return value
    }
  }

  /// An option with a size in bytes: `1048576`, `512K`, `512M`, `1.5G` (powers of 1024).
  package static func size(_ name: String, help: String) -> Self {
    Option(name, "SIZE", help: help) { (text) throws(UsageError) in try ValueText.size(text) }
  }
}

extension Option where Value == Double {
  /// An option with a number within `range`.
  package static func number(
    _ name: String, _ placeholder: String = "X",
    in range: ClosedRange<Double> = -Double
      .greatestFiniteMagnitude...Double.greatestFiniteMagnitude,
    help: String
  ) -> Self {
    Option(name, placeholder, help: help) { (text) throws(UsageError) in
      let value = try ValueText.number(text)
      guard range.contains(value) else {
        let limits = bounds(range.lowerBound, range.upperBound, .greatestFiniteMagnitude)
        throw UsageError("\(text) is not \(limits)")
      }
      return value
    }
  }

  /// An option with a time span, in seconds: `90`, `1.5s`, `250ms`, `2m`, `1h`.
  package static func seconds(_ name: String, help: String) -> Self {
    Option(name, "SECONDS", help: help) { (text) throws(UsageError) in
      try ValueText.seconds(text)
    }
  }
}

extension Option where Value == [String] {
  /// An option with names divided by commas.
  package static func list(_ name: String, _ placeholder: String, help: String) -> Self {
    Option(name, placeholder, help: help) { (text) throws(UsageError) in
      let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      guard !parts.contains("") else { throw UsageError("'\(text)' has an empty name in it") }
      return parts
    }
  }
}

extension Option where Value == ShapeSet {
  /// An option with input shapes: `NAME=1x3x640x640[,NAME=…]`.
  package static func shapes(_ name: String, help: String) -> Self {
    Option(name, "NAME=1x3x640x640[,…]", help: help) { (text) throws(UsageError) in
      try ShapeSet(parsing: text)
    }
  }
}

private func chosen(_ text: String, _ words: [String]) throws(UsageError) -> String {
  guard words.contains(text) else {
    throw UsageError(
      "'\(text)' is not one of \(words.joined(separator: ", "))."
        + Suggestion.question(text, in: words))
  }
  return text
}

/// `at least 1`, `at most 9` or `between 1 and 9`.
private func bounds<T: Comparable & SignedNumeric>(_ low: T, _ high: T, _ most: T) -> String {
  if high == most { return "at least \(low)" }
  if low == -most { return "at most \(high)" }
  return "between \(low) and \(high)"
}
