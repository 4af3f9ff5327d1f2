import Graphs

extension GraphBuilder {
  /// Returns the indices of the nodes in an order in which every value is made before it is used:
  /// the file's own where that will do, and close to it otherwise (depth first along producers).
  func order(_ source: ONNXGraph, in scope: Scope) throws(ImportError) -> [Int] {
    var producers = NameMap(count: source.nodes.count, nameCount: parser.names.count)
    for (index, node) in source.nodes.enumerated() {
      for output in source.outputs(of: node) where !output.isEmpty {
        if let other = producers[output] {
          throw ImportError(
            .malformed,
            "the value \(parser.names[output].quoted) is made twice, by "
              + "\(describe(source.nodes[other], source)) and \(describe(node, source))")
        }
        if scope.ids[output] != nil {
          throw ImportError(
            .malformed,
            "the value \(parser.names[output].quoted) is made by "
              + "\(describe(node, source)), but it is an input or a constant")
        }
        producers[output] = index
      }
    }
    let isOrdered = source.nodes.indices.allSatisfy { index in
      let node = source.nodes[index]
      return source.inputs(of: node).allSatisfy { producers[$0] ?? -1 < index }
        && source.attributes(of: node).allSatisfy { attribute in
          attribute.graphs.allSatisfy { graph in
            graph.freeNames.allSatisfy { producers[$0] ?? -1 < index }
          }
        }
    }
    if isOrdered { return Array(source.nodes.indices) }
    return try sorted(source, producers)
  }

  private func sorted(
    _ source: ONNXGraph, _ producers: NameMap
  ) throws(ImportError) -> [Int] {
    enum Mark { case new, open, done }
    var marks = [Mark](repeating: .new, count: source.nodes.count)
    var order: [Int] = []
    // A stack of its own: a chain of nodes may be longer than the thread's stack is deep.
    var path: [(node: Int, waiting: [Int])] = []
    for root in source.nodes.indices where marks[root] == .new {
      marks[root] = .open
      path = [(root, dependencies(of: source.nodes[root], source, producers).reversed())]
      while let (node, waiting) = path.last {
        guard let next = waiting.last else {
          marks[node] = .done
          order.append(node)
          path.removeLast()
          continue
        }
        path[path.count - 1].waiting.removeLast()
        switch marks[next] {
        case .done: continue
        case .new:
          marks[next] = .open
          path.append((next, dependencies(of: source.nodes[next], source, producers).reversed()))
        case .open:
          let start = path.firstIndex { $0.node == next } ?? 0
          let circle = path[start...].prefix(10).map { describe(source.nodes[$0.node], source) }
          throw ImportError(
            .malformed,
            "the nodes wait for each other in a circle: "
              + circle.joined(separator: ", "))
        }
      }
    }
    return order
  }

  private func dependencies(
    of node: ONNXNode, _ source: ONNXGraph, _ producers: NameMap
  ) -> [Int] {
    var result = source.inputs(of: node).compactMap { producers[$0] }
    for attribute in source.attributes(of: node) {
      for graph in attribute.graphs { result += graph.freeNames.compactMap { producers[$0] } }
    }
    return result
  }

  private func describe(_ node: ONNXNode, _ source: ONNXGraph) -> String {
    let output = source.outputs(of: node).first { !$0.isEmpty }
    let name = node.name.isEmpty ? output.map { parser.names[$0] } ?? "" : parser.names[node.name]
    return "node \(name.quoted) (\(parser.names[node.operatorName]))"
  }
}
