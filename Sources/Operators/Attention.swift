import Graphs
import Tensors

/// Scaled dot-product attention: y = softmax(softcap(scale · q · kᵀ) + bias) · v.
///
/// q: [B, H, L, D] (or [B, L, H · D] with `q_num_heads`), k: [B, G, S, D], v: [B, G, S, E] (or
/// [B, S, G · D] and [B, S, G · E] with `kv_num_heads`), float; H is a multiple of G. attn_mask:
/// bool (true: attend) or float (added), broadcastable to [B, H, L, T], its last axis may be
/// shorter; past_key, past_value: [B, G, P, D], [B, G, P, E], in front of k and v (T = P + S);
/// nonpad_kv_seqlen: int64 [B], the keys that count. y as q; present_key, present_value; the
/// scores [B, H, L, T] as `qk_matmul_output_mode` says.
///
/// Attributes: is_causal, scale (1/√D), softcap, softmax_precision, left_window_size,
/// right_window_size. Query i stands at position i plus the number of keys that precede the
/// queries. Rows without any key to attend to give zeros. ONNX versions 23 to 25.
package struct Attention: ComposedOperator {
  package static let name = "Attention"
  package static let sinceVersion = 23

  var isCausal: Bool
  var queryHeads: Int?
  var keyHeads: Int?
  var scale: Float?
  var softcap: Float
  var softmaxType: ElementType?
  var scores: AttentionProduct.Scores
  /// The keys before and behind its own that a query sees; -1: all.
  var window: (before: Int, behind: Int)

  package init(importing node: NodeReader) throws(ImportError) {
    isCausal = try node.bool("is_causal", default: false)
    queryHeads = try node.int("q_num_heads")
    keyHeads = try node.int("kv_num_heads")
    scale = try node.float("scale")
    softcap = try node.float("softcap", default: 0)
    if let number = try node.int("softmax_precision") {
      guard let raw = UInt8(exactly: number), let type = ElementType(rawValue: raw), type.isFloat
      else { throw node.invalid("softmax_precision is \(number), which is no float type") }
      softmaxType = type
    }
    let mode = try node.int("qk_matmul_output_mode", default: 0)
    guard let known = AttentionProduct.Scores(rawValue: mode) else {
      throw node.invalid("qk_matmul_output_mode is \(mode), but must be 0 to 3")
    }
    scores = known
    window = (
      try node.int("left_window_size", default: -1), try node.int("right_window_size", default: -1)
    )
    guard window.before >= -1, window.behind >= -1 else {
      throw node.invalid("the window \(window) must be of -1 (all) or more keys")
    }
    if let scale, scale < 0 { throw node.invalid("scale is \(scale); it must not be negative") }
  }

  /// The extents that the inputs say.
  private struct Extents {
    var batch: Int
    var heads: Int
    var groups: Int
    var queries: Int
    var keys: Int
    var past: Int
    var width: Int
    var valueWidth: Int
    var isFlat: Bool
  }

  private func extents(_ inputs: [ValueInfo?]) throws(GraphError) -> Extents {
    let q = try inputs.required(0, "Q")
    let k = try inputs.required(1, "K")
    let v = try inputs.required(2, "V")
    guard q.type.isFloat, k.type == q.type, v.type.isFloat else {
      throw GraphError("Q is \(q.type), K \(k.type), V \(v.type); they must be alike and floats")
    }
    let isFlat = q.shape.rank == 3
    guard isFlat || q.shape.rank == 4, k.shape.rank == q.shape.rank, v.shape.rank == q.shape.rank
    else { throw GraphError("Q \(q.shape), K \(k.shape) and V \(v.shape) must be of rank 3 or 4") }
    var result = Extents(
      batch: q.shape[0], heads: 0, groups: 0, queries: 0, keys: 0, past: 0, width: 0,
      valueWidth: 0, isFlat: isFlat)
    if isFlat {
      guard let queryHeads, let keyHeads, queryHeads > 0, keyHeads > 0,
        q.shape[2] % queryHeads == 0, k.shape[2] % keyHeads == 0, v.shape[2] % keyHeads == 0
      else {
        throw GraphError(
          "Q \(q.shape), K \(k.shape), V \(v.shape) need q_num_heads and kv_num_heads that divide "
            + "their last axes")
      }
      (result.heads, result.groups) = (queryHeads, keyHeads)
      (result.queries, result.keys) = (q.shape[1], k.shape[1])
      (result.width, result.valueWidth) = (q.shape[2] / queryHeads, v.shape[2] / keyHeads)
    } else {
      (result.heads, result.groups) = (q.shape[1], k.shape[1])
      (result.queries, result.keys) = (q.shape[2], k.shape[2])
      (result.width, result.valueWidth) = (q.shape[3], v.shape[3])
    }
    let (past, pastValue) = (inputs.optional(4), inputs.optional(5))
    guard (past == nil) == (pastValue == nil) else {
      throw GraphError("past_key and past_value must be given together")
    }
    if let past, let pastValue {
      guard past.shape.rank == 4, pastValue.shape.rank == 4, past.shape[1] == result.groups,
        pastValue.shape[2] == past.shape[2]
      else { throw GraphError("past_key is \(past.shape) and past_value \(pastValue.shape)") }
      result.past = past.shape[2]
    }
    guard result.groups > 0, result.heads % result.groups == 0 else {
      throw GraphError("\(result.groups) key heads do not divide \(result.heads) query heads")
    }
    if let lengths = inputs.optional(6) {
      guard past == nil, lengths.type == .int64, lengths.shape == [result.batch] else {
        throw GraphError(
          "nonpad_kv_seqlen is \(lengths.type) \(lengths.shape), but must be int64 "
            + "[\(result.batch)], without past keys")
      }
    }
    return result
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let e = try extents(inputs)
    let type = try inputs.required(0, "Q").type
    let valueType = try inputs.required(2, "V").type
    let all = e.past + e.keys
    let y: Shape =
      e.isFlat
      ? [e.batch, e.queries, e.heads * e.valueWidth] : [e.batch, e.heads, e.queries, e.valueWidth]
    return [
      ValueInfo(type: type, shape: y),
      ValueInfo(type: type, shape: [e.batch, e.groups, all, e.width]),
      ValueInfo(type: valueType, shape: [e.batch, e.groups, all, e.valueWidth]),
      ValueInfo(type: type, shape: [e.batch, e.heads, e.queries, all]),
    ]
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    var infos: [ValueInfo?] = []
    for id in composer.node.inputs { infos.append(id.flatMap { composer.graph.info(of: $0) }) }
    let e = try extents(infos)
    var (q, k, v) = (try composer.input(0), try composer.input(1), try composer.input(2))
    if e.isFlat {
      q = try composer.splitHeads(q, e.heads)
      k = try composer.splitHeads(k, e.groups)
      v = try composer.splitHeads(v, e.groups)
    }
    if let past = composer.optional(4), let pastValue = composer.optional(5) {
      k = try composer.concatenated([past, k], axis: 2)
      v = try composer.concatenated([pastValue, v], axis: 2)
    }
    let type = try composer.type(q)
    var product = AttentionProduct(
      scale: scale ?? 1 / Float(max(e.width, 1)).squareRoot(), softcap: softcap,
      softmaxType: softmaxType)
    (product.bias, product.mayMaskRows) = try bias(&composer, e, type)
    if composer.wants(3) { product.wanted = scores }
    var (y, kept) = try product.add(to: &composer, q, k, composer.cast(v, type))
    if e.isFlat { y = try composer.joinedHeads(y) }
    return [y, k, v, kept]
  }

  /// What is added to the scores, and whether it may hide all keys of a query.
  private func bias(
    _ composer: inout Composer, _ e: Extents, _ type: ElementType
  ) throws(GraphError) -> (Graph.ValueID?, Bool) {
    var mask = composer.optional(3)
    let keys = e.past + e.keys
    var allowed = try positions(&composer, e)
    if let given = mask {
      let shape = try composer.shape(given)
      let isBool = try composer.type(given) == .bool
      guard shape.rank >= 1, shape[shape.rank - 1] <= keys else {
        throw GraphError("attn_mask is \(shape), but there are \(keys) keys")
      }
      var padded = given
      let missing = keys - shape[shape.rank - 1]
      if isBool {
        padded = try composer.masked(where: given, type)
      } else {
        padded = try composer.cast(given, type)
      }
      if missing > 0 {
        let pads = [Int](repeating: 0, count: 2 * shape.rank - 1) + [missing]
        padded = try composer.add(
          "Pad", [padded, composer.integers(pads), composer.scalar(-.infinity, type)])
      }
      mask = padded
    }
    guard let first = allowed.popLast() else { return (mask, mask != nil) }
    var condition = first
    for other in allowed { condition = try composer.add("And", [condition, other]) }
    return (try composer.masked(where: condition, base: mask, type), true)
  }

  /// The conditions that a key's position must meet, each broadcastable to [B, 1, L, T].
  private func positions(
    _ composer: inout Composer, _ e: Extents
  ) throws(GraphError) -> [Graph.ValueID] {
    let keys = e.past + e.keys
    let lengths = composer.optional(6)
    guard isCausal || window != (-1, -1) || lengths != nil else { return [] }
    let place = composer.counting([1, keys])
    var conditions: [Graph.ValueID] = []
    var own = composer.constant(
      TensorBuffer(.int64, [e.queries, 1], (0..<e.queries).map { Int64($0 + e.past) }))
    if let lengths {
      let column = try composer.reshaped(lengths, [e.batch, 1, 1, 1])
      conditions.append(try composer.add("Less", [place, column]))
      let shift = composer.integers([-e.queries])
      own = try composer.add("Add", [own, composer.add("Add", [column, shift])])
    }
    if isCausal { conditions.append(try composer.add("LessOrEqual", [place, own])) }
    if window != (-1, -1) {
      let distance = try composer.add("Sub", [own, place])
      if window.before >= 0 {
        let limit = composer.integers([window.before])
        conditions.append(try composer.add("LessOrEqual", [distance, limit]))
      }
      if window.behind >= 0 {
        let limit = composer.integers([-window.behind])
        conditions.append(try composer.add("GreaterOrEqual", [distance, limit]))
      }
    }
    return conditions
  }
}
