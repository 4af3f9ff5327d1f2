import Graphs
import Tensors

/// An attribute, and what the graphs in it capture.
struct AttributeValue {
  var attribute: Attribute
  /// Values of the graph that holds the node, in the order of the inner graphs' captures.
  var captured: [Graph.ValueID] = []
}

extension GraphBuilder {
  /// Reads the attributes of a node.
  func attributes(of node: NodeContext) throws(ImportError) -> [String: AttributeValue] {
    var result: [String: AttributeValue] = [:]
    for attribute in node.source.attributes(of: node.node) {
      let name = parser.names[attribute.name]
      guard result[name] == nil else {
        throw ImportError(.invalidNode, "the attribute \(name.quoted) is given twice")
      }
      guard attribute.reference.isEmpty else {
        guard let arguments = node.scope.arguments else {
          throw ImportError(
            .invalidNode,
            "the attribute \(name.quoted) refers to an attribute of a function, "
              + "but the node is in none")
        }
        // An argument that the call does not give is left out here too.
        if let value = arguments[parser.names[attribute.reference]] {
          result[name] = AttributeValue(attribute: value)
        }
        continue
      }
      result[name] = try value(of: attribute, name, in: node.scope)
    }
    return result
  }

  func value(
    of attribute: ONNXAttribute, _ name: String, in scope: Scope
  ) throws(ImportError) -> AttributeValue {
    let message = parser.reader(attribute.message)
    let present = try typesOfFields(message)
    let type = attribute.type != 0 ? attribute.type : present.first ?? 0
    // Absent is zero or empty; but another field in its place is a contradiction.
    guard present.isEmpty || present.contains(type) else {
      throw ImportError(
        .invalidNode,
        "the attribute \(name.quoted) is of type \(type), but has a value of type "
          + "\(present[0])")
    }
    switch type {
    case 1:
      return AttributeValue(
        attribute: .float(try last(message, 2, 0) { (w, f) throws(ImportError) in try w.float(f) }))
    case 2:
      return AttributeValue(
        attribute: .int(try last(message, 3, 0) { (w, f) throws(ImportError) in try w.int(f) }))
    case 3:
      let range = try last(message, 4, 0..<0) { (w, f) throws(ImportError) in try w.bytes(f) }
      return AttributeValue(attribute: .string(try utf8(range, name)))
    case 4:
      guard let tensor = try tensors(message, 5, name, in: scope).last else {
        throw ImportError(.invalidNode, "the attribute \(name.quoted) has no tensor")
      }
      return AttributeValue(attribute: .tensor(tensor))
    case 5, 10: return try graphs(attribute, name, type, in: scope)
    case 6:
      var bits: [UInt32] = []
      try forEach(message, 7) { (w, f) throws(ImportError) in try w.append(f, fixed: &bits) }
      try spend(bits.count)
      return AttributeValue(attribute: .floats(bits.map { Float(bitPattern: $0) }))
    case 7:
      var integers: [Int] = []
      try forEach(message, 8) { (w, f) throws(ImportError) in try w.append(f, to: &integers) }
      try spend(integers.count)
      return AttributeValue(attribute: .ints(integers))
    case 8:
      var ranges: [Range<Int>] = []
      try forEach(message, 9) { (w, f) throws(ImportError) in ranges.append(try w.bytes(f)) }
      try spend(ranges.reduce(0) { $0 + 1 + $1.count })
      var strings: [String] = []
      for range in ranges { strings.append(try utf8(range, name)) }
      return AttributeValue(attribute: .strings(strings))
    case 9: return AttributeValue(attribute: .tensors(try tensors(message, 10, name, in: scope)))
    case 11:
      guard let range = try last(message, 22, nil, { (w, f) throws(ImportError) in try w.bytes(f) })
      else {
        throw ImportError(.invalidNode, "the attribute \(name.quoted) has no sparse tensor")
      }
      guard let dense = try decoder.tensor(try parser.sparseTensor(range), parser) else {
        throw ImportError(.unsupported, "the attribute \(name.quoted) holds strings")
      }
      return AttributeValue(attribute: .tensor(dense))
    case 13: return AttributeValue(attribute: .type)
    case 12, 14:
      throw ImportError(
        .unsupported,
        "the attribute \(name.quoted) holds \(type == 12 ? "sparse tensors" : "types"),"
          + " which is not supported")
    default:
      throw ImportError(
        .invalidNode, "the attribute \(name.quoted) has the type \(type), which does not exist")
    }
  }

  // MARK: Parts

  /// The types of the values that are present, once each: early files do not name the type.
  private func typesOfFields(_ message: WireReader) throws(ImportError) -> [Int] {
    var types: [Int] = []
    var wire = message
    while let field = try wire.next() {
      let type =
        switch field.number {
        case 2...11: field.number - 1
        case 22, 23: field.number - 11
        case 14: 13
        case 15: 14
        default: 0
        }
      if type != 0, !types.contains(type) { types.append(type) }
      try wire.skip(field)
    }
    return types
  }

  private func graphs(
    _ attribute: ONNXAttribute, _ name: String, _ type: Int, in scope: Scope
  ) throws(ImportError) -> AttributeValue {
    var drafts: [Draft] = []
    for source in attribute.graphs {
      let draft = Draft()
      let inner = Scope(
        draft: draft, enclosing: scope, opsets: scope.opsets, arguments: scope.arguments,
        prefix: scope.prefix)
      try nested { () throws(ImportError) in try build(source, in: inner) }
      drafts.append(draft)
    }
    let captured = drafts.flatMap(\.captured)
    if type == 10 {
      return AttributeValue(attribute: .graphs(drafts.map(\.graph)), captured: captured)
    }
    guard drafts.count == 1 else {
      throw ImportError(
        .invalidNode, "the attribute \(name.quoted) has \(drafts.count) graphs instead of one")
    }
    return AttributeValue(attribute: .graph(drafts[0].graph), captured: captured)
  }

  private func tensors(
    _ message: WireReader, _ field: Int, _ name: String, in scope: Scope
  ) throws(ImportError) -> [TensorBuffer] {
    var ranges: [Range<Int>] = []
    try forEach(message, field) { (w, f) throws(ImportError) in ranges.append(try w.bytes(f)) }
    var tensors: [TensorBuffer] = []
    for range in ranges {
      let listed = try parser.tensor(range)
      try spend(listed.typedFields.isEmpty ? 1 : range.count)
      guard let tensor = try decoder.tensor(listed, parser) else {
        throw ImportError(
          .unsupported,
          "the attribute \(name.quoted) is a tensor of strings, which are not "
            + "supported")
      }
      tensors.append(tensor)
    }
    return tensors
  }

  private func utf8(_ range: Range<Int>, _ name: String) throws(ImportError) -> String {
    let bytes = UnsafeRawBufferPointer(
      start: parser.base + range.lowerBound, count: range.count)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ImportError(.unsupported, "the attribute \(name.quoted) is not UTF-8 text")
    }
    return text
  }

  private func forEach(
    _ message: WireReader, _ number: Int,
    _ body: (inout WireReader, WireReader.Field) throws(ImportError) -> Void
  ) throws(ImportError) {
    var wire = message
    while let field = try wire.next() {
      if field.number == number { try body(&wire, field) } else { try wire.skip(field) }
    }
  }

  /// The last occurrence of a field counts, as protobuf has it.
  private func last<T>(
    _ message: WireReader, _ number: Int, _ missing: T,
    _ read: (inout WireReader, WireReader.Field) throws(ImportError) -> T
  ) throws(ImportError) -> T {
    var result = missing
    try forEach(message, number) { (w, f) throws(ImportError) in result = try read(&w, f) }
    return result
  }
}
