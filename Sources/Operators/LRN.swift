import Graphs
import Instructions
import Tensors

/// Normalises across neighbouring channels: y = x / (bias + alpha / size · Σ x²)^beta, the sum over
/// `size` channels around each.
///
/// x, y: [N, C, …] of rank 2 to 5, float16 or float32. Attributes: `size` (required), `alpha`
/// (1e-4), `beta` (0.75), `bias` (1). ONNX versions 1 and 13.
package struct LRN: LoweredOperator {
  package static let name = "LRN"

  package var size: Int
  package var alpha: Float
  package var beta: Float
  package var bias: Float

  package init(importing node: NodeReader) throws(ImportError) {
    guard let size = try node.int("size"), (1...1 << 24).contains(size) else {
      throw node.invalid("attribute size must be a positive integer")
    }
    self.size = size
    alpha = try node.float("alpha", default: 1e-4)
    beta = try node.float("beta", default: 0.75)
    bias = try node.float("bias", default: 1)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat, x.type != .float64, (2...5).contains(x.shape.rank) else {
      throw GraphError("x is \(x.type) \(x.shape), but must be a float32 [N, C, …] of rank 2 to 5")
    }
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let layout: Layout = try lowering.required(0).shape.rank == 2 ? .declared : .channelsLast
    let x = try lowering.operand(0, layout)
    lowering.emit(
      LocalResponseNormalization(
        x, size: size, alpha: alpha, beta: beta, bias: bias, to: try lowering.result(0, layout)))
  }
}
