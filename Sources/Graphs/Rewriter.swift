import Tensors

/// A graph while a pass edits it: who makes a value, who uses it, and edits that keep both true.
///
/// Node indices stay valid until `finish`; removed nodes leave holes.
package struct Rewriter {
  package private(set) var graph: Graph
  private var producers: [Graph.ValueID: Int] = [:]
  private var users: [Graph.ValueID: [Int]] = [:]
  private var removed: [Bool]
  private var added: [(before: Int, node: Graph.Node)] = []
  private var graphOutputs: Set<Graph.ValueID>
  /// The number of edits so far.
  package private(set) var changeCount = 0

  package init(_ graph: Graph) {
    self.graph = graph
    removed = [Bool](repeating: false, count: graph.nodes.count)
    graphOutputs = Set(graph.outputs)
    for index in graph.nodes.indices { link(index) }
  }

  private mutating func link(_ index: Int) {
    for case let id? in graph.nodes[index].outputs { producers[id] = index }
    for case let id? in graph.nodes[index].inputs { users[id, default: []].append(index) }
  }

  private mutating func unlink(_ index: Int) {
    for case let id? in graph.nodes[index].outputs where producers[id] == index {
      producers[id] = nil
    }
    for case let id? in graph.nodes[index].inputs {
      if let at = users[id]?.firstIndex(of: index) { users[id]?.remove(at: at) }
    }
  }

  /// The indices of the nodes that are left, in topological order.
  package var nodeIndices: [Int] { graph.nodes.indices.filter { !removed[$0] } }

  package func isRemoved(_ index: Int) -> Bool { removed[index] }

  package subscript(index: Int) -> Graph.Node { graph.nodes[index] }

  /// The operator's name at a node, e.g. `Conv`; the domain is not part of it. Empty where the
  /// operator has another meaning than usual.
  package func name(_ index: Int) -> String {
    let op = graph.nodes[index].op
    return op.hasUsualMeaning ? type(of: op).name : ""
  }

  /// The node that makes a value; nil for inputs and constants.
  package func producer(of id: Graph.ValueID?) -> Int? { id.flatMap { producers[$0] } }

  /// The node that makes the value, if its operator has this name.
  package func producer(of id: Graph.ValueID?, named name: String) -> Int? {
    guard let index = producer(of: id), self.name(index) == name else { return nil }
    return index
  }

  /// The nodes that use a value, once per use.
  package func users(of id: Graph.ValueID) -> [Int] { users[id] ?? [] }

  /// Says whether the value may disappear into the node that uses it: exactly one does, once, it
  /// is no output of the graph, and the model does not say how to quantise it.
  package func isUsedOnce(_ id: Graph.ValueID) -> Bool {
    users(of: id).count == 1 && !graphOutputs.contains(id)
      && (graph[id].quantization == nil || graph[id].constant != nil)
  }

  package func isOutput(_ id: Graph.ValueID) -> Bool { graphOutputs.contains(id) }

  package func constant(_ id: Graph.ValueID?) -> TensorBuffer? { id.flatMap { graph[$0].constant } }

  /// The value of a constant with a single element, as a float.
  package func scalar(_ id: Graph.ValueID?) -> Float? {
    guard let tensor = constant(id), tensor.elementCount == 1 else { return nil }
    return tensor.floats()?.first
  }

  /// Adds a constant and returns its identity.
  package mutating func add(constant: TensorBuffer, name: String) -> Graph.ValueID {
    graph.add(
      Graph.Value(
        name: name, type: constant.type,
        dimensions: constant.shape.dimensions.map { .known($0) }, constant: constant))
  }

  /// Adds a value that a new node will make, like `id` in type and shape unless given.
  package mutating func add(
    valueLike id: Graph.ValueID, name: String, shape: Shape? = nil
  ) -> Graph.ValueID {
    var value = graph[id]
    value.name = name
    value.constant = nil
    value.quantization = nil
    if let shape { value.dimensions = shape.dimensions.map { .known($0) } }
    return graph.add(value)
  }

  /// Says how the value is kept in 8 bits.
  package mutating func setQuantization(_ quantization: Quantization, of id: Graph.ValueID) {
    guard graph[id].quantization != quantization else { return }
    graph[id].quantization = quantization
    changeCount += 1
  }

  /// Puts another node in the place of one.
  package mutating func replace(_ index: Int, with node: Graph.Node) {
    unlink(index)
    graph.nodes[index] = node
    link(index)
    changeCount += 1
  }

  /// Removes a node whose outputs nobody needs any more.
  package mutating func remove(_ index: Int) {
    guard !removed[index] else { return }
    unlink(index)
    removed[index] = true
    changeCount += 1
  }

  /// Inserts a node before the one at `index`. It takes part in lookups only after `finish`.
  package mutating func insert(_ node: Graph.Node, before index: Int) {
    added.append((index, node))
    changeCount += 1
  }

  /// Makes every user of `old` use `new` instead; a graph output keeps its own name, so it is not
  /// redirected: callers check `isOutput` first.
  package mutating func redirect(_ old: Graph.ValueID, to new: Graph.ValueID) {
    for index in Set(users(of: old)) {
      var node = graph.nodes[index]
      node.inputs = node.inputs.map { $0 == old ? new : $0 }
      replace(index, with: node)
    }
  }

  /// Removes `index` and, transitively, what only it needed.
  package mutating func removeDead(_ index: Int) {
    let inputs = graph.nodes[index].inputs
    remove(index)
    for case let id? in inputs where users(of: id).isEmpty && !graphOutputs.contains(id) {
      guard let maker = producers[id] else { continue }
      let needed = graph.nodes[maker].outputs.contains { output in
        output.map { !users(of: $0).isEmpty || graphOutputs.contains($0) } ?? false
      }
      if !needed { removeDead(maker) }
    }
  }

  /// The edited graph.
  package consuming func finish() -> Graph {
    var result = graph
    let inserted = Dictionary(grouping: added, by: \.before)
    result.nodes = []
    for index in graph.nodes.indices {
      result.nodes += (inserted[index] ?? []).map(\.node)
      if !removed[index] { result.nodes.append(graph.nodes[index]) }
    }
    return result
  }
}
