import Graphs
import Importers
import Operators
import Tensors
import Testing

@testable import Compilation

/// x → Add → shape; y, shape → Reshape → z.
private func graph() throws -> Graph {
  func make<T: Operator>(_ type: T.Type) throws -> T {
    try T(
      importing: NodeReader(
        name: "", operatorName: T.name, domain: "", version: 18, inputs: [true, true],
        outputs: [true], attributes: [:]))
  }
  var graph = Graph()
  let x = graph.add(Graph.Value(name: "x", type: .int64, dimensions: [.known(2)]))
  let y = graph.add(Graph.Value(name: "y", type: .float32, dimensions: [.known(6)]))
  let shape = graph.add(Graph.Value(name: "shape"))
  let z = graph.add(Graph.Value(name: "z"))
  graph.inputs = [x, y]
  graph.outputs = [z]
  graph.nodes = [
    Graph.Node(
      name: "double", op: try make(BinaryOperator<Elementwise.Add>.self), inputs: [x, x],
      outputs: [shape]),
    Graph.Node(
      name: "reshape", op: try make(Reshape.self), inputs: [y, shape], outputs: [z]),
  ]
  return graph
}

@Suite struct `A value needed at compile time` {
  @Test func `is named by the error`() throws {
    let graph = try graph()
    do throws(CompileError) {
      _ = try Compiler().compile(graph)
      Issue.record("compiled, though a shape is computed at run time")
    } catch {
      #expect(error.code == .dataDependent)
      #expect(error.neededValue == "shape")
      #expect(error.place == "node \"reshape\" (Reshape)")
      #expect(error.message.contains("--shape"))
    }
  }
}
