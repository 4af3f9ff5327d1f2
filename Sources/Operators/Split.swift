import Graphs
import Instructions
import Tensors

/// Cuts a tensor into parts along an axis.
///
/// input: any; outputs: parts of the lengths `split` (an attribute until version 12, then a
/// constant input), or equal parts. From version 18 `num_outputs` says how many, and the last may
/// be smaller. ONNX versions 2 to 18.
package struct Split: MovesElements {
  package static let name = "Split"
  package static let sinceVersion = 2
  package var axis: Int
  package var lengths: [Int]?
  package var partCount: Int
  /// The last part may be smaller than the others.
  package var allowsRemainder: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: 0)
    lengths = try node.ints("split")
    let count = try node.int("num_outputs")
    partCount = node.outputs.count
    allowsRemainder = node.version >= 18
    if let count, count != partCount {
      throw node.invalid("num_outputs is \(count), but the node has \(partCount) outputs")
    }
  }

  package init(axis: Int, lengths: [Int]) {
    self.axis = axis
    self.lengths = lengths
    partCount = lengths.count
    allowsRemainder = false
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "input")
    let axis = try normalized(axis: axis, rank: x.shape.rank)
    var result: [ValueInfo] = []
    for length in try resolved(inputs, extent: x.shape[axis]) {
      var shape = x.shape
      shape[axis] = length
      result.append(ValueInfo(type: x.type, shape: shape))
    }
    return result
  }

  private func resolved(_ inputs: [ValueInfo?], extent: Int) throws(GraphError) -> [Int] {
    if let given = try inputs.integers(lengths, or: 1, "split") {
      var rest = extent
      for length in given {
        guard length >= 0 && length <= rest else {
          throw GraphError("split \(given) does not fit to an extent of \(extent)")
        }
        rest -= length
      }
      guard rest == 0 && given.count == partCount else {
        throw GraphError(
          "split \(given) for \(partCount) outputs does not fit to an extent of \(extent)")
      }
      return given
    }
    guard partCount > 0 else { throw GraphError("there are no outputs") }
    let length = (extent + partCount - 1) / partCount
    guard extent % partCount == 0 || (allowsRemainder && length * (partCount - 1) <= extent) else {
      throw GraphError("an extent of \(extent) cannot be cut into \(partCount) equal parts")
    }
    return (0..<partCount).map { min(length, extent - $0 * length) }
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let axis = try normalized(axis: axis, rank: shape.rank)
    let lengths = try resolved(lowering.inputInfos, extent: shape[axis])
    let layout = lowering.keptLayout(rank: shape.rank)
    let x = try lowering.operand(0, layout)
    if partCount == 1 {
      try lowering.alias(0, to: x, layout)
      return
    }
    let position = layout.position(ofAxis: axis, rank: shape.rank)
    var start = 0
    for (index, length) in lengths.enumerated() {
      if lowering.wants(output: index) {
        let y = try lowering.result(index, layout, type: lowering[x].type)
        lowering.emitCopy(of: length, along: position, from: x, at: start, to: y)
      }
      start += length
    }
  }
}
