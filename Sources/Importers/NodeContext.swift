import Graphs

/// A node of the file at the place where it is added to a graph.
struct NodeContext {
  let node: ONNXNode
  let source: ONNXGraph
  let scope: GraphBuilder.Scope
  /// The file's name; made from the operator and the first output where it has none.
  let name: String
  let operatorName: String
  /// `ai.onnx` for the default domain, which files leave empty.
  let domain: String
  /// The version that the model imports for the domain; 1 where it does not say.
  let version: Int
  let inputs: ArraySlice<NameTable.ID>
  let outputs: ArraySlice<NameTable.ID>

  init(
    _ node: ONNXNode, of source: ONNXGraph, in scope: GraphBuilder.Scope,
    parser: inout ONNXParser
  ) {
    self.node = node
    self.source = source
    self.scope = scope
    operatorName = parser.names[node.operatorName]
    domain = ONNXOpset.domainName(parser.names[node.domain])
    version = scope.opsets[domain] ?? 1
    inputs = source.inputs(of: node)
    outputs = source.outputs(of: node)
    var own = parser.names[node.name]
    if own.isEmpty {
      own = operatorName
      if let output = outputs.first(where: { !$0.isEmpty }) { own += "_\(parser.names[output])" }
    }
    name = scope.prefix + own
  }

  /// Where an error is, for messages.
  var place: String { "node \(name.quoted) (\(operatorName))" }

  /// A problem of this node.
  func problem(_ reason: String, remedy: String? = nil) -> ImportProblem {
    ImportProblem(
      node: name, operatorName: operatorName, domain: domain, version: version, reason: reason,
      remedy: remedy)
  }
}

extension ONNXOpset {
  /// The default domain has two names in files, and one here.
  static func domainName(_ name: String) -> String { name.isEmpty ? "ai.onnx" : name }
}
