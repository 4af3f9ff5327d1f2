import Tensors

/// A tensor of a program, by its place in the program's tensor table.
public struct Operand: Sendable, Hashable {
  package var index: Int32

  package init(_ index: Int) { self.index = Int32(index) }

  /// No tensor: the value of an optional operand that is absent.
  package static let none = Operand(-1)

  package var isPresent: Bool { index >= 0 }
}

/// What a program knows about one of its tensors.
///
/// The elements of the last axis are dense; consecutive rows (the last axis at consecutive
/// positions of all outer axes, flattened row-major) lie `rowStride` elements apart. A tensor with
/// `rowStride` equal to its last extent is dense.
public struct TensorSpec: Sendable {
  /// The name of the source value that it holds, or of the value it was made for.
  public var name: String
  /// The element type as it lies in memory (bfloat16 where a float32 value is kept in 16 bits).
  public var type: ElementType
  /// The extents in memory order.
  public var shape: Shape
  /// Elements between consecutive rows.
  public var rowStride: Int
  /// How memory order relates to the source value's axes.
  public var layout: Layout
  /// What 8-bit elements stand for; nil where elements are what they are.
  public var quantization: Quantization?
  public var storage: Storage

  /// Where a tensor lives.
  public enum Storage: Sendable, Hashable {
    /// Not yet planned.
    case unplaced
    /// In the session's arena, at this byte offset.
    case arena(offset: Int)
    /// In the model's weights, at this byte offset; read-only.
    case constant(offset: Int)
    /// In another tensor's memory, this many bytes after its start.
    case view(of: Operand, byteOffset: Int)
  }

  package init(
    name: String, type: ElementType, shape: Shape, rowStride: Int? = nil,
    layout: Layout = .declared, quantization: Quantization? = nil, storage: Storage = .unplaced
  ) {
    self.name = name
    self.type = type
    self.shape = shape
    self.rowStride = rowStride ?? shape.dimensions.last ?? 1
    self.layout = layout
    self.quantization = quantization
    self.storage = storage
  }

  /// The extent of the last axis; 1 for a scalar.
  package var rowLength: Int { shape.dimensions.last ?? 1 }

  /// The number of rows: the product of all extents but the last.
  package var rowCount: Int { shape.dimensions.dropLast().reduce(1, *) }

  package var isDense: Bool { rowStride == rowLength || rowCount <= 1 }

  /// The bytes from the first to the last element.
  package var byteCount: Int {
    guard shape.elementCount > 0 else { return 0 }
    let elements = (rowCount - 1) * rowStride + rowLength
    return type.byteCount(of: elements) ?? 0
  }
}
