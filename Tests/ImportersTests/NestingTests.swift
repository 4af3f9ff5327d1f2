import Graphs
import Tensors
import Testing

@testable import Importers

/// Graphs inside nodes, and functions.
struct NestingTests {
  private typealias A = ONNX.Attribute

  private func names(_ graph: Graph, _ ids: [Graph.ValueID?]) -> [String] {
    ids.map { $0.map { graph[$0].name } ?? "_" }
  }

  @Test func `what a nested graph takes from outside follows the node's own inputs`() throws {
    let other = ONNX.graph(
      nodes: [ONNX.node("Identity", ["b"], ["o"])], outputs: [ONNX.value("o")])
    let body = ONNX.graph(
      nodes: [
        ONNX.node("Probe", ["i", "w", "a", "b"], ["o"]),
        ONNX.node("Identity", ["a"], ["p"]),
      ], inputs: [ONNX.value("i")], outputs: [ONNX.value("o"), ONNX.value("x")])
    let graph = try imported(
      ONNX.model(
        ONNX.graph(
          nodes: [
            // The body needs a, which is made after this node in the file.
            ONNX.node("Probe", ["x"], ["y"], [A.graph("other", other), A.graph("body", body)]),
            ONNX.node("Identity", ["x"], ["a"]), ONNX.node("Identity", ["x"], ["b"]),
          ], constants: [ONNX.tensor("w", 1, [], raw: raw([1] as [Float]))],
          inputs: [ONNX.value("x")], outputs: [ONNX.value("y")])))
    let node = try #require(graph.nodes.last)
    let probe = try #require(node.op as? Probe)
    let inner = try #require(probe.body)
    #expect(names(inner, inner.captures) == ["a", "b", "x"])
    #expect(names(try #require(probe.other), try #require(probe.other).captures) == ["b"])
    #expect(names(graph, node.inputs) == ["x", "a", "b", "x", "b"])
    #expect(inner.value(named: "w")?.constant?.floats() == [1])
    #expect(names(inner, inner.outputs) == ["o", "x"])
  }

  @Test func `a capture passes through every graph in between`() throws {
    let innermost = ONNX.graph(
      nodes: [ONNX.node("Identity", ["x"], ["z"])], outputs: [ONNX.value("z")])
    let middle = ONNX.graph(
      nodes: [ONNX.node("Probe", [], ["m"], [A.graph("body", innermost)])],
      outputs: [ONNX.value("m")])
    let graph = try imported(
      ONNX.model(
        ONNX.graph(
          nodes: [ONNX.node("Probe", [], ["y"], [A.graph("body", middle)])],
          inputs: [ONNX.value("x")], outputs: [ONNX.value("y")])))
    #expect(names(graph, graph.nodes[0].inputs) == ["x"])
    let inner = try #require((graph.nodes[0].op as? Probe)?.body)
    #expect(names(inner, inner.nodes[0].inputs) == ["x"])
    #expect(names(inner, inner.captures) == ["x"])
  }

  @Test func `graphs nested too deep are refused`() {
    func model(depth: Int) -> [UInt8] {
      var body = ONNX.graph()
      for _ in 0..<depth {
        body = ONNX.graph(nodes: [ONNX.node("Probe", [], [""], [A.graph("body", body)])])
      }
      return ONNX.model(body)
    }
    #expect(message(model(depth: 32)) == "")
    #expect(message(model(depth: 33)).contains("nested deeper than the limit of 32"))
    #expect(message(model(depth: 2000)).contains("nested deeper than the limit of 32"))
  }

  @Test func `functions are written out under the names of the call`() throws {
    let twice = ONNX.function(
      "Twice", ["a", "b"], ["r"],
      [
        ONNX.node("Identity", ["a"], ["t"], name: "one"),
        ONNX.node(
          "Probe", ["t", "b"], ["r"], name: "two", [A.reference("number", to: "k", type: 2)]),
      ], attributes: ["k"])
    let outer = ONNX.function(
      "Outer", ["a"], ["r", "a"],
      [
        ONNX.node(
          "Twice", ["a"], ["r"], name: "in", domain: "local", [A.reference("k", to: "j", type: 2)])
      ], defaults: [A.int("j", 7)])
    let graph = try imported(
      ONNX.model(
        functions: [outer, twice],
        ONNX.graph(
          nodes: [
            ONNX.node("Outer", ["x"], ["y", "z"], name: "f", domain: "local"),
            ONNX.node("Twice", ["x"], ["u"], name: "g", domain: "local", [A.int("k", 9)]),
            ONNX.node("Twice", ["x"], ["v"], name: "h", domain: "local"),
          ], inputs: [ONNX.value("x")],
          outputs: ["y", "z", "u", "v"].map { ONNX.value($0) })))
    #expect(
      graph.nodes.map(\.name) == [
        "f/in/one", "f/in/two", "f/a", "g/one", "g/two", "h/one", "h/two",
      ])
    #expect(graph.nodes.compactMap { ($0.op as? Probe)?.number ?? nil } == [7, 9])
    #expect(names(graph, graph.outputs) == ["y", "z", "u", "v"])
    #expect(names(graph, graph.nodes[1].inputs) == ["f/in/t", "_"])
  }

  @Test func `a function that calls itself is refused`() {
    let text = message(
      ONNX.model(
        functions: [
          ONNX.function("F", ["a"], ["r"], [ONNX.node("F", ["a"], ["r"], domain: "local")])
        ],
        ONNX.graph(
          nodes: [ONNX.node("F", ["x"], ["y"], domain: "local")], inputs: [ONNX.value("x")],
          outputs: [ONNX.value("y")])))
    #expect(text.contains("the function \"F\" calls itself"))
  }

  @Test func `functions that grow without bound are refused`() {
    // Each function calls the next ten times: 10^20 nodes from a few kilobytes.
    let functions = (0..<20).map { level in
      ONNX.function(
        "F\(level)", ["a"], ["r9"],
        (0..<10).map { call in
          level == 19
            ? ONNX.node("Identity", ["a"], ["r\(call)"])
            : ONNX.node("F\(level + 1)", ["a"], ["r\(call)"], domain: "local")
        })
    }
    var limits = ONNXLimits()
    limits.nodes = 10_000
    let bytes = ONNX.model(
      functions: functions,
      ONNX.graph(
        nodes: [ONNX.node("F0", ["x"], ["y"], domain: "local")], inputs: [ONNX.value("x")],
        outputs: [ONNX.value("y")]))
    #expect(message(bytes, limits: limits).contains("more nodes than the limit of 10000"))
    limits.nodes = .max
    limits.inlinedElements = 10_000
    #expect(message(bytes, limits: limits).contains("over the limit of 10000 elements"))
  }

  @Test func `a function is not given attributes that it does not have`() {
    let text = message(
      ONNX.model(
        functions: [ONNX.function("F", ["a"], ["r"], [ONNX.node("Identity", ["a"], ["r"])])],
        ONNX.graph(
          nodes: [ONNX.node("F", ["x"], ["y"], domain: "local", [A.int("k", 1)])],
          inputs: [ONNX.value("x")], outputs: [ONNX.value("y")])))
    #expect(text.contains("the function has no attribute \"k\""))
  }
}
