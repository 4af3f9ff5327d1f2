import Graphs
import Tensors

/// Attention over heads as ONNX Runtime's transformer optimiser writes it.
///
/// query: [B, L, H · D]; key: [B, S, H · D], or [B, H, S, D] ready from an encoder; value: [B, S,
/// H · E], or [B, H, S, E]; or query [B, L, H, 3, D] alone, or query and key [B, S, H, 2, D]. bias:
/// [2 · H · D + H · E], added to query, key and value. key_padding_mask: int32 [B] (lengths), [B,
/// T] or [B, L, T] (0 hides a key); attention_bias: broadcastable to [B, H, L, T]; past_key,
/// past_value: [B, H, P, D]. output: [B, L, H · E]; present_key, present_value.
///
/// Attributes: `num_heads`, `scale` (0: 1/√D), `unidirectional`, `mask_filter_value` (-10000).
/// Shared buffers (`past_sequence_length`) and beam search (`cache_indirection`) are refused.
/// com.microsoft version 1.
package struct MultiHeadAttention: ComposedOperator {
  package static let name = "MultiHeadAttention"
  package static let domain = "com.microsoft"

  private var heads: Int
  private var options: AttentionOptions

  package init(importing node: NodeReader) throws(ImportError) {
    heads = try AttentionOptions.headCount(node)
    options = try AttentionOptions(node)
    guard !node.hasInput(8), !node.hasInput(9) else {
      throw node.unsupported(
        "past_sequence_length and cache_indirection; export without a shared key-value buffer")
    }
    if node.outputs.count > 3, node.outputs[3] {
      throw node.unsupported("the output qk; export without it")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let q = try inputs.required(0, "query")
    let size = try extents(inputs)
    let past = inputs.optional(6)?.shape
    if let past, past.rank != 4 { throw GraphError("past_key is \(past), but must be of rank 4") }
    let keys = size.keys + (past?[2] ?? 0)
    return [
      ValueInfo(type: q.type, shape: [size.batch, size.queries, heads * size.valueWidth]),
      ValueInfo(type: q.type, shape: [size.batch, heads, keys, size.width]),
      ValueInfo(type: q.type, shape: [size.batch, heads, keys, size.valueWidth]),
    ]
  }

  private struct Extents {
    var batch: Int
    var queries: Int
    var keys: Int
    var width: Int
    var valueWidth: Int
  }

  private func extents(_ inputs: [ValueInfo?]) throws(GraphError) -> Extents {
    let q = try inputs.required(0, "query")
    guard q.type.isFloat, q.type != .float64 else { throw GraphError("query is \(q.type)") }
    let shape = q.shape
    if shape.rank == 5 {
      guard shape[2] == heads, shape[3] == 3, inputs.optional(1) == nil else {
        throw GraphError("query is \(shape), but must be [B, L, \(heads), 3, D] without a key")
      }
      return Extents(
        batch: shape[0], queries: shape[1], keys: shape[1], width: shape[4], valueWidth: shape[4])
    }
    guard shape.rank == 3, shape[2] % heads == 0 else {
      throw GraphError("query \(shape) cannot be split into \(heads) heads")
    }
    let key = try inputs.required(1, "key").shape
    var result = Extents(
      batch: shape[0], queries: shape[1], keys: 0, width: shape[2] / heads, valueWidth: 0)
    if key.rank == 5 {
      guard key[2] == heads, key[3] == 2 else {
        throw GraphError("key is \(key), but must be [B, S, \(heads), 2, D]")
      }
      (result.keys, result.valueWidth) = (key[1], key[4])
      return result
    }
    let value = try inputs.required(2, "value").shape
    guard key.rank == value.rank, key.rank == 3 || key.rank == 4 && key[1] == heads else {
      throw GraphError("key \(key) and value \(value) do not fit to \(heads) heads")
    }
    result.keys = key.rank == 3 ? key[1] : key[2]
    result.valueWidth = key.rank == 3 ? value[2] / heads : value[3]
    return result
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let size = try extents(composer.inputInfos)
    var parts = try separated(&composer, size)
    if let bias = composer.optional(3) {
      var first = 0
      for index in parts.indices {
        let part = try composer.shape(parts[index])
        let width = index == 2 ? size.valueWidth : size.width
        let range = first..<first + heads * width
        first = range.upperBound
        // Keys and values that an encoder made have their bias already.
        guard part.rank == 3 else { continue }
        let share = try composer.sliced(bias, axis: 0, range)
        parts[index] = try composer.add("Add", [parts[index], share])
      }
    }
    for index in parts.indices where try composer.shape(parts[index]).rank == 3 {
      parts[index] = try composer.splitHeads(parts[index], heads)
    }
    var (k, v) = (parts[1], parts[2])
    if let past = composer.optional(6), let pastValue = composer.optional(7) {
      k = try composer.concatenated([past, k], axis: 2)
      v = try composer.concatenated([pastValue, v], axis: 2)
    }
    let keys = try composer.shape(k)[2]
    let mask = try options.mask(
      &composer, composer.optional(4), added: composer.optional(5), batch: size.batch,
      queries: size.queries, keys: keys, type: composer.type(k))
    let y = try options.product(size.width, mask).add(to: &composer, parts[0], k, v).y
    return [try composer.joinedHeads(y), k, v]
  }

  /// Query, key and value: [B, L, H · D], or [B, H, S, D] where they come so.
  private func separated(
    _ composer: inout Composer, _ size: Extents
  ) throws(GraphError) -> [Graph.ValueID] {
    let q = try composer.input(0)
    if try composer.shape(q).rank == 5 { return try unpacked(&composer, q) }
    let k = try composer.input(1)
    if try composer.shape(k).rank == 5 { return [q] + (try unpacked(&composer, k)) }
    return [q, k, try composer.input(2)]
  }

  /// [B, S, H, n, D] as n times [B, S, H · D].
  private func unpacked(
    _ composer: inout Composer, _ packed: Graph.ValueID
  ) throws(GraphError) -> [Graph.ValueID] {
    let shape = try composer.shape(packed)
    var parts: [Graph.ValueID] = []
    for index in 0..<shape[3] {
      let part = try composer.sliced(packed, axis: 3, index..<index + 1)
      parts.append(try composer.reshaped(part, [shape[0], shape[1], shape[2] * shape[4]]))
    }
    return parts
  }
}

/// The attributes and masks that ONNX Runtime's attentions share.
struct AttentionOptions {
  var scale: Float
  var isCausal: Bool
  var filter: Float

  init(_ node: NodeReader) throws(ImportError) {
    scale = try node.float("scale", default: 0)
    isCausal = try node.bool("unidirectional", default: false)
    filter = try node.float("mask_filter_value", default: -10000)
  }

  /// The required attribute `num_heads`.
  static func headCount(_ node: NodeReader) throws(ImportError) -> Int {
    guard let heads = try node.int("num_heads"), heads > 0 else {
      throw node.invalid("attribute num_heads must be a positive integer")
    }
    return heads
  }

  func product(_ width: Int, _ bias: Graph.ValueID?) -> AttentionProduct {
    AttentionProduct(
      scale: scale == 0 ? 1 / Float(max(width, 1)).squareRoot() : scale, bias: bias)
  }

  /// What is added to the scores [B, H, L, T]: the mask's filter value where a key is hidden, the
  /// lowest float where it comes later, and the given bias.
  func mask(
    _ composer: inout Composer, _ mask: Graph.ValueID?, added: Graph.ValueID?, batch: Int,
    queries: Int, keys: Int, type: ElementType
  ) throws(GraphError) -> Graph.ValueID? {
    var bias = added
    if let mask {
      let visible = try visible(&composer, mask, batch, queries, keys)
      let hidden = try composer.add(
        "Where", [visible, composer.scalar(0, type), composer.scalar(filter, type)])
      if let given = bias {
        bias = try composer.add("Add", [given, hidden])
      } else {
        bias = hidden
      }
    }
    guard isCausal else { return bias }
    let own = composer.constant(
      TensorBuffer(
        .int64, [queries, 1], (0..<queries).map { Int64($0 + keys - queries) }))
    let allowed = try composer.add("LessOrEqual", [composer.counting([1, keys]), own])
    let base = if let bias { bias } else { try composer.scalar(0, type) }
    return try composer.add(
      "Where", [allowed, base, composer.scalar(-.greatestFiniteMagnitude, type)])
  }

  /// Where keys may be seen, broadcastable to [B, 1, L, T].
  private func visible(
    _ composer: inout Composer, _ mask: Graph.ValueID, _ batch: Int, _ queries: Int, _ keys: Int
  ) throws(GraphError) -> Graph.ValueID {
    let info = try composer.info(mask)
    guard info.type == .int32 || info.type == .int64 else {
      throw GraphError("the mask is \(info.type), but must be int32")
    }
    let zero = try composer.scalar(0, info.type)
    let shape = info.shape
    if shape == [batch] {
      let lengths = try composer.reshaped(composer.cast(mask, .int64), [batch, 1, 1, 1])
      return try composer.add("Less", [composer.counting([1, keys]), lengths])
    }
    if shape == [2 * batch] {
      let bounds = try composer.reshaped(composer.cast(mask, .int64), [2, batch, 1, 1, 1])
      let ends = try composer.reshaped(
        composer.sliced(bounds, axis: 0, 0..<1), [batch, 1, 1, 1])
      let starts = try composer.reshaped(
        composer.sliced(bounds, axis: 0, 1..<2), [batch, 1, 1, 1])
      let place = composer.counting([1, keys])
      return try composer.add(
        "And",
        [
          composer.add("Less", [place, ends]),
          composer.add("GreaterOrEqual", [place, starts]),
        ])
    }
    if shape == [batch, keys] {
      let row = try composer.reshaped(mask, [batch, 1, 1, keys])
      return try composer.add("Greater", [row, zero])
    }
    if shape == [batch, queries, keys] {
      let plane = try composer.reshaped(mask, [batch, 1, queries, keys])
      return try composer.add("Greater", [plane, zero])
    }
    throw GraphError(
      "a mask of shape \(shape) is not supported for \(batch) x \(queries) queries and \(keys) "
        + "keys; use [B], [2 B], [B, T] or [B, L, T]")
  }
}

extension Composer {
  /// What is known of the node's inputs.
  var inputInfos: [ValueInfo?] {
    node.inputs.map { id in id.flatMap { graph.info(of: $0) } }
  }
}
