import Graphs
import Tensors

/// Causal attention with fewer key heads than query heads, as decoders exported for ONNX Runtime
/// have it.
///
/// query: [B, L, H · D], key, value: [B, L, G · D]; or query [B, L, (H + 2 · G) · D] alone.
/// past_key, past_value: [B, G, P, D], optional; seqlens_k: int32 [B], the keys of each sequence
/// less one; total_sequence_length: int32, P + L, known when shapes are. cos_cache, sin_cache: [M,
/// R / 2] with `do_rotary`; position_ids: int64 [B, L], optional; attention_bias: broadcastable to
/// [B, H, L, T]. output: [B, L, H · D]; present_key, present_value: [B, G, P + L, D].
///
/// Attributes: `num_heads`, `kv_num_heads`, `scale` (0: 1/√D), `softcap`, `do_rotary`,
/// `rotary_interleaved`, `local_window_size` (-1: all keys). Where a past is given, all sequences
/// must be equally long. Quantised caches, smooth softmax, head sinks and normalised queries are
/// refused. com.microsoft version 1.
package struct GroupQueryAttention: ComposedOperator {
  package static let name = "GroupQueryAttention"
  package static let domain = "com.microsoft"

  private var heads: Int
  private var groups: Int
  private var scale: Float
  private var softcap: Float
  private var rotation: Rotation?
  private var windowSize: Int

  package init(importing node: NodeReader) throws(ImportError) {
    heads = try AttentionOptions.headCount(node)
    groups = try node.int("kv_num_heads", default: 0)
    guard groups > 0, heads % groups == 0 else {
      throw node.invalid("kv_num_heads is \(groups); it must divide num_heads, \(heads)")
    }
    scale = try node.float("scale", default: 0)
    softcap = try node.float("softcap", default: 0)
    windowSize = try node.int("local_window_size", default: -1)
    let isInterleaved = try node.bool("rotary_interleaved", default: false)
    if try node.bool("do_rotary", default: false) {
      rotation = Rotation()
      rotation?.isInterleaved = isInterleaved
    }
    let quantized = try [
      node.string("k_quant_type", default: "NONE"), node.string("v_quant_type", default: "NONE"),
    ]
    guard quantized.allSatisfy({ $0 == "NONE" }), try node.int("smooth_softmax", default: 0) <= 0,
      try node.int("qk_output", default: 0) == 0, try node.bool("causal", default: true),
      try !node.bool("sliding_window_cache", default: false),
      !(11...15).contains(where: { node.hasInput($0) })
    else {
      throw node.unsupported(
        "quantised caches, smooth_softmax, qk_output, head_sink, non-causal attention and norms of "
          + "queries and keys; export without them")
    }
    node.ignore("kv_cache_bit_width", "qk_norm_epsilon")
  }

  /// The width of a head and what the shapes say.
  private func extents(
    _ inputs: [ValueInfo?]
  ) throws(GraphError) -> (batch: Int, length: Int, width: Int, past: Int) {
    let q = try inputs.required(0, "query")
    guard q.type.isFloat, q.type != .float64, q.shape.rank == 3 else {
      throw GraphError("query is \(q.type) \(q.shape), but must be a float of rank 3")
    }
    let isPacked = inputs.optional(1) == nil
    let count = isPacked ? heads + 2 * groups : heads
    guard q.shape[2] % count == 0 else {
      throw GraphError("query \(q.shape) cannot be split into \(count) heads")
    }
    let width = q.shape[2] / count
    let expected: Shape = [q.shape[0], q.shape[1], groups * width]
    if !isPacked {
      for (index, name) in [(1, "key"), (2, "value")] {
        let shape = try inputs.required(index, name).shape
        guard shape == expected else {
          throw GraphError("\(name) is \(shape), but must be \(expected)")
        }
      }
    }
    var past = 0
    if let given = inputs.optional(3)?.shape {
      guard given.rank == 4, given[0] == q.shape[0], given[1] == groups, given[3] == width,
        inputs.optional(4)?.shape == given
      else { throw GraphError("past_key is \(given), but must be like past_value") }
      past = given[2]
    }
    guard try inputs.required(5, "seqlens_k").shape.elementCount == q.shape[0] else {
      throw GraphError("seqlens_k must have one element per sequence")
    }
    try checkLengths(inputs, total: past + q.shape[1], batch: q.shape[0], hasPast: past > 0)
    return (q.shape[0], q.shape[1], width, past)
  }

  /// The cache must hold just what came before, for all sequences alike.
  private func checkLengths(
    _ inputs: [ValueInfo?], total: Int, batch: Int, hasPast: Bool
  ) throws(GraphError) {
    let said = try inputs.constantIntegers(6, "total_sequence_length") ?? []
    guard said == [total] else {
      throw GraphError(
        "total_sequence_length is \(said), but past and query have \(total) positions: give a "
          + "past_key of just the positions so far, not a shared buffer")
    }
    guard hasPast, batch > 1 else { return }
    let lengths = try inputs.constantIntegers(5, "seqlens_k") ?? []
    guard lengths.allSatisfy({ $0 == total - 1 }) else {
      throw GraphError(
        "seqlens_k are \(lengths); with a past, all sequences must have \(total) positions")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let (batch, length, width, past) = try extents(inputs)
    let type = try inputs.required(0, "query").type
    let present = ValueInfo(type: type, shape: [batch, groups, past + length, width])
    return [ValueInfo(type: type, shape: [batch, length, heads * width]), present, present]
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let (batch, length, width, past) = try extents(composer.inputInfos)
    var (q, k, v) = try separated(&composer, width)
    if let rotation {
      let (cos, sin) = (try composer.input(7), try composer.input(8))
      var turning = rotation
      turning.width = try 2 * composer.shape(cos)[1]
      let positions: Graph.ValueID
      if let given = composer.optional(9) {
        positions = given
      } else {
        positions = composer.constant(
          TensorBuffer(
            .int64, [batch, length],
            (0..<batch * length).map { Int64($0 % length + past) }))
      }
      q = try turning.add(to: &composer, q, cos: cos, sin: sin, positions: positions)
      k = try turning.add(to: &composer, k, cos: cos, sin: sin, positions: positions)
    }
    if let pastKey = composer.optional(3), let pastValue = composer.optional(4) {
      k = try composer.concatenated([pastKey, k], axis: 2)
      v = try composer.concatenated([pastValue, v], axis: 2)
    }
    let type = try composer.type(q)
    let bias = try bias(&composer, batch, length, past, type)
    let product = AttentionProduct(
      scale: scale == 0 ? 1 / Float(max(width, 1)).squareRoot() : scale, softcap: softcap,
      bias: bias)
    let y = try product.add(to: &composer, q, k, v).y
    return [try composer.joinedHeads(y), k, v]
  }

  /// Query, key and value as [B, heads, L, D].
  private func separated(
    _ composer: inout Composer, _ width: Int
  ) throws(GraphError) -> (Graph.ValueID, Graph.ValueID, Graph.ValueID) {
    let query = try composer.input(0)
    if let key = composer.optional(1) {
      return (
        try composer.splitHeads(query, heads), try composer.splitHeads(key, groups),
        try composer.splitHeads(composer.input(2), groups)
      )
    }
    let all = try composer.splitHeads(query, heads + 2 * groups)
    return (
      try composer.sliced(all, axis: 1, 0..<heads),
      try composer.sliced(all, axis: 1, heads..<heads + groups),
      try composer.sliced(all, axis: 1, heads + groups..<heads + 2 * groups)
    )
  }

  /// What is added to the scores: -∞ for keys that come later, lie outside of the window or behind
  /// the sequence's end.
  private func bias(
    _ composer: inout Composer, _ batch: Int, _ length: Int, _ past: Int, _ type: ElementType
  ) throws(GraphError) -> Graph.ValueID {
    let place = composer.counting([1, past + length])
    let own = composer.constant(
      TensorBuffer(.int64, [length, 1], (0..<length).map { Int64($0 + past) }))
    var allowed = try composer.add("LessOrEqual", [place, own])
    if windowSize >= 0 {
      let distance = try composer.add("Sub", [own, place])
      allowed = try composer.add(
        "And",
        [allowed, composer.add("Less", [distance, composer.integers([windowSize])])])
    }
    return try composer.masked(where: allowed, base: composer.optional(10), type)
  }
}
