import Graphs
import Operators
import Tensors

extension GraphBuilder {
  /// Writes the body of a function out in place of a call of it.
  ///
  /// Names inside begin with the call's name; the results bear the names that the caller gave.
  func call(
    _ function: ONNXFunction, _ key: FunctionKey, from node: NodeContext
  ) throws(ImportError) {
    guard !activeFunctions.contains(key) else {
      throw ImportError(
        .malformed, "the function \(parser.names[function.name].quoted) calls itself",
        place: node.place)
    }
    activeFunctions.append(key)
    defer { activeFunctions.removeLast() }
    try spend(function.inputs.count + function.outputs.count + function.defaults.count)
    try nested { () throws(ImportError) in try write(function, from: node) }
  }

  private func write(_ function: ONNXFunction, from node: NodeContext) throws(ImportError) {
    let caller = node.scope
    let actual = operands(of: node)
    guard actual.count <= function.inputs.count, node.outputs.count <= function.outputs.count
    else {
      throw ImportError(
        .malformed,
        "the function takes \(function.inputs.count) inputs and gives "
          + "\(function.outputs.count) outputs", place: node.place)
    }
    let scope = Scope(
      draft: caller.draft,
      opsets: function.opsets.isEmpty ? caller.opsets : parser.versions(function.opsets),
      arguments: try arguments(of: function, from: node),
      prefix: node.name.utf8.count < 1024 ? "\(node.name)/" : "call\(nodeCount)/")
    for (index, formal) in function.inputs.enumerated() {
      scope.ids[formal] = .some(index < actual.count ? actual[index] : nil)
    }
    let firstOwnValue = caller.draft.graph.values.count
    for index in try order(function.body, in: scope) {
      try add(function.body.nodes[index], of: function.body, in: scope)
    }
    var renamed: Set<Graph.ValueID> = []
    for (name, result) in zip(node.outputs, function.outputs) where !name.isEmpty {
      guard case .value(let id) = resolve(result, in: scope) else {
        throw ImportError(
          .malformed, "the function's output \(parser.names[result].quoted) is made by nothing",
          place: node.place)
      }
      if Int(id.index) >= firstOwnValue, renamed.insert(id).inserted {
        caller.draft.graph[id].name = unique(caller.prefix + parser.names[name], in: caller)
        caller.ids[name] = .some(id)
      } else if let copy = self.result(name, of: node) {
        caller.draft.graph.nodes.append(
          Graph.Node(
            name: "\(node.name)/\(parser.names[result])", op: Identity(), inputs: [id],
            outputs: [copy]))
      }
    }
  }

  /// The attributes that the nodes of the function may refer to.
  private func arguments(
    of function: ONNXFunction, from node: NodeContext
  ) throws(ImportError) -> [String: Attribute] {
    var arguments: [String: Attribute] = [:]
    do throws(ImportError) {
      for attribute in function.defaults {
        let name = parser.names[attribute.name]
        arguments[name] = try value(of: attribute, name, in: node.scope).attribute
      }
      let known = Set(function.attributes.map { parser.names[$0] }).union(arguments.keys)
      for (name, value) in try attributes(of: node).sorted(by: { $0.key < $1.key }) {
        guard known.contains(name) else {
          throw ImportError(.invalidNode, "the function has no attribute \(name.quoted)")
        }
        switch value.attribute {
        case .graph, .graphs:
          throw ImportError(
            .unsupported, "a graph is passed to a function as its attribute \(name.quoted)")
        default: arguments[name] = value.attribute
        }
      }
    } catch {
      if error.code == .malformed { throw error }
      problems.add(node.problem(error.message), code: error.code)
    }
    return arguments
  }
}

extension GraphBuilder {
  /// Adds the value of a `Constant` node.
  func addConstant(
    _ node: NodeContext, _ attributes: [String: AttributeValue]
  ) throws(ImportError) {
    guard attributes.count == 1, let (name, value) = attributes.first, node.outputs.count == 1,
      let output = node.outputs.first
    else {
      throw ImportError(.invalidNode, "must have one attribute and one output")
    }
    guard let id = result(output, of: node) else { return }
    let constant: TensorBuffer
    switch (name, value.attribute) {
    case ("value", .tensor(let tensor)), ("sparse_value", .tensor(let tensor)): constant = tensor
    case ("value_float", .float(let number)): constant = TensorBuffer([], [number])
    case ("value_floats", .floats(let numbers)): constant = TensorBuffer([numbers.count], numbers)
    case ("value_int", .int(let number)): constant = TensorBuffer(.int64, [], [Int64(number)])
    case ("value_ints", .ints(let numbers)): constant = TensorBuffer(numbers)
    case ("value_string", .string), ("value_strings", .strings):
      node.scope.draft.graph[id].type = .string
      node.scope.draft.unusable[id] = "is a constant of strings, which are not supported"
      return
    default:
      throw ImportError(.invalidNode, "has the attribute \(name.quoted), which is not a value")
    }
    node.scope.draft.graph[id].type = constant.type
    node.scope.draft.graph[id].dimensions = constant.shape.dimensions.map { .known($0) }
    node.scope.draft.graph[id].constant = constant
  }
}

extension ONNXParser {
  /// The versions of operator sets by domain.
  mutating func versions(_ opsets: [ONNXOpset]) -> [String: Int] {
    var versions: [String: Int] = [:]
    for opset in opsets {
      versions[ONNXOpset.domainName(names[opset.domain]), default: 0] = opset.version
    }
    return versions
  }
}
