import Graphs
import Operators
import Tensors
import Testing

@testable import Compilation

/// Makes small graphs, node by node.
struct GraphMaker {
  var graph = Graph()

  mutating func input(_ name: String, _ shape: Shape) -> Graph.ValueID {
    let id = graph.add(value(name, shape))
    graph.inputs.append(id)
    return id
  }

  mutating func constant(_ tensor: TensorBuffer) -> Graph.ValueID {
    var value = value("c\(graph.values.count)", tensor.shape)
    (value.type, value.constant) = (tensor.type, tensor)
    return graph.add(value)
  }

  mutating func constant(_ shape: Shape, seed: UInt64) -> Graph.ValueID {
    var random = RandomInputs(seed: seed)
    return constant(random.tensor(.float32, shape))
  }

  mutating func integers(_ values: [Int64]) -> Graph.ValueID {
    constant(TensorBuffer(.int64, [values.count], values))
  }

  mutating func add(
    _ name: String, _ inputs: [Graph.ValueID], _ attributes: [String: Attribute] = [:],
    outputs: Int = 1
  ) throws -> [Graph.ValueID] {
    let results = (0..<outputs).map { _ in
      graph.add(Graph.Value(name: "v\(graph.values.count)"))
    }
    let reader = NodeReader(
      name: "\(name)\(graph.nodes.count)", operatorName: name, domain: "", version: 17,
      inputs: inputs.map { _ in true }, outputs: results.map { _ in true }, attributes: attributes)
    let type = try #require(OperatorCatalog.type(domain: "", name: name))
    graph.nodes.append(
      Graph.Node(
        name: reader.name, op: try type.init(importing: reader), inputs: inputs, outputs: results))
    return results
  }

  mutating func one(
    _ name: String, _ inputs: Graph.ValueID..., attributes: [String: Attribute] = [:]
  ) throws -> Graph.ValueID {
    let results = try add(name, inputs, attributes)
    return try #require(results.first)
  }

  private func value(_ name: String, _ shape: Shape) -> Graph.Value {
    Graph.Value(
      name: name, type: .float32, dimensions: shape.dimensions.map { .known($0) })
  }
}
