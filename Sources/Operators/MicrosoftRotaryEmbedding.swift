import Graphs
import Tensors

/// ONNX Runtime's earlier form of `RotaryEmbedding`, with the positions before the caches.
///
/// input, output: [B, S, H · D] or [B, H, S, D], float; position_ids: int64 [B, S], or one element:
/// the position of the first; cos_cache, sin_cache: [P, R / 2]. Attributes: `interleaved`,
/// `num_heads`, `rotary_embedding_dim`; `scale` must be 1, packed batches are refused.
/// com.microsoft version 1.
package struct MicrosoftRotaryEmbedding: ComposedOperator {
  package static let name = "RotaryEmbedding"
  package static let domain = "com.microsoft"

  private var rotation: Rotation

  package init(importing node: NodeReader) throws(ImportError) {
    rotation = try Rotation(node)
    guard try node.float("scale", default: 1) == 1,
      try !node.bool("is_packed_batching", default: false)
    else { throw node.unsupported("a scale other than 1, or packed batches") }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "input")
    try rotation.check(
      x, try inputs.required(2, "cos_cache"), try inputs.required(3, "sin_cache"),
      positions: try inputs.required(1, "position_ids"))
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    [
      try rotation.add(
        to: &composer, composer.input(0), cos: composer.input(2), sin: composer.input(3),
        positions: composer.input(1))
    ]
  }
}
