/// Checks that a graph holds together: identities in range, every value made once and before it is
/// used, nested graphs and their captures included.
///
/// Passes run it after themselves in tests, so that a broken graph names the pass that broke it.
package struct GraphVerifier {
  private let graph: Graph
  /// For each value: nil while nothing has made it, else what did.
  private var makers: [String?]

  private init(_ graph: Graph) {
    self.graph = graph
    makers = [String?](repeating: nil, count: graph.values.count)
  }

  /// - Throws: `GraphError` with the first node or list that breaks a rule.
  package static func verify(_ graph: Graph) throws(GraphError) {
    var verifier = GraphVerifier(graph)
    try verifier.run()
  }

  private mutating func run() throws(GraphError) {
    for index in graph.values.indices where graph.values[index].constant != nil {
      try verifyConstant(graph.values[index])
      makers[index] = "a constant"
    }
    for id in graph.inputs { try make(id, by: "the list of inputs") }
    for id in graph.captures { try make(id, by: "the list of captures") }
    for node in graph.nodes {
      let place = "\(node.name.quoted) (\(type(of: node.op).name))"
      do throws(GraphError) {
        for id in node.inputs { if let id { try use(id) } }
        for id in node.outputs { if let id { try make(id, by: "node \(place)") } }
        for inner in node.graphs { try GraphVerifier.verify(inner) }
      } catch {
        throw GraphError(error.description, place: place)
      }
    }
    for id in graph.outputs {
      do throws(GraphError) { try use(id) } catch {
        throw GraphError("the list of outputs: \(error.message)")
      }
    }
  }

  private func verifyConstant(_ value: Graph.Value) throws(GraphError) {
    guard let constant = value.constant else { return }
    guard value.type == constant.type, value.shape == constant.shape else {
      throw GraphError(
        "the constant \(value.name.quoted) is \(constant.type) \(constant.shape), but its value "
          + "says \(value.type?.name ?? "no type") \(value.shape?.description ?? "and no shape")")
    }
  }

  private mutating func make(_ id: Graph.ValueID, by maker: String) throws(GraphError) {
    let index = try index(id)
    if let other = makers[index] {
      throw GraphError(
        "the value \(graph[id].name.quoted) is made by \(maker) and by \(other)")
    }
    makers[index] = maker
  }

  private func use(_ id: Graph.ValueID) throws(GraphError) {
    if makers[try index(id)] == nil {
      throw GraphError("the value \(graph[id].name.quoted) is used before anything makes it")
    }
  }

  private func index(_ id: Graph.ValueID) throws(GraphError) -> Int {
    guard graph.values.indices.contains(Int(id.index)) else {
      throw GraphError("value \(id.index) does not exist; there are \(graph.values.count)")
    }
    return Int(id.index)
  }
}

extension Graph.Node {
  /// The graphs among the fields of the operator, such as the branches of `If`.
  package var graphs: [Graph] {
    Mirror(reflecting: op).children.flatMap { child -> [Graph] in
      switch child.value {
      case let graph as Graph: [graph]
      case let graphs as [Graph]: graphs
      default: []
      }
    }
  }
}
