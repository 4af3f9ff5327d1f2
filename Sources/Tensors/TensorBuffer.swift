#if canImport(Glibc)
  import Glibc
#endif

/// A dense tensor in memory: element type, shape and bytes, row-major, little-endian.
///
/// The bytes either belong to the tensor (64-byte aligned) or are borrowed from an owner that the
/// tensor keeps alive, such as a mapped file; borrowed bytes may be unaligned.
///
/// Sendable because the bytes are written only through `withMutableBytes`, which callers use
/// before they share the tensor, as with any freshly made buffer.
public final class TensorBuffer: @unchecked Sendable {
  public let type: ElementType
  public let shape: Shape
  /// The size of the contents in bytes.
  public let byteCount: Int
  private let base: UnsafeMutableRawPointer
  private let owner: AnyObject?
  /// Whether the memory goes on behind the contents; see `paddedBytes`.
  private let isPadded: Bool

  /// Makes a tensor of zeros.
  ///
  /// Programmer error (precondition): a shape with a negative extent or one that overflows.
  public init(zeros type: ElementType, _ shape: Shape) {
    guard let count = shape.checkedElementCount, let bytes = type.byteCount(of: count) else {
      preconditionFailure("a tensor of shape \(shape) does not fit into memory")
    }
    self.type = type
    self.shape = shape
    byteCount = bytes
    base = TensorBuffer.allocate(bytes)
    owner = nil
    isPadded = true
  }

  /// Makes a tensor by copying `values` in row-major order.
  ///
  /// Programmer error (precondition): the count or the size of an element does not fit.
  public convenience init<T: BitwiseCopyable>(_ type: ElementType, _ shape: Shape, _ values: [T]) {
    precondition(values.count == shape.elementCount, "\(values.count) values for shape \(shape)")
    precondition(MemoryLayout<T>.size * 8 == type.bitCount, "\(T.self) is not \(type)")
    self.init(zeros: type, shape)
    values.withUnsafeBytes { source in
      if let first = source.baseAddress { base.copyMemory(from: first, byteCount: source.count) }
    }
  }

  /// Makes a tensor that borrows `bytes`, which `owner` keeps valid and unchanged.
  ///
  /// Programmer error (precondition): too few bytes.
  public convenience init(
    borrowing bytes: UnsafeRawBufferPointer, type: ElementType, shape: Shape, owner: AnyObject
  ) {
    self.init(borrowing: bytes, type: type, shape: shape, owner: owner, isPadded: false)
  }

  private init(
    borrowing bytes: UnsafeRawBufferPointer, type: ElementType, shape: Shape, owner: AnyObject,
    isPadded: Bool
  ) {
    let needed = shape.checkedElementCount.flatMap { type.byteCount(of: $0) }
    precondition(needed.map { $0 <= bytes.count } ?? false, "too few bytes for \(type) \(shape)")
    self.type = type
    self.shape = shape
    byteCount = needed ?? 0
    base = UnsafeMutableRawPointer(mutating: bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 64)!)
    self.owner = owner
    self.isPadded = isPadded
  }

  deinit {
    if owner == nil { free(base) }
  }

  /// The readable bytes behind the contents of a tensor that has its own memory.
  private static let padding = 64

  /// The contents with 64 readable bytes behind them, 64-byte aligned, so that a session can read
  /// or write them where they lie; nil for a tensor that borrows its memory from others.
  ///
  /// Valid while the tensor is. Whoever writes does so before the tensor is shared.
  package var paddedBytes: UnsafeRawBufferPointer? {
    isPadded ? UnsafeRawBufferPointer(start: base, count: byteCount + TensorBuffer.padding) : nil
  }

  private static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let rounded = (byteCount + 63) / 64 * 64 + padding
    guard let memory = aligned_alloc(64, rounded) else {
      fatalError("out of memory: asked for \(rounded) bytes")
    }
    memset(memory, 0, rounded)
    return memory
  }

  public var elementCount: Int { shape.elementCount }

  /// The contents; valid inside `body` only.
  public func withBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try body(UnsafeRawBufferPointer(start: base, count: byteCount))
  }

  /// The contents for writing; valid inside `body` only, and only before the tensor is shared.
  ///
  /// Programmer error (precondition): the tensor borrows its bytes.
  public func withMutableBytes<R, E: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    precondition(owner == nil, "a borrowed tensor cannot be written")
    return try body(UnsafeMutableRawBufferPointer(start: base, count: byteCount))
  }

  /// Copies the elements out as `T`, which must have the element type's size.
  public func elements<T: BitwiseCopyable>(as type: T.Type) -> [T] {
    precondition(MemoryLayout<T>.size * 8 == self.type.bitCount, "\(T.self) is not \(self.type)")
    return [T](unsafeUninitializedCapacity: elementCount) { buffer, count in
      if elementCount > 0, let target = buffer.baseAddress {
        UnsafeMutableRawPointer(target).copyMemory(from: base, byteCount: byteCount)
      }
      count = elementCount
    }
  }

  /// Returns the same bytes under another shape with as many elements; borrows, never copies.
  public func reshaped(_ shape: Shape) -> TensorBuffer {
    precondition(shape.elementCount == elementCount, "\(self.shape) cannot become \(shape)")
    return TensorBuffer(
      borrowing: UnsafeRawBufferPointer(start: base, count: byteCount), type: type, shape: shape,
      owner: owner ?? self, isPadded: isPadded)
  }
}

extension TensorBuffer {
  /// Makes a float32 tensor.
  public convenience init(_ shape: Shape, _ values: [Float]) {
    self.init(.float32, shape, values)
  }

  /// Makes a one-dimensional int64 tensor.
  public convenience init(_ values: [Int]) {
    self.init(.int64, [values.count], values.map(Int64.init))
  }

  /// The elements as float32, converted from any numeric type; nil otherwise.
  public func floats() -> [Float]? {
    switch type {
    case .float32: elements(as: Float.self)
    case .float64: elements(as: Double.self).map { Float($0) }
    case .float16: elements(as: Float16.self).map { Float($0) }
    case .bfloat16: elements(as: BFloat16.self).map { Float($0) }
    case .int8: elements(as: Int8.self).map { Float($0) }
    case .uint8, .bool: elements(as: UInt8.self).map { Float($0) }
    case .int16: elements(as: Int16.self).map { Float($0) }
    case .uint16: elements(as: UInt16.self).map { Float($0) }
    case .int32: elements(as: Int32.self).map { Float($0) }
    case .uint32: elements(as: UInt32.self).map { Float($0) }
    case .int64: elements(as: Int64.self).map { Float($0) }
    case .uint64: elements(as: UInt64.self).map { Float($0) }
    case .string, .complex64, .complex128: nil
    default: mapped { Float($0.real($1)) }
    }
  }

  /// Every element by the slow way that knows all types.
  private func mapped<R>(_ body: (NumericElements, Int) -> R) -> [R] {
    withBytes { bytes in
      guard let base = bytes.baseAddress else { return [] }
      let elements = NumericElements(UnsafeMutableRawPointer(mutating: base), type)
      return (0..<elementCount).map { body(elements, $0) }
    }
  }

  /// The elements as integers, for shapes, axes and counts (any integer type or bool); nil
  /// otherwise.
  public func integers() -> [Int]? {
    switch type {
    case .int8: elements(as: Int8.self).map { Int($0) }
    case .uint8, .bool: elements(as: UInt8.self).map { Int($0) }
    case .int16: elements(as: Int16.self).map { Int($0) }
    case .uint16: elements(as: UInt16.self).map { Int($0) }
    case .int32: elements(as: Int32.self).map { Int($0) }
    case .uint32: elements(as: UInt32.self).map { Int($0) }
    case .int64: elements(as: Int64.self).map { Int($0) }
    case .uint64: elements(as: UInt64.self).map { Int(clamping: $0) }
    case .int4, .uint4, .int2, .uint2: mapped { $0.whole($1) }
    default: nil
    }
  }
}
