import Tensors

extension Graph {
  /// A readable text of the graph: inputs, constants, nodes in order, outputs.
  ///
  ///     graph "main"
  ///       in  %0 "x": float32[n, 3, 224, 224]
  ///       %7 "y": float32 = Conv(%0, %1 "w": float32[8, 3, 3, 3])  group: 1  # "conv1"
  ///       out %7 "y"
  package var text: String { GraphPrinter(self).text }
}

/// Writes a graph as text. Names are quoted and cut where they are long; weights show as type and
/// shape, small constants with their contents.
private struct GraphPrinter {
  let graph: Graph
  var indent = ""

  init(_ graph: Graph, indent: String = "") {
    self.graph = graph
    self.indent = indent
  }

  var text: String {
    var text = "graph \(graph.name.quoted)\n"
    for (key, value) in graph.origin { line("\(key): \(value.quoted)", &text) }
    for id in graph.inputs { line("in  \(declaration(id))", &text) }
    for id in graph.captures { line("captured \(declaration(id))", &text) }
    for node in graph.nodes { write(node, &text) }
    for id in graph.outputs { line("out \(declaration(id))", &text) }
    return text
  }

  private func line(_ content: String, _ text: inout String) {
    text += "\(indent)  \(content)\n"
  }

  private func write(_ node: Graph.Node, _ text: inout String) {
    let results = node.outputs.map { $0.map(declaration) ?? "_" }.joined(separator: ", ")
    let operands = node.inputs.map { $0.map(use) ?? "_" }.joined(separator: ", ")
    let operation = type(of: node.op)
    let domain = operation.domain.isEmpty ? "" : "\(operation.domain)."
    var content = "\(results) = \(domain)\(operation.name)(\(operands))"
    for (name, value) in fields(of: node.op) { content += "  \(name): \(value)" }
    line(content + "  # \(node.name.quoted)", &text)
    for inner in node.graphs {
      text += "\(indent)    " + GraphPrinter(inner, indent: indent + "    ").text
    }
  }

  /// A value with what is known of it: `%3 "x": float32[1, 3]`.
  private func declaration(_ id: Graph.ValueID) -> String {
    let value = graph[id]
    var text = "%\(id.index) \(value.name.quoted)"
    if let type = value.type { text += ": \(type)" }
    if let dimensions = value.dimensions {
      text += "[\(dimensions.map(\.description).joined(separator: ", "))]"
    }
    return text
  }

  /// An operand: a value by its number, a constant by what it holds.
  private func use(_ id: Graph.ValueID) -> String {
    guard let constant = graph[id].constant else { return "%\(id.index)" }
    return contents(constant) ?? declaration(id)
  }

  /// The elements of a small constant: `int64[2]{1, -1}`.
  private func contents(_ tensor: TensorBuffer) -> String? {
    guard tensor.elementCount <= 8 else { return nil }
    let elements: [String]
    if let integers = tensor.integers() {
      elements = integers.map(String.init)
    } else if let floats = tensor.floats() {
      elements = floats.map { "\($0)" }
    } else {
      return nil
    }
    let extents = tensor.shape.dimensions.map(String.init).joined(separator: ", ")
    return "\(tensor.type)[\(extents)]{\(elements.joined(separator: ", "))}"
  }

  /// The attributes that the operator keeps: its stored properties.
  private func fields(of op: any Operator) -> [(String, String)] {
    Mirror(reflecting: op).children.compactMap { child in
      guard let name = child.label else { return nil }
      return summary(child.value).map { (name, $0) }
    }
  }

  /// A field in a few words; nil for what is printed elsewhere or is absent.
  private func summary(_ value: Any) -> String? {
    switch value {
    case is Graph, is [Graph]: return nil
    case let text as String: return text.quoted
    case let tensor as TensorBuffer: return contents(tensor) ?? "\(tensor.type) \(tensor.shape)"
    default: break
    }
    let mirror = Mirror(reflecting: value)
    if mirror.displayStyle == .optional {
      return mirror.children.first.flatMap { summary($0.value) }
    }
    let text = "\(value)"
    return text.count <= 80 ? text : text.prefix(79) + "…"
  }
}
