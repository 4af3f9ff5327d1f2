import Graphs
import Tensors

extension ONNXParser {
  /// Reads a `TypeProto`: a dense tensor; sequences, maps and optionals are refused.
  ///
  /// An extent of -1 counts as open, as several exporters write it.
  func declaredType(
    _ range: Range<Int>
  ) throws(ImportError) -> (type: ElementType, dimensions: [Graph.Dimension]?) {
    var tensor: Range<Int>?
    var wire = reader(range)
    while let field = try wire.next() {
      switch field.number {
      case 1: tensor = try wire.bytes(field)
      case 4: throw ImportError(.unsupported, "is a sequence, which is not supported")
      case 5: throw ImportError(.unsupported, "is a map, which is not supported")
      case 8: throw ImportError(.unsupported, "is a sparse tensor, which is not supported")
      case 9: throw ImportError(.unsupported, "is optional, which is not supported")
      default: try wire.skip(field)
      }
    }
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
    guard let shape else { return (type, nil) }
    return (type, try dimensions(shape, of: type))
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
