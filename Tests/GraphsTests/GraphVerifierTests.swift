import Operators
import Tensors
import Testing

@testable import Graphs

struct GraphVerifierTests {
  /// x → Identity → y
  private func graph() -> Graph {
    var graph = Graph()
    let x = graph.add(Graph.Value(name: "x", type: .float32, dimensions: [.known(2)]))
    let y = graph.add(Graph.Value(name: "y"))
    graph.inputs = [x]
    graph.outputs = [y]
    graph.nodes = [Graph.Node(name: "n", op: Identity(), inputs: [x], outputs: [y])]
    return graph
  }

  private func message(_ graph: Graph) -> String {
    do throws(GraphError) {
      try GraphVerifier.verify(graph)
      return ""
    } catch { return error.description }
  }

  @Test func `a sound graph passes`() {
    #expect(message(graph()) == "")
  }

  @Test func `a value that is used before it is made is named`() {
    var graph = graph()
    graph.inputs = []
    #expect(message(graph).contains("\"x\" is used before anything makes it"))
    #expect(message(graph).contains("\"n\" (Identity)"))
  }

  @Test func `a value with two makers is named with both`() {
    var graph = graph()
    graph.nodes.append(graph.nodes[0])
    graph.nodes[1].name = "m"
    let text = message(graph)
    #expect(text.contains("\"y\" is made by node \"m\" (Identity) and by node \"n\" (Identity)"))
  }

  @Test func `an identity out of range is named`() {
    var graph = graph()
    graph.outputs = [Graph.ValueID(9)]
    #expect(message(graph) == "the list of outputs: value 9 does not exist; there are 2")
  }

  @Test func `a constant must agree with its value`() {
    var graph = graph()
    _ = graph.add(
      Graph.Value(
        name: "c", type: .float32, dimensions: [.known(3)], constant: TensorBuffer([2], [1, 2])))
    #expect(message(graph).contains("the constant \"c\" is float32 2"))
  }

  @Test func `the text names values, operators and constants`() {
    var graph = graph()
    graph.name = "g"
    let one = graph.add(
      Graph.Value(name: "one", type: .float32, dimensions: [], constant: TensorBuffer([], [1])))
    graph.nodes[0].inputs.append(one)
    #expect(
      graph.text == """
        graph "g"
          in  %0 "x": float32[2]
          %1 "y" = Identity(%0, float32[]{1.0})  # "n"
          out %1 "y"

        """)
  }
}
