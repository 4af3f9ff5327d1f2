import Graphs
import Operators
import Tensors

@testable import Importers

/// An operator for tests: takes anything, keeps its attributes.
struct Probe: Operator {
  static let name = "Probe"
  var number: Int?
  var real: Float?
  var text: String?
  var integers: [Int]?
  var tensor: TensorBuffer?
  var body: Graph?
  var other: Graph?

  init(importing node: NodeReader) throws(ImportError) {
    number = try node.int("number")
    real = try node.float("real")
    text = try node.string("text")
    integers = try node.ints("integers")
    tensor = try node.tensor("tensor")
    body = try node.graph("body")
    other = try node.graph("other")
  }

  func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] { [] }
}

/// An operator for tests that came with opset 16.
struct LateProbe: Operator {
  static let name = "LateProbe"
  static let sinceVersion = 16
  init(importing node: NodeReader) throws(ImportError) {}
  func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] { [] }
}

/// Imports bytes with the operators of this file besides `Identity`.
func imported(
  _ bytes: [UInt8], directory: String? = nil, limits: ONNXLimits = ONNXLimits()
) throws(ImportError) -> Graph {
  let source = bytes.withUnsafeBytes { ByteSource(copying: $0) }
  let graph = try Graph(onnx: source, directory: directory, limits: limits) { domain, name in
    switch (domain, name) {
    case ("ai.onnx", "Probe"): Probe.self
    case ("ai.onnx", "LateProbe"): LateProbe.self
    case ("ai.onnx", "Identity"): Identity.self
    default: nil
    }
  }
  do throws(GraphError) { try GraphVerifier.verify(graph) } catch {
    throw ImportError(.malformed, "NOT SOUND: \(error)")
  }
  return graph
}

/// The error that importing gives; nil if it succeeds.
func failure(
  _ bytes: [UInt8], directory: String? = nil, limits: ONNXLimits = ONNXLimits()
) -> ImportError? {
  do throws(ImportError) {
    _ = try imported(bytes, directory: directory, limits: limits)
    return nil
  } catch { return error }
}

/// What the error says, with its place; empty if importing succeeds.
func message(
  _ bytes: [UInt8], directory: String? = nil, limits: ONNXLimits = ONNXLimits()
) -> String {
  failure(bytes, directory: directory, limits: limits)?.description ?? ""
}

extension Graph {
  func value(named name: String) -> Graph.Value? { values.first { $0.name == name } }
}
