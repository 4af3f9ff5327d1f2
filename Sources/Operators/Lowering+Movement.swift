import Graphs
import Instructions
import Tensors

/// What the operators that only move data share.
extension Lowering {
  /// What is known of every input, as `outputs(for:)` gets it.
  var inputInfos: [ValueInfo?] { node.inputs.indices.map { info($0) } }

  /// Makes output 0 the memory of input 0 under the output's shape. Channels-last survives where
  /// batch and channels stay what they are.
  func aliasReshaped() throws(GraphError) {
    let x = try required(0).shape
    let y = try outputInfo(0).shape
    let keeps =
      layout(0) == .channelsLast && (3...5).contains(y.rank) && x[0] == y[0] && x[1] == y[1]
    let layout = keeps ? Layout.channelsLast : .declared
    try alias(0, to: operand(0, layout), layout)
  }

  /// The layout in which input 0 lies, if a tensor of the output's rank can lie so too.
  func keptLayout(rank: Int) -> Layout {
    (3...5).contains(rank) && info(0)?.shape.rank == rank ? layout(0) : .declared
  }

  /// Channels-last if one of the inputs, all of this rank, lies so.
  func anyLayout(rank: Int) -> Layout {
    guard (3...5).contains(rank) else { return .declared }
    return node.inputs.indices.contains { layout($0) == .channelsLast } ? .channelsLast : .declared
  }

  /// Copies a part of `source` (physical axis `axis`, `count` positions from `start` on) to
  /// position `place` of the same axis of `target`; all other extents are equal.
  func emitCopy(
    of count: Int, along axis: Int, from source: Operand, at start: Int = 0, to target: Operand,
    place: Int = 0
  ) {
    let from = self[source].shape
    let to = self[target].shape
    if axis == from.rank - 1 {
      emit(CopyRows(source, from: start, to: target, at: place, count: count))
      return
    }
    let outer = from.dimensions[..<axis].reduce(1, *)
    let inner = from.dimensions[(axis + 1)...].reduce(1, *)
    emit(
      Copy(
        source, to: target, extents: [outer, count * inner],
        sourceStrides: [from[axis] * inner, 1], targetStrides: [to[axis] * inner, 1],
        sourceOffset: start * inner, targetOffset: place * inner))
  }
}
