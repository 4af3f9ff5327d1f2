/// Says why a pipeline cannot start, or what ended a part of it.
public struct PipelineError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of the fault; new kinds may come.
  public struct Code: Sendable, Hashable {
    let name: String
    /// The exit status of the command line for this fault.
    public let exitStatus: Int32

    /// The configuration contradicts itself or the model.
    public static let configuration = Code(name: "configuration", exitStatus: 64)
    /// The model cannot be run, or its outputs do not fit its postprocessing.
    public static let model = Code(name: "model", exitStatus: 65)
    /// More memory is needed than there is.
    public static let memory = Code(name: "memory", exitStatus: 71)
    /// More file handles are needed than the process may have.
    public static let handles = Code(name: "handles", exitStatus: 71)
    /// More threads are needed than the system allows.
    public static let threads = Code(name: "threads", exitStatus: 71)
    /// An output cannot be written.
    public static let sink = Code(name: "sink", exitStatus: 74)
    /// A source is lost, or was never reached.
    public static let source = Code(name: "source", exitStatus: 75)
  }

  public let code: Code
  /// What failed, with the numbers, and the remedy; without the place.
  public let message: String
  /// The stream, file or place in the configuration, where there is one.
  public var place: String?

  public init(_ code: Code, _ message: String, place: String? = nil) {
    self.code = code
    self.message = message
    self.place = place
  }

  public var description: String { place.map { "\($0): \(message)" } ?? message }
}
