import Graphs
import Tensors
import Testing

@testable import Importers

/// Names, order, constants, inputs and outputs.
struct StructureTests {
  private typealias A = ONNX.Attribute

  @Test func `inputs, nodes and outputs keep their names and order`() throws {
    let graph = try imported(
      ONNX.model(
        ONNX.graph(
          nodes: [
            ONNX.node("Probe", ["b", "", "a"], ["t", ""], name: "first"),
            ONNX.node("Identity", ["t"], ["y"]),
          ],
          inputs: [ONNX.value("a", ["n", 3]), ONNX.value("b", [-1, 2], type: 7)],
          outputs: [ONNX.value("y", ["n"])])))
    #expect(graph.name == "main")
    #expect(graph.inputs.map { graph[$0].name } == ["a", "b"])
    #expect(graph[graph.inputs[0]].dimensions == [.symbol("n"), .known(3)])
    #expect(graph[graph.inputs[1]].dimensions == [.symbol(""), .known(2)])
    #expect(graph[graph.inputs[1]].type == .int64)
    #expect(graph.nodes.map(\.name) == ["first", "Identity_y"])
    #expect(graph.nodes[0].inputs == [graph.inputs[1], nil, graph.inputs[0]])
    #expect(graph.nodes[0].outputs.count == 2 && graph.nodes[0].outputs[1] == nil)
    #expect(graph.outputs == graph.nodes[1].outputs)
  }

  @Test func `nodes out of order are put in order and others keep their place`() throws {
    let graph = try imported(
      ONNX.model(
        ONNX.graph(
          nodes: [
            ONNX.node("Identity", ["x"], ["p"], name: "0"),
            ONNX.node("Identity", ["q"], ["r"], name: "1"),
            ONNX.node("Identity", ["p"], ["q"], name: "2"),
            ONNX.node("Identity", ["r"], ["y"], name: "3"),
          ], inputs: [ONNX.value("x")], outputs: [ONNX.value("y")])))
    #expect(graph.nodes.map(\.name) == ["0", "2", "1", "3"])
  }

  @Test func `a long chain in reverse order needs no deep stack`() throws {
    let count = 50_000
    let nodes = (0..<count).reversed().map { ONNX.node("Identity", ["v\($0)"], ["v\($0 + 1)"]) }
    let graph = try imported(
      ONNX.model(
        ONNX.graph(
          nodes: nodes, inputs: [ONNX.value("v0")], outputs: [ONNX.value("v\(count)")])))
    #expect(graph.nodes.count == count)
  }

  @Test func `a circle is an error that names its nodes`() {
    let text = message(
      ONNX.model(
        ONNX.graph(
          nodes: [
            ONNX.node("Identity", ["b"], ["a"], name: "first"),
            ONNX.node("Identity", ["a"], ["b"], name: "second"),
          ], outputs: [ONNX.value("a")])))
    #expect(text.contains("in a circle: node \"first\" (Identity), node \"second\" (Identity)"))
  }

  @Test func `a value that is made twice is an error that names both nodes`() {
    let text = message(
      ONNX.model(
        ONNX.graph(
          nodes: [
            ONNX.node("Identity", ["x"], ["y"], name: "first"),
            ONNX.node("Identity", ["x"], ["y"], name: "second"),
          ], inputs: [ONNX.value("x")], outputs: [ONNX.value("y")])))
    #expect(text.contains("\"y\" is made twice, by node \"first\""))
    #expect(text.contains("node \"second\""))
  }

  @Test func `a node may not make an input anew`() {
    let text = message(
      ONNX.model(
        ONNX.graph(
          nodes: [ONNX.node("Identity", ["x"], ["x"])], inputs: [ONNX.value("x")])))
    #expect(text.contains("circle") || text.contains("is an input or a constant"))
  }

  @Test func `an input that nothing makes is named with its node`() throws {
    let error = try #require(
      failure(
        ONNX.model(
          ONNX.graph(
            nodes: [ONNX.node("Identity", ["nowhere"], ["y"], name: "n")],
            outputs: [ONNX.value("y")]))))
    #expect(error.code == .malformed)
    #expect(error.description.contains("input 0, \"nowhere\", is made by nothing"))
    #expect(error.problems.map(\.node) == ["n"])
  }

  @Test func `an output that nothing makes is an error`() {
    let text = message(ONNX.model(ONNX.graph(outputs: [ONNX.value("y")])))
    #expect(text.contains("nothing makes the output \"y\""))
  }

  @Test func `an initialiser among the inputs is a constant`() throws {
    let graph = try imported(
      ONNX.model(
        ir: 3,
        ONNX.graph(
          nodes: [ONNX.node("Probe", ["x", "w"], ["y"])],
          constants: [ONNX.tensor("w", 1, [2], raw: raw([1, 2] as [Float]))],
          inputs: [ONNX.value("x"), ONNX.value("w", [2])], outputs: [ONNX.value("y")])))
    #expect(graph.inputs.map { graph[$0].name } == ["x"])
    #expect(graph.value(named: "w")?.constant?.floats() == [1, 2])
  }

  @Test func `constant nodes of every form become constants`() throws {
    let forms: [(Message, [Float], Shape, ElementType)] = [
      (
        A.tensor("value", ONNX.tensor("", 1, [2], raw: raw([3, 4] as [Float]))), [3, 4], [2],
        .float32
      ),
      (A.float("value_float", 2.5), [2.5], [], .float32),
      (A.int("value_int", -7), [-7], [], .int64),
      (A.ints("value_ints", [1, -1]), [1, -1], [2], .int64),
      (
        A.make("value_floats", 6) {
          $0.float(7, 1.5)
          $0.float(7, 2)
        }, [1.5, 2], [2], .float32
      ),
    ]
    for (attribute, values, shape, type) in forms {
      let graph = try imported(
        ONNX.model(
          ONNX.graph(
            nodes: [
              ONNX.node("Probe", ["c"], ["y"]), ONNX.node("Constant", [], ["c"], [attribute]),
            ], outputs: [ONNX.value("y")])))
      let constant = try #require(graph.value(named: "c")?.constant)
      #expect(constant.floats() == values && constant.shape == shape && constant.type == type)
      #expect(graph.nodes.count == 1)
    }
  }

  @Test func `declared types of computed values are hints and nonsense among them is dropped`()
    throws
  {
    let graph = try imported(
      ONNX.model(
        ONNX.graph(
          nodes: [
            ONNX.node("Identity", ["x"], ["a"]), ONNX.node("Identity", ["a"], ["b"]),
            ONNX.node("Identity", ["b"], ["y"]),
          ],
          inputs: [ONNX.value("x")], outputs: [ONNX.value("y")],
          hints: [ONNX.value("a", [5]), ONNX.value("b", [-5]), ONNX.value("unknown", [1])])))
    #expect(graph.value(named: "a")?.shape == [5])
    #expect(graph.value(named: "b")?.dimensions == nil)
  }

  @Test(arguments: [([Int.max, 3], "impossible shape"), ([-2], "the extent -2")])
  func `an input of an impossible shape is refused`(extents: [Int], text: String) {
    let found = message(ONNX.model(ONNX.graph(inputs: [ONNX.value("x", extents)])))
    #expect(found.contains(text) && found.contains("\"x\""))
  }

  @Test func `origin tells producer, versions and metadata`() throws {
    var bytes = ONNX.model(ONNX.graph())
    bytes +=
      Message { m in
        m.text(3, "2.1")
        m.int(5, 4)
        m.message(
          14,
          Message {
            $0.text(1, "names")
            $0.text(2, "cat")
          })
        m.message(999, Message { $0.text(1, "of a later version") })
      }.bytes
    let origin = try imported(bytes).origin
    let wanted = [
      "format": "ONNX", "ir version": "8", "opset ai.onnx": "17", "opset local": "1",
      "producer": "test", "producer version": "2.1", "model version": "4", "metadata names": "cat",
    ]
    #expect(Dictionary(origin.map { ($0.key, $0.value) }) { a, _ in a } == wanted)
  }

  @Test func `attributes of every kind reach the operator`() throws {
    let graph = try imported(
      ONNX.model(
        ONNX.graph(
          nodes: [
            ONNX.node(
              "Probe", [], ["y"],
              [
                A.int("number", -3), A.float("real", 0.5), A.text("text", "ü"),
                A.make("integers", 7) { $0.packed(8, [1, -2, 300]) },
                A.tensor("tensor", ONNX.tensor("", 7, [1], raw: raw([9 as Int64]))),
              ])
          ], outputs: [ONNX.value("y")])))
    let probe = try #require(graph.nodes[0].op as? Probe)
    #expect(probe.number == -3 && probe.real == 0.5 && probe.text == "ü")
    #expect(probe.integers == [1, -2, 300] && probe.tensor?.integers() == [9])
  }

  @Test func `an attribute without a type has that of its value`() throws {
    let untyped = Message {
      $0.text(1, "number")
      $0.int(3, 5)
    }
    let graph = try imported(
      ONNX.model(
        ONNX.graph(
          nodes: [ONNX.node("Probe", [], ["y"], [untyped])], outputs: [ONNX.value("y")])))
    #expect((graph.nodes[0].op as? Probe)?.number == 5)
  }

  @Test func `an attribute whose value is of another type is refused`() {
    let wrong = A.make("number", 2) { $0.float(2, 1) }
    let text = message(
      ONNX.model(
        ONNX.graph(nodes: [ONNX.node("Probe", [], ["y"], [wrong])], outputs: [ONNX.value("y")])))
    #expect(text.contains("\"number\" is of type 2, but has a value of type 1"))
  }
}
