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

  @Test(arguments: [1, 6, ONNXVersions.newestOpset + 1])
  func `an operator set out of range is refused with the range`(version: Int) {
    let text = message(ONNX.model(opset: version, ONNX.graph()))
    #expect(text.contains("the model uses opset \(version); Apus reads 7 to"))
    #expect(text.contains("export it with"))
  }

  @Test func `control characters of names do not reach the terminal`() {
    let text = message(
      ONNX.model(
        ONNX.graph(nodes: [ONNX.node("Identity", ["\u{1B}[2J"], ["y"], name: "a\u{7}\nb")])))
    #expect(text.contains("\\u{1b}[2J") && text.contains("a\\u{7}\\nb"))
  }

  @Test func `inputs that are no tensors are refused by name`() {
    let sequence = Message {
      $0.text(1, "s")
      $0.message(2, Message { $0.message(4, Message { $0.int(1, 1) }) })
    }
    let text = message(ONNX.model(ONNX.graph(inputs: [sequence])))
    #expect(text.contains("the input \"s\" is a sequence"))
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
