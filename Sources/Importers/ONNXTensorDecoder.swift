import Graphs
import Tensors

/// Turns `TensorProto` messages into tensors: raw bytes are borrowed from the file, elements that
/// are listed one by one are gathered.
struct ONNXTensorDecoder {
  let source: ByteSource
  let limits: ONNXLimits
  var external: ExternalData
  /// The memory that densified sparse tensors took so far.
  private var densifiedBytes = 0

  init(source: ByteSource, limits: ONNXLimits, external: ExternalData) {
    self.source = source
    self.limits = limits
    self.external = external
  }

  /// Returns the tensor, or nil for one of strings, which has no buffer.
  mutating func tensor(
    _ tensor: ONNXTensor, _ parser: ONNXParser
  ) throws(ImportError) -> TensorBuffer? {
    let type = try elementType(tensor)
    let (count, byteCount) = try size(tensor.dimensions, type, at: tensor)
    if type == .string { return nil }
    let shape = Shape(tensor.dimensions)
    let isTyped = !tensor.typedFields.isEmpty
    if tensor.isExternal {
      guard tensor.raw == nil, !isTyped else {
        throw malformed(tensor, "has external data and data of its own")
      }
      return try externalTensor(tensor, type, shape, byteCount, parser)
    }
    if let raw = tensor.raw {
      guard !isTyped || raw.isEmpty else {
        throw malformed(tensor, "has both raw_data and a list of elements")
      }
      if !isTyped {
        guard raw.count == byteCount else {
          throw malformed(
            tensor,
            "of \(type) \(shape) needs \(byteCount) bytes of raw_data, but has \(raw.count)")
        }
        return normalised(borrow(source, raw, type, shape))
      }
    }
    return try typedTensor(tensor, type, shape, count, byteCount, parser)
  }

  /// Returns the dense form of a sparse tensor.
  mutating func tensor(
    _ sparse: ONNXSparseTensor, _ parser: ONNXParser
  ) throws(ImportError) -> TensorBuffer? {
    let type = try elementType(sparse.values)
    let (count, byteCount) = try size(sparse.dimensions, type, at: sparse.values)
    guard type.bitCount >= 8 else {
      throw malformed(sparse.values, "is sparse with elements of type \(type): not supported")
    }
    let (total, overflow) = densifiedBytes.addingReportingOverflow(byteCount)
    guard !overflow, total <= limits.densifiedBytes else {
      throw malformed(
        sparse.values,
        "is sparse and needs \(byteCount) bytes as a dense tensor; "
          + "all of them together may take \(limits.densifiedBytes)")
    }
    guard let values = try tensor(sparse.values, parser),
      let indices = try tensor(sparse.indices, parser), indices.type == .int64,
      values.shape.rank == 1
    else { throw malformed(sparse.values, "is sparse without int64 indices") }
    let positions = try flatPositions(sparse, indices, values.elementCount, count)
    densifiedBytes = total
    let dense = TensorBuffer(zeros: type, Shape(sparse.dimensions))
    let size = type.byteCount
    values.withBytes { from in
      dense.withMutableBytes { to in
        for (index, position) in positions.enumerated() {
          for byte in 0..<size { to[position * size + byte] = from[index * size + byte] }
        }
      }
    }
    return dense
  }

  // MARK: Parts

  private func elementType(_ tensor: ONNXTensor) throws(ImportError) -> ElementType {
    guard let type = UInt8(exactly: tensor.type).flatMap(ElementType.init(rawValue:)) else {
      throw malformed(tensor, "has the element type \(tensor.type), which does not exist")
    }
    return type
  }

  private func size(
    _ dimensions: [Int], _ type: ElementType, at tensor: ONNXTensor
  ) throws(ImportError) -> (count: Int, bytes: Int) {
    guard dimensions.count <= limits.rank else {
      throw malformed(tensor, "has \(dimensions.count) dimensions; the limit is \(limits.rank)")
    }
    guard let count = Shape(dimensions).checkedElementCount, let bytes = type.byteCount(of: count)
    else { throw malformed(tensor, "has the impossible shape \(dimensions)") }
    return (count, bytes)
  }

  private func borrow(
    _ source: ByteSource, _ range: Range<Int>, _ type: ElementType, _ shape: Shape
  ) -> TensorBuffer {
    TensorBuffer(
      borrowing: UnsafeRawBufferPointer(rebasing: source.bytes[range]), type: type, shape: shape,
      owner: source)
  }

  private mutating func externalTensor(
    _ tensor: ONNXTensor, _ type: ElementType, _ shape: Shape, _ byteCount: Int,
    _ parser: ONNXParser
  ) throws(ImportError) -> TensorBuffer {
    do throws(ImportError) {
      let entries = tensor.external.map { (parser.text($0.key), parser.text($0.value)) }
      let (file, range) = try external.range(entries, byteCount: byteCount)
      return normalised(borrow(file, range, type, shape))
    } catch {
      throw ImportError(
        error.code,
        "tensor \(parser.text(nameRange(tensor, parser)).quoted): "
          + error.message, place: "byte \(tensor.message.lowerBound)")
    }
  }

  /// A tensor whose elements are listed in one of the typed fields.
  private func typedTensor(
    _ tensor: ONNXTensor, _ type: ElementType, _ shape: Shape, _ count: Int, _ byteCount: Int,
    _ parser: ONNXParser
  ) throws(ImportError) -> TensorBuffer {
    let field = type.typedField
    guard tensor.typedFields.isSubset(of: [field]) else {
      throw malformed(
        tensor,
        "of \(type) keeps its elements in field \(tensor.typedFields.sorted()); "
          + "they belong into field \(field)")
    }
    var wire = parser.reader(tensor.message)
    switch field {
    case 4:
      // complex64 lists the real and the imaginary part of each element.
      var bits: [UInt32] = []
      while let next = try wire.next() {
        if next.number == field { try wire.append(next, fixed: &bits) } else { try wire.skip(next) }
      }
      return try gathered(tensor, type, shape, bits, perElement: type == .complex64 ? 2 : 1)
    case 10:
      var bits: [UInt64] = []
      while let next = try wire.next() {
        if next.number == field { try wire.append(next, fixed: &bits) } else { try wire.skip(next) }
      }
      return try gathered(tensor, type, shape, bits, perElement: type == .complex128 ? 2 : 1)
    default:
      var values: [Int] = []
      while let next = try wire.next() {
        if next.number == field { try wire.append(next, to: &values) } else { try wire.skip(next) }
      }
      return try narrowed(tensor, type, shape, values, byteCount)
    }
  }

  private func gathered<T: BitwiseCopyable>(
    _ tensor: ONNXTensor, _ type: ElementType, _ shape: Shape, _ words: [T], perElement: Int
  ) throws(ImportError) -> TensorBuffer {
    let (wanted, overflow) = shape.elementCount.multipliedReportingOverflow(by: perElement)
    guard !overflow, words.count == wanted else {
      throw wrongCount(tensor, type, shape, words.count)
    }
    let result = TensorBuffer(zeros: type, shape)
    result.withMutableBytes { target in
      words.withUnsafeBytes { target.copyMemory(from: $0) }
    }
    return result
  }

  /// Elements listed as integers: the low bits count. Types smaller than a byte come packed, one
  /// byte per integer.
  private func narrowed(
    _ tensor: ONNXTensor, _ type: ElementType, _ shape: Shape, _ values: [Int], _ byteCount: Int
  ) throws(ImportError) -> TensorBuffer {
    let size = max(type.byteCount, 1)
    guard values.count == byteCount / size, byteCount % size == 0 else {
      throw wrongCount(tensor, type, shape, values.count)
    }
    let result = TensorBuffer(zeros: type, shape)
    result.withMutableBytes { target in
      for (index, value) in values.enumerated() {
        let bits = type == .bool ? (value == 0 ? 0 : 1) : UInt64(truncatingIfNeeded: value)
        for byte in 0..<size {
          target[index * size + byte] = UInt8(truncatingIfNeeded: bits >> UInt64(8 * byte))
        }
      }
    }
    return result
  }

  /// Bools are one byte each, of which only 0 and 1 may reach a kernel.
  private func normalised(_ tensor: TensorBuffer) -> TensorBuffer {
    guard tensor.type == .bool, tensor.withBytes({ $0.contains { $0 > 1 } }) else { return tensor }
    return TensorBuffer(
      .bool, tensor.shape, tensor.elements(as: UInt8.self).map { UInt8($0 == 0 ? 0 : 1) })
  }

  private func flatPositions(
    _ sparse: ONNXSparseTensor, _ indices: TensorBuffer, _ valueCount: Int, _ count: Int
  ) throws(ImportError) -> [Int] {
    let rank = sparse.dimensions.count
    let numbers = indices.elements(as: Int64.self).map { Int($0) }
    let isFlat = indices.shape == [valueCount]
    guard isFlat || indices.shape == [valueCount, rank] else {
      throw malformed(sparse.values, "is sparse with indices of shape \(indices.shape)")
    }
    let strides = Shape(sparse.dimensions).denseStrides
    var positions: [Int] = []
    positions.reserveCapacity(valueCount)
    for index in 0..<valueCount {
      var position = isFlat ? numbers[index] : 0
      for axis in 0..<(isFlat ? 0 : rank) {
        let coordinate = numbers[index * rank + axis]
        guard coordinate >= 0, coordinate < sparse.dimensions[axis] else {
          throw malformed(sparse.values, "is sparse with an index outside its shape")
        }
        position += coordinate * strides[axis]
      }
      guard position >= 0, position < count else {
        throw malformed(sparse.values, "is sparse with an index outside its shape")
      }
      positions.append(position)
    }
    return positions
  }

  private func wrongCount(
    _ tensor: ONNXTensor, _ type: ElementType, _ shape: Shape, _ count: Int
  ) -> ImportError {
    malformed(tensor, "of \(type) \(shape) lists \(count) values")
  }

  private func malformed(_ tensor: ONNXTensor, _ message: String) -> ImportError {
    ImportError(
      .malformed, "a tensor \(message)", place: "byte \(tensor.message.lowerBound)")
  }

  private func nameRange(_ tensor: ONNXTensor, _ parser: ONNXParser) -> Range<Int>? {
    var wire = parser.reader(tensor.message)
    while let field = try? wire.next() {
      if field.number == 8 { return try? wire.bytes(field) }
      guard (try? wire.skip(field)) != nil else { return nil }
    }
    return nil
  }
}

extension ElementType {
  /// The field of `TensorProto` that lists elements of this type.
  fileprivate var typedField: Int {
    switch self {
    case .float32, .complex64: 4
    case .int64: 7
    case .float64, .complex128: 10
    case .uint32, .uint64: 11
    case .string: 6
    default: 5
    }
  }
}
