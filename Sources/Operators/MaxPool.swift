import Graphs
import Instructions
import Tensors

/// Takes the maximum under a sliding window, channel by channel.
///
/// x: [N, C, …] of rank 3 to 5, float, int8 or uint8; y: [N, C, …']; indices (optional): int64 like
/// y, positions in x flattened ([N, C, H, W] order, or with the spatial axes reversed where
/// `storage_order` is 1). Attributes: `kernel_shape`, `strides`, `pads`, `auto_pad`, `dilations`
/// and `ceil_mode` (version 10). ONNX versions 1 to 22.
package struct MaxPool: MovesElements {
  package static let name = "MaxPool"

  package var window: Window { pool.window }
  private var pool: PoolWindow
  private var ordersColumns: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    pool = try PoolWindow(importing: node)
    ordersColumns = try node.bool("storage_order", default: false)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat || x.type == .int8 || x.type == .uint8 else {
      throw GraphError("x is \(x.type), which MaxPool does not take")
    }
    let shape = try pool.resolved(x).shape
    return [ValueInfo(type: x.type, shape: shape), ValueInfo(type: .int64, shape: shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var instruction = try pool.instruction(.maximum, lowering)
    if lowering.wants(output: 1) {
      instruction.places = try lowering.result(1, .channelsLast)
      instruction.ordersColumns = ordersColumns
    }
    lowering.emit(instruction)
  }
}
