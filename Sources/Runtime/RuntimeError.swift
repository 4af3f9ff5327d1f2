/// Why a program cannot be loaded or run.
public struct RuntimeError: Error, Sendable, CustomStringConvertible {
  /// What kind of failure it is. More may come.
  public struct Code: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// The program contradicts itself, or would reach outside its memory.
    public static let invalidProgram = Code(description: "invalid program")
    /// No input or output has that name or place.
    public static let unknownPort = Code(description: "unknown port")
    /// A tensor has another type or shape, or too few bytes.
    public static let wrongTensor = Code(description: "wrong tensor")
    /// The input was taken in its direct form and can no longer be set as declared.
    public static let inputTaken = Code(description: "input taken")
    /// The program that was asked for is not in the model.
    public static let noSuchProgram = Code(description: "no such program")
    /// The file holds the source model instead of programs.
    public static let needsCompiler = Code(description: "needs the compiler")
    /// There is not enough memory.
    public static let outOfMemory = Code(description: "out of memory")
    /// The system allows no more threads.
    public static let outOfThreads = Code(description: "out of threads")
    /// The data made an instruction impossible, such as an index out of range.
    public static let fault = Code(description: "fault")
    /// Another thread is running the session.
    public static let inUse = Code(description: "in use")
    /// The run was cancelled.
    public static let cancelled = Code(description: "cancelled")
  }

  public var code: Code
  /// What is wrong, with the operands, and the remedy.
  public var message: String
  /// The source node, instruction, input or output that is concerned; nil if none is.
  public var place: String?

  package init(_ code: Code, _ message: String, place: String? = nil) {
    self.code = code
    self.message = message
    self.place = place
  }

  public var description: String { place.map { "\($0): \(message)" } ?? message }
}
