import Graphs
import Tensors

/// What nodes of a run in stages hand to each other: tensors as everywhere, and what has no place
/// in a program.
public enum StagedValue: Sendable {
  case tensor(TensorBuffer)
  /// Any number of tensors of one element type, of any shapes.
  case sequence([TensorBuffer])
  /// A value, or nothing.
  indirect case optional(StagedValue?)

  /// The tensor, if it is one.
  public var tensor: TensorBuffer? {
    if case .tensor(let tensor) = self { tensor } else { nil }
  }

  /// `a tensor`, `a sequence`, `an optional`: for messages.
  public var kind: Graph.Kind {
    switch self {
    case .tensor: .tensor
    case .sequence: .sequence
    case .optional: .optional
    }
  }

  /// The bytes of all tensors in it.
  package var byteCount: Int {
    switch self {
    case .tensor(let tensor): tensor.byteCount
    case .sequence(let tensors): tensors.reduce(0) { $0 + $1.byteCount }
    case .optional(let value): value?.byteCount ?? 0
    }
  }
}

/// An operator that no instruction computes: it decides what runs, or works on sequences and
/// optionals. The room `Staging` runs it, between programs.
package protocol HostOperator: Operator {}

extension HostOperator {
  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    throw GraphError(
      staged: "\(Self.name) cannot become a part of one program; apus run and the libraries run "
        + "the model in stages")
  }
}

/// One whose results are made of its inputs alone.
package protocol ValueOperator: HostOperator {
  /// - Parameter inputs: by position; nil for an absent one.
  /// - Throws: `GraphError` where the inputs are of the wrong kind, or contradict each other.
  func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue]
}

extension [StagedValue?] {
  /// The input at this position; nil for an absent one.
  func given(_ index: Int) -> StagedValue? { index < count ? self[index] : nil }

  /// A tensor that must be given.
  func tensor(_ index: Int, _ name: String) throws(GraphError) -> TensorBuffer {
    switch given(index) {
    case .tensor(let tensor): return tensor
    case let other?:
      throw GraphError("input \(index) (\(name)) is \(other.kind), but must be a tensor")
    case nil: throw GraphError("input \(index) (\(name)) is missing")
    }
  }

  /// A sequence that must be given.
  func sequence(_ index: Int, _ name: String) throws(GraphError) -> [TensorBuffer] {
    switch given(index) {
    case .sequence(let tensors): return tensors
    case let other?:
      throw GraphError("input \(index) (\(name)) is \(other.kind), but must be a sequence")
    case nil: throw GraphError("input \(index) (\(name)) is missing")
    }
  }

  /// The one integer of an input; nil where it is absent.
  func integer(_ index: Int, _ name: String) throws(GraphError) -> Int? {
    guard given(index) != nil else { return nil }
    let tensor = try tensor(index, name)
    guard tensor.elementCount == 1, tensor.type != .bool, let value = tensor.integers()?.first
    else {
      throw GraphError(
        "input \(index) (\(name)) is \(tensor.type) \(tensor.shape), but must be one integer")
    }
    return value
  }
}

extension TensorBuffer {
  /// The elements from `start` on along an axis, `count` of them; copied.
  ///
  /// The range must lie inside the axis, and elements must be whole bytes.
  package func slice(axis: Int, from start: Int, count: Int) -> TensorBuffer {
    precondition(start >= 0 && count >= 0 && start + count <= shape[axis], "outside the axis")
    var part = shape
    part[axis] = count
    let result = TensorBuffer(zeros: type, part)
    let inner = shape.dimensions[(axis + 1)...].reduce(type.byteCount, *)
    let outer = shape.dimensions[..<axis].reduce(1, *)
    withBytes { source in
      result.withMutableBytes { target in
        guard let from = source.baseAddress, let to = target.baseAddress, count * inner > 0 else {
          return
        }
        for row in 0..<outer {
          (to + row * count * inner).copyMemory(
            from: from + (row * shape[axis] + start) * inner, byteCount: count * inner)
        }
      }
    }
    return result
  }

  /// The tensors one after the other along an axis, which they have; other extents are equal.
  package static func joined(
    _ parts: [TensorBuffer], axis: Int
  ) throws(GraphError) -> TensorBuffer {
    guard let first = parts.first else { throw GraphError("there is nothing to concatenate") }
    var whole = first.shape
    whole[axis] = 0
    for part in parts {
      var expected = whole
      expected[axis] = part.shape.rank == whole.rank ? part.shape[axis] : 0
      guard part.type == first.type, part.shape == expected else {
        throw GraphError(
          "\(first.type) \(first.shape) and \(part.type) \(part.shape) cannot be concatenated "
            + "along axis \(axis)")
      }
      whole[axis] += part.shape[axis]
    }
    guard first.type.byteCount > 0, let count = whole.checkedElementCount,
      count <= Limits.elements
    else { throw GraphError("\(first.type) \(whole) cannot be concatenated") }
    let result = TensorBuffer(zeros: first.type, whole)
    let inner = whole.dimensions[(axis + 1)...].reduce(first.type.byteCount, *)
    let outer = whole.dimensions[..<axis].reduce(1, *)
    var offset = 0
    for part in parts {
      let size = part.shape[axis] * inner
      part.withBytes { source in
        result.withMutableBytes { target in
          guard let from = source.baseAddress, let to = target.baseAddress, size > 0 else { return }
          for row in 0..<outer {
            (to + row * whole[axis] * inner + offset).copyMemory(
              from: from + row * size, byteCount: size)
          }
        }
      }
      offset += size
    }
    return result
  }
}
