import Graphs
import Tensors

/// Attention with its input projections, as ONNX Runtime's transformer optimiser writes it.
///
/// input: [B, L, I]; weights: [I, 2 · W + V] for query, key and value; bias: [2 · W + V], optional;
/// mask_index: int32 [B], [2 B], [B, T] or [B, L, T], optional; past: [2, B, H, P, D], optional;
/// attention_bias: broadcastable to [B, H, L, T], optional. output: [B, L, V]; present: [2, B, H,
/// P + L, D].
///
/// Attributes: `num_heads`, `qkv_hidden_sizes` (W, W, V), `scale` (0: 1/√D), `unidirectional`,
/// `mask_filter_value` (-10000). Rotation and shared buffers are refused. com.microsoft version 1.
package struct MicrosoftAttention: ComposedOperator {
  package static let name = "Attention"
  package static let domain = "com.microsoft"

  private var heads: Int
  private var widths: [Int]
  private var options: AttentionOptions

  package init(importing node: NodeReader) throws(ImportError) {
    heads = try AttentionOptions.headCount(node)
    widths = try node.ints("qkv_hidden_sizes") ?? []
    options = try AttentionOptions(node)
    guard try !node.bool("do_rotary", default: false), !node.hasInput(6),
      try !node.bool("past_present_share_buffer", default: false)
    else {
      throw node.unsupported(
        "do_rotary and past_present_share_buffer; optimise the model without them")
    }
    node.ignore("rotary_embedding_dim")
    guard widths.isEmpty || widths.count == 3 && widths[0] == widths[1] else {
      throw node.invalid("qkv_hidden_sizes are \(widths); the first two of three must be equal")
    }
  }

  /// The widths of all query heads and of all value heads.
  private func sizes(_ inputs: [ValueInfo?]) throws(GraphError) -> (query: Int, value: Int) {
    let x = try inputs.required(0, "input")
    let w = try inputs.required(1, "weights").shape
    guard x.type.isFloat, x.type != .float64, x.shape.rank == 3, w.rank == 2, w[0] == x.shape[2]
    else { throw GraphError("input \(x.type) \(x.shape) and weights \(w) do not fit") }
    let (query, value) = widths.isEmpty ? (w[1] / 3, w[1] / 3) : (widths[0], widths[2])
    guard 2 * query + value == w[1], query % heads == 0, value % heads == 0, query >= 0 else {
      throw GraphError("weights \(w) cannot be split into query, key and value of \(heads) heads")
    }
    return (query, value)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "input")
    let (query, value) = try sizes(inputs)
    let past = inputs.optional(4)?.shape
    if let past, past.rank != 5 { throw GraphError("past is \(past), but must be of rank 5") }
    return [
      ValueInfo(type: x.type, shape: [x.shape[0], x.shape[1], value]),
      ValueInfo(
        type: x.type,
        shape: [2, x.shape[0], heads, x.shape[1] + (past?[3] ?? 0), query / heads]),
    ]
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let (query, value) = try sizes(composer.inputInfos)
    let shape = try composer.shape(composer.input(0))
    var packed = try composer.add("MatMul", [composer.input(0), composer.input(1)])
    if let bias = composer.optional(2) { packed = try composer.add("Add", [packed, bias]) }
    let q = try composer.splitHeads(composer.sliced(packed, axis: 2, 0..<query), heads)
    var k = try composer.splitHeads(composer.sliced(packed, axis: 2, query..<2 * query), heads)
    var v = try composer.splitHeads(
      composer.sliced(packed, axis: 2, 2 * query..<2 * query + value), heads)
    if let past = composer.optional(4) {
      let extents = Array(try composer.shape(past).dimensions[1...])
      let pastKey = try composer.reshaped(composer.sliced(past, axis: 0, 0..<1), extents)
      let pastValue = try composer.reshaped(composer.sliced(past, axis: 0, 1..<2), extents)
      k = try composer.concatenated([pastKey, k], axis: 2)
      v = try composer.concatenated([pastValue, v], axis: 2)
    }
    let keys = try composer.shape(k)
    let mask = try options.mask(
      &composer, composer.optional(3), added: composer.optional(5), batch: shape[0],
      queries: shape[1], keys: keys[2], type: composer.type(k))
    let y = try options.product(query / heads, mask).add(to: &composer, q, k, v).y
    var present: Graph.ValueID?
    if composer.wants(1) {
      guard query == value else { throw GraphError("keys and values of different widths") }
      let parts = [1] + keys.dimensions
      present = try composer.concatenated(
        [composer.reshaped(k, parts), composer.reshaped(v, parts)], axis: 0)
    }
    return [try composer.joinedHeads(y), present]
  }
}
