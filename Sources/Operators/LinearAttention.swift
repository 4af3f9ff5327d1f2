import Graphs
import Instructions
import Tensors

/// Attention whose memory is one matrix per head: S = exp(decay) · S + k v'ᵀ, y = scale · Sᵀ q.
///
/// query: [B, T, H · D], key: [B, T, G · D], value: [B, T, G · E], float, H = `q_num_heads` a
/// multiple of G = `kv_num_heads`; past_state: [B, G, D, E], or absent (0); decay: [B, T, G] or
/// [B, T, G · D]; beta: [B, T, G] or [B, T, 1]. output: [B, T, H · E]; present_state: [B, G, D, E].
///
/// `update_rule`: "linear" (v' = v), "gated" (with decay), "delta" (v' = beta · (v − Sᵀ k)),
/// "gated_delta" (both, the default). `scale`: 0 means 1/√D. `chunk_size` is a hint and ignored.
/// ONNX version 27.
package struct LinearAttention: LoweredOperator {
  package static let name = "LinearAttention"
  package static let sinceVersion = 27

  var queryHeads: Int
  var keyHeads: Int
  var scale: Float
  var decays: Bool
  var corrects: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    node.ignore("chunk_size")
    guard let queries = try node.int("q_num_heads"), let keys = try node.int("kv_num_heads"),
      queries > 0, keys > 0, queries % keys == 0
    else {
      throw node.invalid("q_num_heads must be given, a positive multiple of kv_num_heads")
    }
    (queryHeads, keyHeads) = (queries, keys)
    scale = try node.float("scale", default: 0)
    let rule = try node.string("update_rule", default: "gated_delta")
    guard ["linear", "gated", "delta", "gated_delta"].contains(rule) else {
      throw node.invalid("update_rule \"\(rule)\" is not known")
    }
    decays = rule == "gated" || rule == "gated_delta"
    corrects = rule == "delta" || rule == "gated_delta"
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let q = try inputs.required(0, "query")
    let k = try inputs.required(1, "key").shape
    let v = try inputs.required(2, "value").shape
    guard q.type == .float32 || q.type == .float16 || q.type == .bfloat16 else {
      throw GraphError("query is \(q.type), but must be float32, float16 or bfloat16")
    }
    guard q.shape.rank == 3, k.rank == 3, v.rank == 3, q.shape[2] % queryHeads == 0,
      v[2] % keyHeads == 0, k == [q.shape[0], q.shape[1], q.shape[2] / queryHeads * keyHeads],
      Array(v.dimensions[..<2]) == Array(k.dimensions[..<2])
    else {
      throw GraphError(
        "query \(q.shape), key \(k) and value \(v) do not fit to \(queryHeads) and \(keyHeads) "
          + "heads")
    }
    let (batch, times, width) = (k[0], k[1], k[2] / keyHeads)
    let state: Shape = [batch, keyHeads, width, v[2] / keyHeads]
    let past = inputs.optional(3)
    if let past, past.shape != state {
      throw GraphError("past_state is \(past.shape), but must be \(state)")
    }
    try check(inputs.optional(4), "decay", decays, [batch, times], [keyHeads, keyHeads * width])
    try check(inputs.optional(5), "beta", corrects, [batch, times], [keyHeads, 1])
    return [
      ValueInfo(type: q.type, shape: [batch, times, queryHeads * (v[2] / keyHeads)]),
      ValueInfo(type: past?.type ?? q.type, shape: state),
    ]
  }

  /// The update rule says whether an input is there; its last axis has one of two extents.
  private func check(
    _ info: ValueInfo?, _ name: String, _ isNeeded: Bool, _ lead: [Int], _ widths: [Int]
  ) throws(GraphError) {
    guard (info != nil) == isNeeded else {
      throw GraphError(
        "the update rule \(isNeeded ? "needs" : "does not take") the input \(name)")
    }
    guard let shape = info?.shape else { return }
    guard widths.contains(where: { shape.dimensions == lead + [$0] }) else {
      throw GraphError("\(name) is \(shape), but must be \(Shape(lead + [widths[0]]))")
    }
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let width = shape[2] / queryHeads
    var recurrence = LinearRecurrence()
    recurrence.q = try lowering.operand(0, type: .float32)
    recurrence.k = try lowering.operand(1, type: .float32)
    recurrence.v = try lowering.operand(2, type: .float32)
    recurrence.state = try optional(3, lowering)
    recurrence.decay = try optional(4, lowering)
    recurrence.beta = try optional(5, lowering)
    recurrence.queryHeads = queryHeads
    recurrence.keyHeads = keyHeads
    recurrence.scale = scale == 0 ? 1 / Float(max(width, 1)).squareRoot() : scale
    let columns = try lowering.required(2).shape[2] / keyHeads
    recurrence.y = try lowering.resultOrSpare(
      0, .float32, [shape[0], shape[1], queryHeads * columns])
    recurrence.last = try lowering.resultOrSpare(
      1, .float32, [shape[0], keyHeads, width, columns])
    lowering.emit(recurrence)
  }

  private func optional(_ index: Int, _ lowering: Lowering) throws(GraphError) -> Operand {
    lowering.info(index) == nil ? .none : try lowering.operand(index, type: .float32)
  }
}
