import Graphs
import Tensors

/// Makes a sequence without elements. `dtype` is not kept: a sequence has the type of its elements.
/// ONNX version 11.
package struct SequenceEmpty: ValueOperator {
  package static let name = "SequenceEmpty"
  package static let sinceVersion = 11

  package init(importing node: NodeReader) throws(ImportError) { node.ignore("dtype") }

  package func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue] {
    [.sequence([])]
  }
}

/// Makes a sequence of its inputs: one or more tensors of one element type. ONNX version 11.
package struct SequenceConstruct: ValueOperator {
  package static let name = "SequenceConstruct"
  package static let sinceVersion = 11

  package init(importing node: NodeReader) throws(ImportError) {}

  package func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue] {
    var tensors: [TensorBuffer] = []
    for index in inputs.indices { tensors.append(try inputs.tensor(index, "inputs")) }
    for tensor in tensors where tensor.type != tensors[0].type {
      throw GraphError("a sequence of \(tensors[0].type) cannot hold \(tensor.type)")
    }
    return [.sequence(tensors)]
  }
}

/// Returns the tensor at a position of a sequence; a negative one counts from the end.
///
/// input_sequence; position: one integer. ONNX version 11.
package struct SequenceAt: ValueOperator {
  package static let name = "SequenceAt"
  package static let sinceVersion = 11

  package init(importing node: NodeReader) throws(ImportError) {}

  package func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue] {
    let tensors = try inputs.sequence(0, "input_sequence")
    guard let position = try inputs.integer(1, "position") else {
      throw GraphError("input 1 (position) is missing")
    }
    guard position >= -tensors.count, position < tensors.count else {
      throw GraphError("position \(position) of a sequence of \(tensors.count)")
    }
    return [.tensor(tensors[position < 0 ? position + tensors.count : position])]
  }
}

/// Returns a sequence with one more tensor, before a position or at the end.
///
/// input_sequence; tensor: of the sequence's element type; position: one integer, absent for the
/// end, negative ones count from it. ONNX version 11.
package struct SequenceInsert: ValueOperator {
  package static let name = "SequenceInsert"
  package static let sinceVersion = 11
  /// No sequence becomes longer.
  private static let limit = 1 << 24

  package init(importing node: NodeReader) throws(ImportError) {}

  package func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue] {
    var tensors = try inputs.sequence(0, "input_sequence")
    let tensor = try inputs.tensor(1, "tensor")
    let position = try inputs.integer(2, "position") ?? tensors.count
    guard position >= -tensors.count, position <= tensors.count else {
      throw GraphError("position \(position) of a sequence of \(tensors.count)")
    }
    guard tensors.first.map({ $0.type == tensor.type }) ?? true else {
      throw GraphError("a sequence of \(tensors[0].type) cannot hold \(tensor.type)")
    }
    guard tensors.count < SequenceInsert.limit else {
      throw GraphError("a sequence would have more elements than the limit of \(tensors.count)")
    }
    tensors.insert(tensor, at: position < 0 ? position + tensors.count : position)
    return [.sequence(tensors)]
  }
}

/// Returns a sequence without the tensor at a position, or without its last.
///
/// input_sequence; position: one integer, absent for the last, negative ones count from the end.
/// ONNX version 11.
package struct SequenceErase: ValueOperator {
  package static let name = "SequenceErase"
  package static let sinceVersion = 11

  package init(importing node: NodeReader) throws(ImportError) {}

  package func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue] {
    var tensors = try inputs.sequence(0, "input_sequence")
    let position = try inputs.integer(1, "position") ?? -1
    guard position >= -tensors.count, position < tensors.count else {
      throw GraphError("position \(position) of a sequence of \(tensors.count)")
    }
    tensors.remove(at: position < 0 ? position + tensors.count : position)
    return [.sequence(tensors)]
  }
}

/// Counts the tensors of a sequence: one int64. ONNX version 11.
package struct SequenceLength: ValueOperator {
  package static let name = "SequenceLength"
  package static let sinceVersion = 11

  package init(importing node: NodeReader) throws(ImportError) {}

  package func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue] {
    let count = try inputs.sequence(0, "input_sequence").count
    return [.tensor(TensorBuffer(.int64, [], [Int64(count)]))]
  }
}

/// Puts the tensors of a sequence one after the other along `axis`, or stacks them along a new one
/// (`new_axis` = 1). Negative axes count from the end. ONNX version 11.
package struct ConcatFromSequence: ValueOperator {
  package static let name = "ConcatFromSequence"
  package static let sinceVersion = 11

  package var axis: Int
  package var isNewAxis: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    guard let axis = try node.int("axis") else { throw node.invalid("axis is missing") }
    self.axis = axis
    isNewAxis = try node.bool("new_axis", default: false)
  }

  package func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue] {
    let tensors = try inputs.sequence(0, "input_sequence")
    guard let first = tensors.first else {
      throw GraphError("the sequence is empty: there is nothing to concatenate")
    }
    guard isNewAxis else {
      let axis = try normalized(axis: axis, rank: first.shape.rank)
      return [.tensor(try TensorBuffer.joined(tensors, axis: axis))]
    }
    let axis = try normalized(axis: axis, rank: first.shape.rank + 1)
    return [.tensor(try TensorBuffer.stacked(tensors, axis: axis))]
  }
}

extension TensorBuffer {
  /// Tensors of one shape along a new axis.
  package static func stacked(
    _ parts: [TensorBuffer], axis: Int
  ) throws(GraphError) -> TensorBuffer {
    var rows: [TensorBuffer] = []
    for part in parts {
      guard part.shape.rank >= axis else {
        throw GraphError("\(part.shape) has no place for a new axis \(axis)")
      }
      var shape = part.shape
      shape.dimensions.insert(1, at: axis)
      rows.append(part.reshaped(shape))
    }
    return try joined(rows, axis: axis)
  }
}

/// Cuts a tensor into a sequence.
///
/// input: at least 8 bits an element; split: one integer, the length of the pieces along `axis`
/// (the last may be shorter), or a list of lengths; absent: pieces of length 1, without the axis
/// unless `keepdims`. ONNX versions 11 to 24.
package struct SplitToSequence: ValueOperator {
  package static let name = "SplitToSequence"
  package static let sinceVersion = 11

  package var axis: Int
  package var keepsAxis: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: 0)
    keepsAxis = try node.bool("keepdims", default: true)
  }

  package func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue] {
    let x = try inputs.tensor(0, "input")
    guard x.type.byteCount > 0 else { throw GraphError("\(x.type) is not supported") }
    let axis = try normalized(axis: axis, rank: x.shape.rank)
    let extent = x.shape[axis]
    var lengths: [Int]
    let isGiven = inputs.given(1) != nil
    if isGiven {
      let split = try inputs.tensor(1, "split")
      guard let integers = split.integers(), split.type != .bool, split.shape.rank <= 1 else {
        throw GraphError(
          "input 1 (split) is \(split.type) \(split.shape), but must be a list of integers")
      }
      lengths = integers
      if split.shape.rank == 0 {
        let length = integers[0]
        guard length > 0 else { throw GraphError("a tensor cannot be split by \(length)") }
        lengths = stride(from: 0, to: extent, by: length).map { min(length, extent - $0) }
      }
    } else {
      lengths = [Int](repeating: 1, count: extent)
    }
    var left = extent
    for length in lengths {
      guard length >= 0, length <= left else {
        throw GraphError("an axis of extent \(extent) cannot be split into \(lengths)")
      }
      left -= length
    }
    guard left == 0 else {
      throw GraphError("an axis of extent \(extent) cannot be split into \(lengths)")
    }
    var parts: [TensorBuffer] = []
    var start = 0
    for length in lengths {
      var part = x.slice(axis: axis, from: start, count: length)
      if !isGiven, !keepsAxis {
        var shape = part.shape
        shape.dimensions.remove(at: axis)
        part = part.reshaped(shape)
      }
      parts.append(part)
      start += length
    }
    return [.sequence(parts)]
  }
}
