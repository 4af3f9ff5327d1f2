import Graphs
import Instructions
import Tensors

/// Takes the average under a sliding window, channel by channel.
///
/// x: [N, C, …] of rank 3 to 5, float; y: [N, C, …']. Attributes: `kernel_shape`, `strides`,
/// `pads`, `auto_pad`, `count_include_pad` (0), `ceil_mode` (version 10), `dilations` (version 19).
/// ONNX versions 7 to 22.
package struct AveragePool: LoweredOperator {
  package static let name = "AveragePool"

  package var window: Window { pool.window }
  private var pool: PoolWindow
  package var countsPadding: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    pool = try PoolWindow(importing: node)
    countsPadding = try node.bool("count_include_pad", default: false)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat else { throw GraphError("x is \(x.type), but must be a float") }
    return [ValueInfo(type: x.type, shape: try pool.resolved(x).shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let resolved = try pool.resolved(lowering.required(0)).window
    if try lowering.lowerQuantizedAverage(resolved, countsPadding: countsPadding) { return }
    var instruction = try pool.instruction(.average, lowering)
    instruction.countsPadding = countsPadding
    lowering.emit(instruction)
  }
}
