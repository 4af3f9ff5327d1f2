import Graphs
import Tensors

extension ONNXParser {
  /// What a `TypeProto` declares; of a sequence or an optional the type and the extents are those
  /// of its tensors.
  struct DeclaredType {
    var kind = Graph.Kind.tensor
    var type: ElementType?
    var dimensions: [Graph.Dimension]?
  }

  /// Reads a `TypeProto`: a dense tensor, a sequence of them, or an optional of either; maps and
  /// sparse tensors are refused.
  ///
  /// An extent of -1 counts as open, as several exporters write it.
  func declaredType(_ range: Range<Int>) throws(ImportError) -> DeclaredType {
    var tensor: Range<Int>?
    var outer: (kind: Graph.Kind, message: Range<Int>)?
    var wire = reader(range)
    while let field = try wire.next() {
      switch field.number {
      case 1: tensor = try wire.bytes(field)
      case 4: outer = (.sequence, try wire.bytes(field))
      case 5: throw ImportError(.unsupported, "is a map, which is not supported")
      case 8: throw ImportError(.unsupported, "is a sparse tensor, which is not supported")
      case 9: outer = (.optional, try wire.bytes(field))
      default: try wire.skip(field)
      }
    }
    if let outer { return try declaredType(of: outer.kind, outer.message) }
    guard let tensor else { throw ImportError(.malformed, "has no type") }
    var number = 0
    var shape: Range<Int>?
    wire = reader(tensor)
    while let field = try wire.next() {
      switch field.number {
      case 1: number = try wire.int(field)
      case 2: shape = try wire.bytes(field)
      default: try wire.skip(field)
      }
    }
    guard let type = UInt8(exactly: number).flatMap(ElementType.init(rawValue:)) else {
      throw ImportError(.malformed, "has the element type \(number), which does not exist")
    }
    guard type != .string else {
      throw ImportError(.unsupported, "is a tensor of strings, which is not supported")
    }
    let extents = try shape.map { (range) throws(ImportError) in try dimensions(range, of: type) }
    return DeclaredType(type: type, dimensions: extents)
  }

  /// Reads what a sequence or an optional is made of: tensors, or of an optional a sequence.
  private func declaredType(
    of kind: Graph.Kind, _ range: Range<Int>
  ) throws(ImportError) -> DeclaredType {
    var element: Range<Int>?
    var wire = reader(range)
    while let field = try wire.next() {
      if field.number == 1 { element = try wire.bytes(field) } else { try wire.skip(field) }
    }
    guard let element else { return DeclaredType(kind: kind) }
    // Deeper nesting makes no sense, and must not lead the reader down.
    var inner = reader(element)
    while let field = try inner.next() {
      let isPlain = field.number == 1 || field.number == 4 && kind == .optional
      if field.number == 9 || field.number == 4 && !isPlain {
        throw ImportError(.unsupported, "is \(kind) of others, which is not supported")
      }
      try inner.skip(field)
    }
    var declared = try declaredType(element)
    declared.kind = kind
    return declared
  }

  private func dimensions(
    _ range: Range<Int>, of type: ElementType
  ) throws(ImportError) -> [Graph.Dimension] {
    var dimensions: [Graph.Dimension] = []
    var wire = reader(range)
    while let field = try wire.next() {
      if field.number == 1 {
        dimensions.append(try dimension(try wire.bytes(field)))
      } else {
        try wire.skip(field)
      }
    }
    guard dimensions.count <= limits.rank else {
      throw ImportError(
        .malformed, "has \(dimensions.count) dimensions; the limit is \(limits.rank)")
    }
    let known = dimensions.compactMap {
      if case .known(let extent) = $0 { extent } else { nil }
    }
    guard Shape(known).checkedElementCount.flatMap({ type.byteCount(of: $0) }) != nil else {
      throw ImportError(.malformed, "has the impossible shape \(known)")
    }
    return dimensions
  }

  private func dimension(_ range: Range<Int>) throws(ImportError) -> Graph.Dimension {
    var dimension = Graph.Dimension.symbol("")
    var wire = reader(range)
    while let field = try wire.next() {
      switch field.number {
      case 1:
        let extent = try wire.int(field)
        guard extent >= -1 else { throw ImportError(.malformed, "has the extent \(extent)") }
        dimension = extent == -1 ? .symbol("") : .known(extent)
      case 2:
        let name = try wire.bytes(field)
        guard name.count <= limits.nameBytes else {
          throw ImportError(.malformed, "has an extent with a name of \(name.count) bytes")
        }
        dimension = .symbol(text(name))
      default: try wire.skip(field)
      }
    }
    return dimension
  }
}
