import Graphs
import Operators
import Tensors

/// Builds graphs from the messages of a file: gives every name its value, puts nodes in order,
/// makes operators, writes out functions, and gathers what cannot be imported.
final class GraphBuilder {
  var parser: ONNXParser
  var decoder: ONNXTensorDecoder
  var problems = ImportProblems()
  let limits: ONNXLimits
  let functions: [FunctionKey: ONNXFunction]
  /// How the operator for a node is found.
  private let operators: OperatorLookup
  /// The operators that were found, or found missing.
  private var operatorTypes: [OperatorKey: (any Operator.Type)?] = [:]
  var nodeCount = 0
  private var inlinedElements = 0
  /// How deep graphs in attributes and calls of functions are nested here.
  private var depth = 0
  /// The functions that are being written out, outermost first.
  var activeFunctions: [FunctionKey] = []

  typealias OperatorLookup = (_ domain: String, _ name: String) -> (any Operator.Type)?

  struct FunctionKey: Hashable {
    var domain: String
    var name: NameTable.ID
    var overload: NameTable.ID
  }

  private struct OperatorKey: Hashable {
    var domain: NameTable.ID
    var name: NameTable.ID
  }

  /// A graph while it is built.
  final class Draft {
    var graph = Graph()
    /// The values of the surrounding graph that `graph.captures` stand for, in the same order.
    var captured: [Graph.ValueID] = []
    /// Values without contents that nothing may use, with the reason.
    var unusable: [Graph.ValueID: String] = [:]
    /// Names given to values by functions that were written out; they must not repeat.
    var inlinedNames: Set<String> = []
  }

  /// What names mean at one place: in a graph, or in one call of a function.
  final class Scope {
    let draft: Draft
    /// The scope around a graph that is an attribute; nil for the model's graph and functions.
    let enclosing: Scope?
    /// The opsets by domain.
    let opsets: [String: Int]
    /// What the attributes of a function's nodes may refer to; nil outside functions.
    let arguments: [String: Attribute]?
    /// What the names of values and nodes begin with.
    let prefix: String
    /// nil: the name stands for an absent operand.
    var ids: [NameTable.ID: Graph.ValueID?] = [:]

    init(
      draft: Draft, enclosing: Scope? = nil, opsets: [String: Int],
      arguments: [String: Attribute]? = nil, prefix: String = ""
    ) {
      self.draft = draft
      self.enclosing = enclosing
      self.opsets = opsets
      self.arguments = arguments
      self.prefix = prefix
    }
  }

  /// A name's value in a scope.
  enum Resolution {
    case value(Graph.ValueID)
    case absent
    case undefined
  }

  init(
    parser: ONNXParser, decoder: ONNXTensorDecoder, functions: [FunctionKey: ONNXFunction],
    limits: ONNXLimits, operators: @escaping OperatorLookup
  ) {
    self.parser = parser
    self.decoder = decoder
    self.functions = functions
    self.limits = limits
    self.operators = operators
  }

  // MARK: Graphs

  /// Fills the scope's draft with a graph of the file.
  func build(_ source: ONNXGraph, in scope: Scope) throws(ImportError) {
    scope.draft.graph.name = parser.names[source.name]
    try spend(source.inputs.count + source.outputs.count + source.hints.count)
    for tensor in source.initializers {
      try spend(tensor.typedFields.isEmpty ? 1 : tensor.message.count)
    }
    try defineConstants(source, in: scope)
    for info in source.inputs where scope.ids[info.name] == nil {
      let id = try define(info.name, at: info.offset, in: scope)
      try declare(info, id, in: scope)
      scope.draft.graph.inputs.append(id)
    }
    for index in try order(source, in: scope) {
      try add(source.nodes[index], of: source, in: scope)
    }
    for info in source.outputs {
      guard case .value(let id) = resolve(info.name, in: scope) else {
        throw ImportError(
          .malformed, "nothing makes the output \(parser.names[info.name].quoted)",
          place: "byte \(info.offset)")
      }
      if let reason = scope.draft.unusable[id] {
        throw ImportError(
          .unsupported, "the output \(parser.names[info.name].quoted) \(reason)",
          place: "byte \(info.offset)")
      }
      if scope.draft.graph[id].type == nil { try declare(info, id, in: scope, isHint: true) }
      scope.draft.graph.outputs.append(id)
    }
    for info in source.hints {
      guard case .some(.some(let id)) = scope.ids[info.name] else { continue }
      if scope.draft.graph[id].type == nil { try declare(info, id, in: scope, isHint: true) }
    }
  }

  /// Initialisers. Old files list them among the inputs, too; they are no inputs then.
  private func defineConstants(_ source: ONNXGraph, in scope: Scope) throws(ImportError) {
    for tensor in source.initializers {
      let id = try define(tensor.name, at: tensor.message.lowerBound, in: scope)
      try setConstant(id, try decoder.tensor(tensor, parser), in: scope)
    }
    for sparse in source.sparseInitializers {
      let id = try define(sparse.values.name, at: sparse.offset, in: scope)
      try setConstant(id, try decoder.tensor(sparse, parser), in: scope)
    }
  }

  private func setConstant(
    _ id: Graph.ValueID, _ constant: TensorBuffer?, in scope: Scope
  ) throws(ImportError) {
    guard let constant else {
      scope.draft.graph[id].type = .string
      scope.draft.unusable[id] = "is a constant of strings, which are not supported"
      return
    }
    scope.draft.graph[id].type = constant.type
    scope.draft.graph[id].dimensions = constant.shape.dimensions.map { .known($0) }
    scope.draft.graph[id].constant = constant
  }

  /// Makes the value that a name of the file stands for.
  private func define(
    _ name: NameTable.ID, at offset: Int, in scope: Scope
  ) throws(ImportError) -> Graph.ValueID {
    guard !name.isEmpty else {
      throw ImportError(.malformed, "an input or a constant has no name", place: "byte \(offset)")
    }
    guard scope.ids[name] == nil else {
      throw ImportError(
        .malformed, "the name \(parser.names[name].quoted) is defined twice",
        place: "byte \(offset)")
    }
    let id = scope.draft.graph.add(Graph.Value(name: parser.names[name]))
    scope.ids[name] = .some(id)
    return id
  }

  /// Notes the declared type and shape of a value.
  ///
  /// - Parameter isHint: the value is computed; what the file claims about it may be wrong, so a
  ///   claim that makes no sense is dropped.
  private func declare(
    _ info: ONNXValueInfo, _ id: Graph.ValueID, in scope: Scope, isHint: Bool = false
  ) throws(ImportError) {
    guard let range = info.type else { return }
    do throws(ImportError) {
      let declared = try parser.declaredType(range)
      scope.draft.graph[id].kind = declared.kind
      scope.draft.graph[id].type = declared.type
      scope.draft.graph[id].dimensions = declared.dimensions
    } catch {
      if isHint { return }
      throw ImportError(
        error.code, "the input \(parser.names[info.name].quoted) \(error.message)",
        place: "byte \(info.offset)")
    }
  }

  // MARK: Names

  /// Finds the value of a name, capturing it from the graphs around this one if need be.
  func resolve(_ name: NameTable.ID, in scope: Scope) -> Resolution {
    if name.isEmpty { return .absent }
    if let known = scope.ids[name] { return known.map { .value($0) } ?? .absent }
    guard let enclosing = scope.enclosing,
      case .value(let outer) = resolve(name, in: enclosing)
    else { return .undefined }
    let value = enclosing.draft.graph[outer]
    let id = scope.draft.graph.add(value)
    scope.ids[name] = .some(id)
    if let reason = enclosing.draft.unusable[outer] {
      scope.draft.unusable[id] = reason
    } else if value.constant == nil {
      scope.draft.graph.captures.append(id)
      scope.draft.captured.append(outer)
    }
    return .value(id)
  }

  // MARK: Nodes

  /// Adds one node of the file: a constant, a call of a function, or an operator.
  func add(
    _ node: ONNXNode, of source: ONNXGraph, in scope: Scope
  ) throws(ImportError) {
    nodeCount += 1
    guard nodeCount <= limits.nodes else {
      throw ImportError(
        .malformed,
        "with its functions written out, the model has more nodes than the limit of "
          + "\(limits.nodes)")
    }
    let context = NodeContext(node, of: source, in: scope, parser: &parser)
    try spend(
      context.inputs.count + context.outputs.count * (1 + scope.prefix.utf8.count)
        + node.attributes.count + context.name.utf8.count)
    if !functions.isEmpty {
      let key = FunctionKey(
        domain: context.domain, name: node.operatorName, overload: node.overload)
      if let function = functions[key] { return try call(function, key, from: context) }
    }
    do throws(ImportError) {
      let attributes = try self.attributes(of: context)
      if context.domain == "ai.onnx", context.operatorName == "Constant" {
        try addConstant(context, attributes)
      } else {
        try addOperator(context, attributes)
      }
    } catch {
      if error.code == .malformed { throw error }
      report(error, at: context)
      for output in context.outputs { _ = result(output, of: context) }
    }
  }

  private func addOperator(
    _ node: NodeContext, _ attributes: [String: AttributeValue]
  ) throws(ImportError) {
    var inputs = operands(of: node)
    let outputs = node.outputs.map { result($0, of: node) }
    guard let type = operatorType(of: node) else {
      problems.addUnknown(node.problem(""))
      return
    }
    guard node.version >= type.sinceVersion else {
      problems.add(
        node.problem(
          "is read from version \(type.sinceVersion) of the operator set on",
          remedy: "export the model with opset \(type.sinceVersion) or later, or convert it with "
            + "onnx.version_converter"))
      return
    }
    let reader = NodeReader(
      name: node.name, operatorName: node.operatorName, domain: node.domain,
      version: node.version, inputs: inputs.map { $0 != nil },
      outputs: outputs.map { $0 != nil }, attributes: attributes.mapValues(\.attribute))
    let op = try type.init(importing: reader)
    let unread = reader.unreadAttributes
    if !unread.isEmpty {
      problems.add(
        node.problem(
          "has the attribute \(unread.map(\.quoted).joined(separator: ", ")), which version "
            + "\(node.version) of the operator does not know"))
    }
    for name in attributes.keys.sorted() {
      for id in attributes[name]?.captured ?? [] { inputs.append(id) }
    }
    node.scope.draft.graph.nodes.append(
      Graph.Node(name: node.name, op: op, inputs: inputs, outputs: outputs))
  }

  private func operatorType(of node: NodeContext) -> (any Operator.Type)? {
    let key = OperatorKey(domain: node.node.domain, name: node.node.operatorName)
    if let known = operatorTypes[key] { return known }
    let type = operators(node.domain, node.operatorName)
    operatorTypes[key] = .some(type)
    return type
  }

  /// The values of a node's inputs; what is wrong with them is noted.
  func operands(of node: NodeContext) -> [Graph.ValueID?] {
    var inputs: [Graph.ValueID?] = []
    for (index, name) in node.inputs.enumerated() {
      switch resolve(name, in: node.scope) {
      case .absent: inputs.append(nil)
      case .undefined:
        inputs.append(nil)
        problems.add(
          node.problem(
            "input \(index), \(parser.names[name].quoted), is made by nothing in the model"),
          code: .malformed)
      case .value(let id):
        inputs.append(id)
        if let reason = node.scope.draft.unusable[id] {
          problems.add(node.problem("input \(index), \(parser.names[name].quoted), \(reason)"))
        }
      }
    }
    return inputs
  }

  /// Makes the value of a node's output; nil for one that nobody asked for.
  func result(_ name: NameTable.ID, of node: NodeContext) -> Graph.ValueID? {
    if name.isEmpty { return nil }
    if let known = node.scope.ids[name] { return known }
    let text = unique(node.scope.prefix + parser.names[name], in: node.scope)
    let id = node.scope.draft.graph.add(Graph.Value(name: text))
    node.scope.ids[name] = .some(id)
    return id
  }

  /// Names of values in functions begin with the call's name, which may repeat.
  func unique(_ name: String, in scope: Scope) -> String {
    if scope.prefix.isEmpty { return name }
    var candidate = name
    var number = 2
    while !scope.draft.inlinedNames.insert(candidate).inserted {
      candidate = "\(name)#\(number)"
      number += 1
    }
    return candidate
  }

  /// Runs `body` one level deeper.
  func nested<T>(_ body: () throws(ImportError) -> T) throws(ImportError) -> T {
    depth += 1
    defer { depth -= 1 }
    guard depth <= limits.nestingDepth else {
      throw ImportError(
        .malformed,
        "graphs and functions are nested deeper than the limit of "
          + "\(limits.nestingDepth)")
    }
    return try body()
  }

  /// Notes work that writing out functions causes, which a small file can make huge. Outside of
  /// functions the size of the file bounds the work.
  func spend(_ count: @autoclosure () -> Int) throws(ImportError) {
    if activeFunctions.isEmpty { return }
    inlinedElements += count()
    guard inlinedElements <= limits.inlinedElements else {
      throw ImportError(
        .malformed,
        "writing out the model's functions is over the limit of "
          + "\(limits.inlinedElements) elements")
    }
  }

  private func report(_ error: ImportError, at node: NodeContext) {
    problems.add(node.problem(error.message), code: error.code)
  }
}
