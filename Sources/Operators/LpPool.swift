import Graphs
import Instructions
import Tensors

/// Takes the p-norm under a sliding window, channel by channel: y = (Σ |x|ᵖ)^(1/p).
///
/// x: [N, C, …] of rank 3 to 5, float; y: [N, C, …']. Attributes: `p` (2), `kernel_shape`,
/// `strides`, `pads`, `auto_pad`, `ceil_mode` and `dilations` (version 18). ONNX versions 2 to 22.
package struct LpPool: LoweredOperator {
  package static let name = "LpPool"

  private var pool: PoolWindow
  private var exponent: Int

  package init(importing node: NodeReader) throws(ImportError) {
    pool = try PoolWindow(importing: node)
    exponent = try node.int("p", default: 2)
    guard (1...64).contains(exponent) else { throw node.invalid("p is \(exponent)") }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat else { throw GraphError("x is \(x.type), but must be a float") }
    return [ValueInfo(type: x.type, shape: try pool.resolved(x).shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var instruction = try pool.instruction(.norm, lowering)
    instruction.exponent = exponent
    lowering.emit(instruction)
  }
}
