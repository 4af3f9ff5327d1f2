import Graphs
import Instructions
import Tensors

/// Chooses element by element: y = condition ? a : b.
///
/// condition: bool; a, b: one element type; all shapes broadcast; y: the broadcast shape. ONNX
/// versions 9 to 16 (types only).
package struct Where: LoweredOperator {
  package static let name = "Where"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let condition = try inputs.required(0, "condition")
    let a = try inputs.movable(1, "a")
    let b = try inputs.movable(2, "b")
    guard condition.type == .bool else {
      throw GraphError("the condition is \(condition.type), but must be bool")
    }
    try checkSameType([a, b])
    guard a.type.byteCount <= 8 else { throw GraphError("\(a.type) is not supported") }
    return [ValueInfo(type: a.type, shape: try broadcastShape([condition, a, b]))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let rank = try lowering.outputInfo(0).shape.rank
    let layout = lowering.broadcastLayout(over: [0, 1, 2], rank: rank)
    let condition = try lowering.broadcastOperand(0, layout, rank: rank)
    let a = try lowering.broadcastOperand(1, layout, rank: rank)
    let b = try lowering.broadcastOperand(2, layout, rank: rank)
    lowering.emit(Select(condition, a, b, to: try lowering.result(0, layout)))
  }
}
