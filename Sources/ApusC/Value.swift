import CApus
import Tensors

/// What inputs and outputs hold.
package indirect enum Value: Sendable {
  case tensor(TensorBuffer)
  case sequence([Value])
  /// An optional without contents.
  case absent

  /// What it is, in messages.
  package var kindName: String {
    switch self {
    case .tensor(let tensor): "a tensor \(tensor.type) \(tensor.shape)"
    case .sequence(let elements): "a sequence of \(elements.count)"
    case .absent: "an absent optional"
    }
  }
}

/// A value behind a handle.
final class ValueObject: Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}

/// A tensor in memory of somebody who keeps it valid.
package struct TensorView {
  package var type: ElementType
  package var shape: Shape
  package var base: UnsafeMutableRawPointer?
  package var byteCount: Int

  package init(
    type: ElementType, shape: Shape, base: UnsafeMutableRawPointer?, byteCount: Int
  ) {
    self.type = type
    self.shape = shape
    self.base = base
    self.byteCount = byteCount
  }

  /// The contents of a tensor, which lie still as long as it lives.
  package init(_ tensor: TensorBuffer) {
    self.init(
      type: tensor.type, shape: tensor.shape,
      base: tensor.withBytes { UnsafeMutableRawPointer(mutating: $0.baseAddress) },
      byteCount: tensor.byteCount)
  }

  /// Reads a tensor of the C interface.
  ///
  /// - Throws: `Failure` for an unknown type, an impossible shape, or too few bytes.
  package init(_ tensor: apus_tensor, _ name: StaticString) throws(Failure) {
    guard let type = ElementType(rawValue: UInt8(truncatingIfNeeded: tensor.type.rawValue)),
      tensor.type.rawValue <= UInt8.max, type != .string
    else {
      throw Failure(
        APUS_INVALID_ARGUMENT, "\(name): element type \(tensor.type.rawValue) cannot be passed")
    }
    guard (0...Int32(APUS_MAX_RANK)).contains(tensor.rank) else {
      throw Failure(
        APUS_INVALID_ARGUMENT, "\(name): rank \(tensor.rank) is not from 0 to \(APUS_MAX_RANK)")
    }
    let shape = Shape(
      withUnsafeBytes(of: tensor.dims) { bytes in
        bytes.bindMemory(to: Int64.self).prefix(Int(tensor.rank)).map { Int($0) }
      })
    guard let count = shape.checkedElementCount, let needed = type.byteCount(of: count) else {
      throw Failure(APUS_INVALID_ARGUMENT, "\(name): the shape \(shape) is impossible")
    }
    guard tensor.size >= needed, tensor.size <= Int.max, needed == 0 || tensor.data != nil else {
      throw Failure(
        APUS_WRONG_TENSOR,
        "\(name): \(type) \(shape) needs \(needed) bytes, and "
          + (tensor.data == nil ? "data is NULL" : "size is \(tensor.size)"))
    }
    self.init(type: type, shape: shape, base: tensor.data, byteCount: needed)
  }

  /// A tensor that borrows the memory while `body` runs.
  package func borrowed<R>(_ body: (TensorBuffer) throws -> R) rethrows -> R {
    try body(
      TensorBuffer(
        borrowing: UnsafeRawBufferPointer(start: base, count: byteCount), type: type,
        shape: shape, owner: Borrowed.shared))
  }

  /// A tensor of a copy of the memory.
  package func copied() -> TensorBuffer {
    let copy = TensorBuffer(zeros: type, shape)
    copy.withMutableBytes { target in
      if let base, byteCount > 0 {
        target.copyMemory(from: UnsafeRawBufferPointer(start: base, count: byteCount))
      }
    }
    return copy
  }

  /// The tensor as the C interface shows it.
  ///
  /// - Throws: `Failure` for a rank that it cannot show.
  package func exported() throws(Failure) -> apus_tensor {
    guard shape.rank <= Int(APUS_MAX_RANK) else {
      throw Failure(
        APUS_UNSUPPORTED, "\(type) \(shape) has rank \(shape.rank), more than \(APUS_MAX_RANK)")
    }
    var tensor = apus_tensor()
    tensor.type = apus_type(rawValue: UInt32(type.rawValue))
    tensor.rank = Int32(shape.rank)
    withUnsafeMutableBytes(of: &tensor.dims) { bytes in
      let dims = bytes.bindMemory(to: Int64.self)
      for (axis, extent) in shape.dimensions.enumerated() { dims[axis] = Int64(extent) }
    }
    tensor.data = base
    tensor.size = byteCount
    return tensor
  }
}

/// Stands for the caller of a C function, who keeps its memory valid during the call.
private final class Borrowed: Sendable {
  static let shared = Borrowed()
}
