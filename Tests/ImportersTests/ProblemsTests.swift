import Graphs
import Testing

@testable import Importers

/// The error that lists what a model asks for in vain.
struct ProblemsTests {
  private typealias A = ONNX.Attribute

  @Test func `one error lists every node with its reason`() throws {
    let inner = ONNX.graph(
      nodes: [ONNX.node("Nested", [], ["q"], name: "deep")], outputs: [ONNX.value("q")])
    let error = try #require(
      failure(
        ONNX.model(
          opset: 13,
          ONNX.graph(
            nodes: [
              ONNX.node("Foo", ["x"], ["a"], name: "foo1"),
              ONNX.node("Foo", ["a"], ["b"], name: "foo2"),
              ONNX.node("LateProbe", ["b"], ["c"], name: "late"),
              ONNX.node("Probe", ["c"], ["d"], name: "odd", [A.int("strange", 1)]),
              ONNX.node("Probe", ["d"], ["e"], name: "wrong", [A.int("text", 1)]),
              ONNX.node("Probe", ["e"], ["y"], name: "holder", [A.graph("body", inner)]),
              ONNX.node("Magic", ["e"], ["z"], name: "far", domain: "com.example"),
            ], inputs: [ONNX.value("x")], outputs: [ONNX.value("y")]))))
    #expect(error.code == .unsupported)
    #expect(error.problems.map(\.node) == ["foo1", "foo2", "late", "odd", "wrong", "deep", "far"])
    let text = error.description
    for part in [
      "7 nodes cannot be imported:", "Foo (ai.onnx 13) is not an operator that Apus reads",
      "2 nodes: \"foo1\", \"foo2\"", "is read from version 16 of the operator set on",
      "export the model with opset 16 or later", "has the attribute \"strange\"",
      "attribute \"text\" is an integer, but must be a string", "domain \"com.example\"",
    ] {
      #expect(text.contains(part), "\(part)\n\(text)")
    }
  }

  @Test func `a misspelt operator is told its neighbour`() throws {
    let error = try #require(
      failure(
        ONNX.model(
          ONNX.graph(
            nodes: [ONNX.node("Identiy", ["x"], ["y"])], inputs: [ONNX.value("x")],
            outputs: [ONNX.value("y")]))))
    #expect(error.problems[0].remedy == "is it Identity?")
    let elsewhere = try #require(
      failure(
        ONNX.model(
          ONNX.graph(
            nodes: [ONNX.node("Identity", ["x"], ["y"], domain: "com.example")],
            inputs: [ONNX.value("x")], outputs: [ONNX.value("y")]))))
    #expect(elsewhere.problems[0].remedy == "is it Identity of the domain ai.onnx?")
  }

  @Test func `very many problems make a message of bounded length`() throws {
    let nodes = (0..<5000).map { ONNX.node("Foo\($0)", ["x"], ["v\($0)"]) }
    let error = try #require(
      failure(ONNX.model(ONNX.graph(nodes: nodes, inputs: [ONNX.value("x")]))))
    #expect(error.problems.count == 5000)
    #expect(error.message.contains("and 4900 more operators"))
    #expect(error.message.utf8.count < 40_000)
  }

  @Test(arguments: [0, ONNXVersions.newestOpset + 1])
  func `an operator set out of range is refused with the range`(version: Int) {
    let text = message(ONNX.model(opset: version, ONNX.graph()))
    #expect(text.contains("the model uses opset \(version); Apus reads 1 to"))
    #expect(text.contains("export it with"))
  }

  @Test func `control characters of names do not reach the terminal`() {
    let text = message(
      ONNX.model(
        ONNX.graph(nodes: [ONNX.node("Identity", ["\u{1B}[2J"], ["y"], name: "a\u{7}\nb")])))
    #expect(text.contains("\\u{1b}[2J") && text.contains("a\\u{7}\\nb"))
  }

  @Test func `inputs that are no tensors are refused by name`() {
    func input(_ type: Message) -> Message {
      Message {
        $0.text(1, "s")
        $0.message(2, type)
      }
    }
    let map = Message { $0.message(5, Message { $0.int(1, 1) }) }
    let refused = message(ONNX.model(ONNX.graph(inputs: [input(map)])))
    #expect(refused.contains("the input \"s\" is a map"))
    let tensor = Message { $0.message(1, Message { $0.int(1, 7) }) }
    let sequence = Message { m in m.message(4, Message { $0.message(1, tensor) }) }
    let twice = Message { m in m.message(4, Message { $0.message(1, sequence) }) }
    let nested = message(ONNX.model(ONNX.graph(inputs: [input(twice)])))
    #expect(nested.contains("the input \"s\" is a sequence of others"))
  }

  @Test func `sequences and optionals are read with the type of their tensors`() throws {
    let tensor = Message { $0.message(1, Message { $0.int(1, 7) }) }
    let sequence = Message { m in m.message(4, Message { $0.message(1, tensor) }) }
    let optional = Message { m in m.message(9, Message { $0.message(1, sequence) }) }
    let inputs = [("a", tensor), ("b", sequence), ("c", optional)].map { name, type in
      Message {
        $0.text(1, name)
        $0.message(2, type)
      }
    }
    let graph = try imported(ONNX.model(ONNX.graph(inputs: inputs)))
    #expect(graph.inputs.map { graph[$0].kind } == [.tensor, .sequence, .optional])
    #expect(graph.inputs.allSatisfy { graph[$0].type == .int64 })
  }

  @Test(arguments: [
    ("", "the file is empty"), ("PK\u{3}\u{4}junkjunk", "a zip archive"),
    ("version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
    ("ir_version: 8\ngraph {\n}", "protobuf's text form"), ("{\"graph\": 1}", "JSON"),
    ("name: \"net\"\nlayer {", "Caffe .prototxt"), ("<!DOCTYPE html>", "a web page"),
    ("hello there", "text"), ("\u{1C}\0\0\0TFL3", "TensorFlow Lite"),
  ])
  func `other formats are named`(content: String, what: String) {
    #expect(message(Array(content.utf8)).contains(what))
  }
}
