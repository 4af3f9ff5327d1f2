import Graphs
import Operators
import Tensors

/// Builds graphs for tests. A class, so that nodes can be made where they are used.
final class GraphMaker {
  var graph = Graph()

  /// Makes an input; extents below 0 are open.
  func input(
    _ name: String, _ type: ElementType? = .float32, _ extents: [Int]? = nil,
    kind: Graph.Kind = .tensor
  ) -> Graph.ValueID {
    var value = Graph.Value(
      name: name, type: type,
      dimensions: extents.map { $0.map { $0 < 0 ? .symbol("") : .known($0) } })
    value.kind = kind
    let id = graph.add(value)
    graph.inputs.append(id)
    return id
  }

  /// Makes a value that comes from the graph around this one.
  func capture(_ name: String) -> Graph.ValueID {
    let id = graph.add(Graph.Value(name: name))
    graph.captures.append(id)
    return id
  }

  func constant(_ tensor: TensorBuffer) -> Graph.ValueID {
    graph.add(
      Graph.Value(
        name: "constant \(graph.values.count)", type: tensor.type,
        dimensions: tensor.shape.dimensions.map { .known($0) }, constant: tensor))
  }

  /// Adds a node with one output.
  func node(
    _ type: any Operator.Type, _ inputs: [Graph.ValueID?], _ attributes: [String: Attribute] = [:],
    version: Int = 18, name: String? = nil
  ) throws -> Graph.ValueID {
    try nodes(type, inputs, attributes, outputs: 1, version: version, name: name)[0]
  }

  /// Adds a node with several outputs.
  func nodes(
    _ type: any Operator.Type, _ inputs: [Graph.ValueID?], _ attributes: [String: Attribute] = [:],
    outputs: Int, version: Int = 18, name: String? = nil
  ) throws -> [Graph.ValueID] {
    let name = name ?? "\(type.name) \(graph.nodes.count)"
    let reader = NodeReader(
      name: name, operatorName: type.name, domain: "", version: version,
      inputs: inputs.map { $0 != nil }, outputs: [Bool](repeating: true, count: outputs),
      attributes: attributes)
    let op = try type.init(importing: reader)
    let ids = (0..<outputs).map { graph.add(Graph.Value(name: "\(name):\($0)")) }
    graph.nodes.append(Graph.Node(name: name, op: op, inputs: inputs, outputs: ids))
    return ids
  }

  /// The graph with these outputs, checked.
  func finish(_ outputs: Graph.ValueID...) throws -> Graph {
    graph.outputs = outputs
    try GraphVerifier.verify(graph)
    return graph
  }
}

func scalar(_ value: Int) -> TensorBuffer { TensorBuffer(.int64, [], [Int64(value)]) }
func flag(_ value: Bool) -> TensorBuffer { TensorBuffer(.bool, [], [value ? 1 : 0] as [UInt8]) }
