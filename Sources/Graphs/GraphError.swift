/// Why a graph makes no sense: shapes or types that contradict each other.
public struct GraphError: Error, Sendable, CustomStringConvertible {
  public var message: String
  /// The node, `"conv1" (Conv)`; filled in by whoever walks the graph.
  public var place: String?

  public init(_ message: String, place: String? = nil) {
    self.message = message
    self.place = place
  }

  public var description: String { place.map { "node \($0): \(message)" } ?? message }
}
