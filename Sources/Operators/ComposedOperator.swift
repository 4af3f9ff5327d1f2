import Graphs
import Tensors

/// An operator that is written out in others as soon as the shapes of its inputs are known, so
/// that every pass sees what it is made of.
package protocol ComposedOperator: LoweredOperator {
  /// Adds the nodes that compute the outputs, and returns those by position; nil for an output that
  /// nobody asks for (see `Composer.wants`). `outputs(for:)` has validated types and shapes.
  ///
  /// - Returns: nil where this use of the operator is better lowered as it is.
  func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]?
}

extension ComposedOperator {
  /// The outputs as the nodes say that the operator is written out in: for operators with one
  /// output whose checks are all made by those nodes.
  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    var graph = Graph()
    let ids = inputs.enumerated().map { index, info in
      info.map { info in
        graph.add(
          Graph.Value(
            name: "input \(index)", type: info.type,
            dimensions: info.shape.dimensions.map { .known($0) }, constant: info.constant))
      }
    }
    let output = graph.add(Graph.Value(name: "output"))
    let node = Graph.Node(name: Self.name, op: self, inputs: ids, outputs: [output])
    var composer = Composer(graph, node)
    guard let result = try compose(&composer)?.first ?? nil else {
      throw GraphError("the shape of the output is not known")
    }
    return [try composer.info(result)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    throw GraphError("\(Self.name) has to be written out in other operators before lowering")
  }
}

/// The nodes that a composed operator is written out in, while they are gathered.
///
/// Every node is inferred as soon as it is added, so that the shapes of intermediate values can be
/// asked for.
package struct Composer {
  /// The graph with the new values; its nodes are untouched.
  package private(set) var graph: Graph
  /// The new nodes, in topological order.
  package private(set) var nodes: [Graph.Node] = []
  /// The node that is written out.
  package let node: Graph.Node
  /// The operator-set version whose attributes `add` is given.
  private static let version = 23

  package init(_ graph: Graph, _ node: Graph.Node) {
    self.graph = graph
    self.node = node
  }

  /// Writes a node out; nil where its operator is not composed.
  ///
  /// - Parameter graph: gets the new values, all of known type and shape.
  package static func written(
    _ node: Graph.Node, in graph: inout Graph
  ) throws(GraphError) -> [Graph.Node]? {
    guard let op = node.op as? any ComposedOperator else { return nil }
    var composer = Composer(Graph(), node)
    swap(&composer.graph, &graph)
    defer { swap(&composer.graph, &graph) }
    guard let results = try op.compose(&composer) else { return nil }
    try composer.bind(results)
    return composer.nodes
  }

  // MARK: What the operator sees

  /// The node's input at this position; nil for an absent one.
  package func optional(_ index: Int) -> Graph.ValueID? {
    index < node.inputs.count ? node.inputs[index] : nil
  }

  /// The node's input at this position, which must be given.
  package func input(_ index: Int) throws(GraphError) -> Graph.ValueID {
    guard let id = optional(index) else { throw GraphError("input \(index) is missing") }
    return id
  }

  /// Says whether somebody asks for the output at this position.
  package func wants(_ index: Int) -> Bool {
    index < node.outputs.count && node.outputs[index] != nil
  }

  package func info(_ id: Graph.ValueID) throws(GraphError) -> ValueInfo {
    guard let info = graph.info(of: id) else {
      throw GraphError("the shape of \"\(graph[id].name)\" is not known")
    }
    return info
  }

  package func shape(_ id: Graph.ValueID) throws(GraphError) -> Shape { try info(id).shape }
  package func type(_ id: Graph.ValueID) throws(GraphError) -> ElementType { try info(id).type }

  // MARK: Nodes

  /// Adds a constant.
  package mutating func constant(_ tensor: TensorBuffer) -> Graph.ValueID {
    graph.add(
      Graph.Value(
        name: "\(node.name)/constant\(graph.values.count)", type: tensor.type,
        dimensions: tensor.shape.dimensions.map { .known($0) }, constant: tensor))
  }

  /// Adds a node and returns its results.
  ///
  /// - Parameter name: an operator of the catalogue, with the attributes of `ai.onnx` 23 (or of
  ///   `domain`).
  package mutating func add(
    _ name: String, _ inputs: [Graph.ValueID?], _ attributes: [String: Attribute] = [:],
    outputs count: Int, domain: String = ""
  ) throws(GraphError) -> [Graph.ValueID] {
    guard
      let type = OperatorCatalog.type(domain: domain, name: name) as? any LoweredOperator.Type
    else {
      throw GraphError("the operator \(name) is not in the catalogue")
    }
    let title = "\(node.name)/\(name)\(nodes.count)"
    let reader = NodeReader(
      name: title, operatorName: name, domain: domain, version: Composer.version,
      inputs: inputs.map { $0 != nil }, outputs: [Bool](repeating: true, count: count),
      attributes: attributes)
    let op: any LoweredOperator
    do throws(ImportError) {
      op = try type.init(importing: reader)
    } catch {
      throw GraphError(error.message)
    }
    return try add(op, inputs, outputs: count, named: title)
  }

  /// Adds a node with one result and returns that.
  package mutating func add(
    _ name: String, _ inputs: [Graph.ValueID?], _ attributes: [String: Attribute] = [:],
    domain: String = ""
  ) throws(GraphError) -> Graph.ValueID {
    try add(name, inputs, attributes, outputs: 1, domain: domain)[0]
  }

  /// Adds a node for an operator that has been made.
  package mutating func add(
    _ op: any LoweredOperator, _ inputs: [Graph.ValueID?], outputs count: Int, named title: String
  ) throws(GraphError) -> [Graph.ValueID] {
    var infos: [ValueInfo?] = []
    for input in inputs {
      if let input { infos.append(try info(input)) } else { infos.append(nil) }
    }
    let results: [ValueInfo]
    do throws(GraphError) {
      results = try op.outputs(for: infos)
    } catch {
      throw translated(error, inputs)
    }
    guard results.count >= count else {
      throw GraphError("\(Swift.type(of: op).name) has no output \(count - 1)")
    }
    let ids = results.prefix(count).enumerated().map { index, result in
      graph.add(
        Graph.Value(
          name: index == 0 ? title : "\(title).\(index)", type: result.type,
          dimensions: result.shape.dimensions.map { .known($0) }))
    }
    nodes.append(Graph.Node(name: title, op: op, inputs: inputs, outputs: ids))
    return ids
  }

  /// The error of a node inside as one of the node that is written out: the input whose contents
  /// are needed is one of that, or none.
  private func translated(_ error: GraphError, _ inputs: [Graph.ValueID?]) -> GraphError {
    var result = GraphError(error.message)
    if let needed = error.neededInput, inputs.indices.contains(needed), let id = inputs[needed] {
      result.neededInput = node.inputs.firstIndex(of: id)
    }
    return result
  }

  /// Makes results the outputs of the node that is written out.
  private mutating func bind(_ results: [Graph.ValueID?]) throws(GraphError) {
    var names: [Graph.ValueID: Graph.ValueID] = [:]
    var copies: [(from: Graph.ValueID, to: Graph.ValueID)] = []
    let made = Set(nodes.flatMap { $0.outputs.compactMap { $0 } })
    for (position, output) in node.outputs.enumerated() {
      guard let output else { continue }
      guard position < results.count, let result = results[position] else {
        throw GraphError("output \(position) is not computed")
      }
      if made.contains(result) && names[result] == nil {
        names[result] = output
      } else {
        copies.append((result, output))
      }
      let info = try info(result)
      graph[output].type = info.type
      graph[output].dimensions = info.shape.dimensions.map { .known($0) }
    }
    for index in nodes.indices {
      nodes[index].inputs = nodes[index].inputs.map { id in id.map { names[$0] ?? $0 } }
      nodes[index].outputs = nodes[index].outputs.map { id in id.map { names[$0] ?? $0 } }
    }
    for (from, to) in copies {
      nodes.append(
        Graph.Node(
          name: "\(node.name)/Identity\(nodes.count)", op: Identity(),
          inputs: [names[from] ?? from], outputs: [to]))
    }
  }
}
