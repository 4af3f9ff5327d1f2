internal import Texts

/// Says what is wrong with a preprocessing or postprocessing specification.
public struct SpecificationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of the mistake; new kinds may come.
  public struct Code: Sendable, Hashable {
    let name: String
    /// A key that no specification has.
    public static let unknownKey = Code(name: "unknownKey")
    /// A kit that does not exist.
    public static let unknownKit = Code(name: "unknownKit")
    /// A value that its key does not take.
    public static let invalidValue = Code(name: "invalidValue")
    /// Two values that exclude each other, or one that lacks another.
    public static let contradiction = Code(name: "contradiction")
    /// A model input that pictures cannot fill, or not with these values.
    public static let unfitInput = Code(name: "unfitInput")
  }

  public let code: Code
  /// What is wrong, with the values, and the remedy.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}

/// The pieces of `KEY=VALUE,KEY=VALUE`, checked for missing and repeated keys.
func keyValuePairs(
  _ text: some StringProtocol, of owner: String
) throws(SpecificationError) -> [(key: String, value: String)] {
  var pairs: [(key: String, value: String)] = []
  for piece in text.split(separator: ",", omittingEmptySubsequences: false) {
    guard let equals = piece.firstIndex(of: "=") else {
      throw SpecificationError(
        .invalidValue, "\(owner): '\(piece)' is not KEY=VALUE; separate several with commas")
    }
    let key = String(piece[..<equals])
    guard !pairs.contains(where: { $0.key == key }) else {
      throw SpecificationError(.contradiction, "\(owner): '\(key)' is given twice")
    }
    pairs.append((key, String(piece[piece.index(after: equals)...])))
  }
  return pairs
}

/// Returns the error for a key that does not exist, with the nearest that does.
func unknownKey(_ key: String, of owner: String, keys: [String]) -> SpecificationError {
  let hint =
    Suggestion.nearest(key, in: keys).map { "did you mean '\($0)'?" }
    ?? "it takes \(keys.joined(separator: ", "))"
  return SpecificationError(.unknownKey, "\(owner) has no key '\(key)'; \(hint)")
}

/// Returns the number without a fraction where it has none: `114`, `0.25`.
func plainNumber(_ value: Double) -> String {
  value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
}

/// Returns a finite number, or throws a sentence that names the key.
func finiteNumber(
  _ text: some StringProtocol, key: String, of owner: String
) throws(SpecificationError) -> Double {
  guard let value = Double(String(text)), value.isFinite else {
    throw SpecificationError(.invalidValue, "\(owner): \(key)=\(text) is not a number")
  }
  return value
}

/// Returns a whole number of at least `minimum`, or throws a sentence that names the key.
func wholeNumber(
  _ text: some StringProtocol, key: String, of owner: String, minimum: Int, maximum: Int
) throws(SpecificationError) -> Int {
  guard let value = Int(String(text)), value >= minimum, value <= maximum else {
    throw SpecificationError(
      .invalidValue, "\(owner): \(key)=\(text) is not a whole number from \(minimum) to \(maximum)")
  }
  return value
}
