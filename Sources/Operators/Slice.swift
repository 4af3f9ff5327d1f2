import Graphs
import Instructions
import Tensors

/// Takes every `step`-th position from `start` to before `end` along some axes.
///
/// data: any; starts, ends, axes, steps: attributes until version 9, then constant inputs. Negative
/// starts and ends count from the end and are clamped; steps may be negative. ONNX versions 1 to
/// 13.
package struct Slice: MovesElements {
  package static let name = "Slice"
  package var starts: [Int]?
  package var ends: [Int]?
  package var axes: [Int]?

  package init(importing node: NodeReader) throws(ImportError) {
    starts = try node.ints("starts")
    ends = try node.ints("ends")
    axes = try node.ints("axes")
  }

  /// What is taken of one axis.
  private struct Part {
    var start = 0
    var step = 1
    var count: Int
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "data")
    let parts = try resolved(inputs, x.shape)
    return [ValueInfo(type: x.type, shape: Shape(parts.map(\.count)))]
  }

  private func resolved(_ inputs: [ValueInfo?], _ shape: Shape) throws(GraphError) -> [Part] {
    guard let starts = try inputs.integers(starts, or: 1, "starts"),
      let ends = try inputs.integers(ends, or: 2, "ends")
    else { throw GraphError("starts or ends are missing") }
    let axes = try inputs.integers(axes, or: 3, "axes") ?? Array(starts.indices)
    let steps =
      try inputs.constantIntegers(4, "steps") ?? [Int](repeating: 1, count: starts.count)
    guard ends.count == starts.count, axes.count == starts.count, steps.count == starts.count
    else {
      throw GraphError(
        "starts \(starts), ends \(ends), axes \(axes), steps \(steps) differ in length")
    }
    var parts = shape.dimensions.map { Part(count: $0) }
    for (index, axis) in try normalized(axes: axes, rank: shape.rank).enumerated() {
      parts[axis] = try part(
        from: starts[index], to: ends[index], step: steps[index], extent: shape[axis])
    }
    return parts
  }

  private func part(from start: Int, to end: Int, step: Int, extent: Int) throws(GraphError)
    -> Part
  {
    guard step != 0 && step != .min else { throw GraphError("a step of \(step) is impossible") }
    // Positions that count from the end; far outside values must not overflow.
    let absolute = { (place: Int) in place < 0 ? max(place, -extent - 1) + extent : place }
    if step > 0 {
      let low = min(max(absolute(start), 0), extent)
      let high = min(max(absolute(end), 0), extent)
      return Part(start: low, step: step, count: high > low ? (high - low - 1) / step + 1 : 0)
    }
    let high = min(max(absolute(start), 0), extent - 1)
    let low = min(max(absolute(end), -1), extent - 1)
    return Part(start: high, step: step, count: high > low ? (high - low - 1) / -step + 1 : 0)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let rank = shape.rank
    let parts = try resolved(lowering.inputInfos, shape)
    let layout = lowering.keptLayout(rank: rank)
    let x = try lowering.operand(0, layout)
    if zip(parts, shape.dimensions).allSatisfy({ $0.count == $1 && ($0.step == 1 || $1 <= 1) }) {
      try lowering.alias(0, to: x, layout)
      return
    }
    let y = try lowering.result(0, layout, type: lowering[x].type)
    if parts.contains(where: { $0.count == 0 }) { return }
    let order = layout.axes(rank: rank)
    let cut = order.indices.filter { parts[order[$0]].count != shape[order[$0]] }
    if cut.count == 1, parts.allSatisfy({ $0.step == 1 || $0.count == 1 }) {
      let part = parts[order[cut[0]]]
      lowering.emitCopy(of: part.count, along: cut[0], from: x, at: part.start, to: y)
      return
    }
    let strides = lowering[x].shape.denseStrides
    var offset = 0
    var steps: [Int] = []
    for (position, axis) in order.enumerated() {
      let part = parts[axis]
      offset += part.start * strides[position]
      // One position: its step does not matter and may be huge.
      steps.append(part.count == 1 ? strides[position] : part.step * strides[position])
    }
    lowering.emit(
      Copy(
        x, to: y, extents: lowering[y].shape.dimensions, sourceStrides: steps,
        targetStrides: lowering[y].shape.denseStrides, sourceOffset: offset))
  }
}
