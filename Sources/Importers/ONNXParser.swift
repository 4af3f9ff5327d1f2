import Graphs

/// Reads the messages of an ONNX file: structure and names only; weights and attribute values stay
/// where they are until a node asks for them.
///
/// Unknown fields are skipped, so that files of later versions of the format can be read as far as
/// their meaning is known.
struct ONNXParser {
  let base: UnsafeRawPointer
  let limits: ONNXLimits
  var names: NameTable
  private var nodeCount = 0
  private var valueCount = 0
  private var nameCount = 0

  init(_ bytes: UnsafeRawBufferPointer, limits: ONNXLimits) {
    // An empty file has no address; nothing is read from this one then.
    base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 64).unsafelyUnwrapped
    self.limits = limits
    names = NameTable(base: base)
  }

  func reader(_ range: Range<Int>) -> WireReader { WireReader(base: base, range: range) }

  func text(_ range: Range<Int>?) -> String {
    guard let range else { return "" }
    return String(
      decoding: UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count),
      as: UTF8.self)
  }

  // MARK: Model

  mutating func model(_ range: Range<Int>) throws(ImportError) -> ONNXModel {
    var model = ONNXModel()
    var wire = reader(range)
    while let field = try wire.next() {
      switch field.number {
      case 1: model.irVersion = try wire.int(field)
      case 2: model.producer = try wire.bytes(field)
      case 3: model.producerVersion = try wire.bytes(field)
      case 4: model.domain = try wire.bytes(field)
      case 5: model.modelVersion = try wire.int(field)
      case 7:
        guard model.graph == nil else {
          throw wire.malformed("the model has a second graph", at: field.offset)
        }
        model.graph = try graph(try wire.bytes(field), depth: 0)
      case 8: model.opsets.append(try opset(try wire.bytes(field)))
      case 14: model.metadata.append(try entry(try wire.bytes(field)))
      case 25: model.functions.append(try function(try wire.bytes(field)))
      default: try wire.skip(field)
      }
    }
    return model
  }

  private mutating func opset(_ range: Range<Int>) throws(ImportError) -> ONNXOpset {
    var opset = ONNXOpset()
    var wire = reader(range)
    while let field = try wire.next() {
      switch field.number {
      case 1: opset.domain = try name(try wire.bytes(field))
      case 2: opset.version = try wire.int(field)
      default: try wire.skip(field)
      }
    }
    return opset
  }

  private func entry(
    _ range: Range<Int>
  ) throws(ImportError) -> (key: Range<Int>, value: Range<Int>) {
    var entry = (key: 0..<0, value: 0..<0)
    var wire = reader(range)
    while let field = try wire.next() {
      switch field.number {
      case 1: entry.key = try wire.bytes(field)
      case 2: entry.value = try wire.bytes(field)
      default: try wire.skip(field)
      }
    }
    return entry
  }

  private mutating func function(_ range: Range<Int>) throws(ImportError) -> ONNXFunction {
    var function = ONNXFunction()
    function.body.offset = range.lowerBound
    var wire = reader(range)
    while let field = try wire.next() {
      switch field.number {
      case 1: function.name = try name(try wire.bytes(field))
      case 4: function.inputs.append(try name(try wire.bytes(field)))
      case 5: function.outputs.append(try name(try wire.bytes(field)))
      case 6: function.attributes.append(try name(try wire.bytes(field)))
      case 7: try node(try wire.bytes(field), into: function.body, depth: 0)
      case 9: function.opsets.append(try opset(try wire.bytes(field)))
      case 10: function.domain = try name(try wire.bytes(field))
      case 11: function.defaults.append(try attribute(try wire.bytes(field), depth: 0))
      case 13: function.overload = try name(try wire.bytes(field))
      default: try wire.skip(field)
      }
    }
    return function
  }

  // MARK: Graph

  private mutating func graph(
    _ range: Range<Int>, depth: Int
  ) throws(ImportError) -> ONNXGraph {
    let graph = ONNXGraph()
    graph.offset = range.lowerBound
    var wire = reader(range)
    guard depth <= limits.nestingDepth else {
      throw wire.malformed(
        "graphs are nested deeper than the limit of \(limits.nestingDepth)", at: range.lowerBound)
    }
    while let field = try wire.next() {
      switch field.number {
      case 1: try node(try wire.bytes(field), into: graph, depth: depth)
      case 2: graph.name = try name(try wire.bytes(field))
      case 5: graph.initializers.append(try tensor(try wire.bytes(field)))
      case 11: graph.inputs.append(try valueInfo(try wire.bytes(field)))
      case 12: graph.outputs.append(try valueInfo(try wire.bytes(field)))
      case 13: graph.hints.append(try valueInfo(try wire.bytes(field)))
      case 15: graph.sparseInitializers.append(try sparseTensor(try wire.bytes(field)))
      default: try wire.skip(field)
      }
    }
    // Nothing is around the model's own graph.
    if depth > 0 { graph.findFreeNames() }
    return graph
  }

  private mutating func node(
    _ range: Range<Int>, into graph: ONNXGraph, depth: Int
  ) throws(ImportError) {
    var node = ONNXNode()
    var wire = reader(range)
    nodeCount += 1
    guard nodeCount <= limits.nodes else {
      throw wire.malformed(
        "the model has more nodes than the limit of \(limits.nodes)", at: range.lowerBound)
    }
    node.firstOperand = graph.operands.count
    var outputs: [NameTable.ID] = []
    let firstAttribute = graph.attributes.count
    while let field = try wire.next() {
      switch field.number {
      case 1: graph.operands.append(try name(try wire.bytes(field)))
      case 2: outputs.append(try name(try wire.bytes(field)))
      case 3: node.name = try name(try wire.bytes(field))
      case 4: node.operatorName = try name(try wire.bytes(field))
      case 5: graph.attributes.append(try attribute(try wire.bytes(field), depth: depth))
      case 7: node.domain = try name(try wire.bytes(field))
      case 8: node.overload = try name(try wire.bytes(field))
      default: try wire.skip(field)
      }
    }
    node.firstOutput = graph.operands.count
    graph.operands.append(contentsOf: outputs)
    node.endOperand = graph.operands.count
    node.attributes = firstAttribute..<graph.attributes.count
    graph.nodes.append(node)
  }

  private mutating func attribute(
    _ range: Range<Int>, depth: Int
  ) throws(ImportError) -> ONNXAttribute {
    var attribute = ONNXAttribute()
    attribute.message = range
    var wire = reader(range)
    while let field = try wire.next() {
      switch field.number {
      case 1: attribute.name = try name(try wire.bytes(field))
      case 6, 11: attribute.graphs.append(try graph(try wire.bytes(field), depth: depth + 1))
      case 20: attribute.type = try wire.int(field)
      case 21: attribute.reference = try name(try wire.bytes(field))
      default: try wire.skip(field)
      }
    }
    return attribute
  }

  private mutating func valueInfo(_ range: Range<Int>) throws(ImportError) -> ONNXValueInfo {
    var info = ONNXValueInfo()
    info.offset = range.lowerBound
    try countValue(at: range.lowerBound)
    var wire = reader(range)
    while let field = try wire.next() {
      switch field.number {
      case 1: info.name = try name(try wire.bytes(field))
      case 2: info.type = try wire.bytes(field)
      default: try wire.skip(field)
      }
    }
    return info
  }

  // MARK: Tensors

  mutating func tensor(_ range: Range<Int>) throws(ImportError) -> ONNXTensor {
    var tensor = ONNXTensor()
    tensor.message = range
    try countValue(at: range.lowerBound)
    var wire = reader(range)
    while let field = try wire.next() {
      switch field.number {
      case 1: try wire.append(field, to: &tensor.dimensions)
      case 2: tensor.type = try wire.int(field)
      case 3: throw wire.malformed("a tensor in segments is not supported", at: field.offset)
      case 8: tensor.name = try name(try wire.bytes(field))
      case 9:
        guard tensor.raw == nil else {
          throw wire.malformed("the tensor has a second raw_data", at: field.offset)
        }
        tensor.raw = try wire.bytes(field)
      case 13: tensor.external.append(try entry(try wire.bytes(field)))
      case 14: tensor.isExternal = try wire.int(field) == 1
      case 4, 5, 6, 7, 10, 11:
        tensor.typedFields.insert(field.number)
        try wire.skip(field)
      default: try wire.skip(field)
      }
    }
    return tensor
  }

  mutating func sparseTensor(_ range: Range<Int>) throws(ImportError) -> ONNXSparseTensor {
    var sparse = ONNXSparseTensor()
    sparse.offset = range.lowerBound
    var wire = reader(range)
    while let field = try wire.next() {
      switch field.number {
      case 1: sparse.values = try tensor(try wire.bytes(field))
      case 2: sparse.indices = try tensor(try wire.bytes(field))
      case 3: try wire.append(field, to: &sparse.dimensions)
      default: try wire.skip(field)
      }
    }
    return sparse
  }

  // MARK: Shared

  private mutating func name(_ range: Range<Int>) throws(ImportError) -> NameTable.ID {
    guard range.count <= limits.nameBytes else {
      throw ImportError(
        .malformed, "a name of \(range.count) bytes is over the limit of \(limits.nameBytes)",
        place: "byte \(range.lowerBound)")
    }
    nameCount += 1
    guard nameCount <= limits.names else {
      throw ImportError(
        .malformed, "the model uses more names than the limit of \(limits.names)",
        place: "byte \(range.lowerBound)")
    }
    return names.id(range)
  }

  private mutating func countValue(at offset: Int) throws(ImportError) {
    valueCount += 1
    guard valueCount <= limits.values else {
      throw ImportError(
        .malformed, "the model has more tensors than the limit of \(limits.values)",
        place: "byte \(offset)")
    }
  }
}

extension ONNXGraph {
  /// Notes the names that come from around this graph. Graphs inside it have been seen to.
  fileprivate func findFreeNames() {
    var defined = Set(inputs.map(\.name))
    defined.formUnion(initializers.map(\.name))
    defined.formUnion(sparseInitializers.map(\.values.name))
    for node in nodes { defined.formUnion(outputs(of: node)) }
    var free: Set<NameTable.ID> = []
    func use(_ name: NameTable.ID) {
      if !name.isEmpty, !defined.contains(name), free.insert(name).inserted {
        freeNames.append(name)
      }
    }
    for node in nodes {
      inputs(of: node).forEach(use)
      for attribute in attributes(of: node) {
        for graph in attribute.graphs { graph.freeNames.forEach(use) }
      }
    }
    for output in outputs { use(output.name) }
  }
}
