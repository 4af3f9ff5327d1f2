/// Why an accuracy question cannot be answered as it was asked.
public struct AccuracyError: Error, Sendable, CustomStringConvertible {
  /// What kind of mistake it was. More kinds may come.
  public struct Code: Sendable, Hashable {
    package let name: String

    /// A tolerance that cannot be read.
    public static let badTolerance = Code(name: "bad tolerance")
    /// A name that neither side has.
    public static let unknownName = Code(name: "unknown name")
  }

  public var code: Code
  /// What is wrong and what to write instead.
  public var message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
