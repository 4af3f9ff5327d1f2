import Graphs
import Instructions
import Tensors

/// Reverses the first `sequence_lens[b]` positions in time of every batch element b.
///
/// input: rank ≥ 2; sequence_lens: int64 [batch]; `time_axis`, `batch_axis`: 0 and 1 in either
/// order. ONNX version 10.
package struct ReverseSequence: MovesElements {
  package static let name = "ReverseSequence"
  package static let sinceVersion = 10
  package var timeAxis: Int

  package init(importing node: NodeReader) throws(ImportError) {
    timeAxis = try node.int("time_axis", default: 0)
    let batchAxis = try node.int("batch_axis", default: 1)
    guard (timeAxis == 0 && batchAxis == 1) || (timeAxis == 1 && batchAxis == 0) else {
      throw node.invalid("time_axis \(timeAxis) and batch_axis \(batchAxis) must be 0 and 1")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "input")
    let lengths = try inputs.required(1, "sequence_lens")
    guard x.shape.rank >= 2, lengths.type == .int64, lengths.shape == [x.shape[1 - timeAxis]] else {
      throw GraphError("sequence_lens is \(lengths.type) \(lengths.shape) for \(x.shape)")
    }
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.operand(0)
    let lengths = try lowering.operand(1)
    let y = try lowering.result(0, type: lowering[x].type)
    lowering.emit(ReverseRuns(x, lengths: lengths, timeAxis: timeAxis, to: y))
  }
}
