/// Why a graph makes no sense: shapes or types that contradict each other.
public struct GraphError: Error, Sendable, CustomStringConvertible {
  public var message: String
  /// The node, `"conv1" (Conv)`; filled in by whoever walks the graph.
  public var place: String?
  /// The position of the node's input whose contents decide what is asked for, such as the shape of
  /// a result, where they are not known; nil where something else is wrong.
  ///
  /// Whoever has the contents may ask again with them as a constant.
  public var neededInput: Int?
  /// The value at `neededInput`; filled in by whoever walks the graph.
  public var neededValue: Graph.ValueID?

  /// Whether the graph makes sense, but cannot become one program.
  public var needsStages = false

  public init(_ message: String, place: String? = nil) {
    self.message = message
    self.place = place
  }

  /// The error of an operator that no program can hold.
  public init(staged message: String) {
    self.init(message)
    needsStages = true
  }

  /// The error of an operator that cannot do without the contents of an input.
  ///
  /// - Parameter message: says it in the operator's own words; nil: the usual sentence.
  public init(needing input: Int, _ name: String, _ message: String? = nil) {
    self.init(
      message
        ?? "input \(input) (\(name)) is computed at run time, but must be known when the model is "
        + "compiled: fix the input shapes with --shape, or make it a constant of the model")
    neededInput = input
    needsStages = true
  }

  /// The same error, at a node.
  package func at(_ node: Graph.Node) -> GraphError {
    var placed = self
    placed.place = "\"\(node.name)\" (\(type(of: node.op).name))"
    if let neededInput, node.inputs.indices.contains(neededInput) {
      placed.neededValue = node.inputs[neededInput]
    }
    return placed
  }

  public var description: String { place.map { "node \($0): \(message)" } ?? message }
}
