import Graphs
import Tensors

/// Scaled dot-product attention over heads, as `Attention` and its relatives share it:
/// y = softmax(softcap(scale · q · kᵀ) + bias) · v.
///
/// q: [B, H, L, D], k: [B, G, S, D], v: [B, G, S, E] with H a multiple of G (every key head serves
/// H / G query heads); y: [B, H, L, E].
struct AttentionProduct {
  /// What of the scores is asked for besides y.
  enum Scores: Int {
    case raw = 0
    case capped = 1
    case biased = 2
    case shares = 3
  }

  var scale: Float
  /// c · tanh(x / c) of the scores; 0: none.
  var softcap: Float = 0
  /// The element type of the softmax; nil: that of q.
  var softmaxType: ElementType?
  /// Added to the scores; broadcastable to [B, H, L, S].
  var bias: Graph.ValueID?
  /// Whether rows of the bias may be -∞ throughout; such rows give zeros.
  var mayMaskRows = false
  /// The scores to return.
  var wanted: Scores?

  /// Adds the nodes.
  func add(
    to composer: inout Composer, _ q: Graph.ValueID, _ k: Graph.ValueID, _ v: Graph.ValueID
  ) throws(GraphError) -> (y: Graph.ValueID, scores: Graph.ValueID?) {
    let (qs, ks, vs) = (
      try composer.shape(q), try composer.shape(k), try composer.shape(v)
    )
    let type = try composer.type(q)
    let (batch, heads, length) = (qs[0], qs[1], qs[2])
    let groups = ks[1]
    guard groups > 0, heads % groups == 0, vs[1] == groups, ks[3] == qs[3], vs[2] == ks[2],
      ks[0] == batch, vs[0] == batch
    else { throw GraphError("q \(qs), k \(ks) and v \(vs) do not fit to each other") }
    let isGrouped = groups != heads
    let repeats = heads / groups
    /// Heads that share a key lie side by side, and the key broadcasts along them.
    var left = q
    var right = try composer.transposed(k, [0, 1, 3, 2])
    var values = v
    if isGrouped {
      left = try composer.reshaped(q, [batch, groups, repeats, length, qs[3]])
      right = try composer.reshaped(right, [batch, groups, 1, ks[3], ks[2]])
      values = try composer.reshaped(v, [batch, groups, 1, vs[2], vs[3]])
    }
    var scores = try composer.scaled(composer.add("MatMul", [left, right]), by: scale)
    if isGrouped { scores = try composer.reshaped(scores, [batch, heads, length, ks[2]]) }
    var kept = wanted == .raw ? scores : nil
    if softcap > 0 {
      let bounded = try composer.add("Tanh", [composer.scaled(scores, by: 1 / softcap)])
      scores = try composer.scaled(bounded, by: softcap)
    }
    if wanted == .capped { kept = scores }
    if let bias { scores = try composer.add("Add", [scores, bias]) }
    if wanted == .biased { kept = scores }
    let softmax = softmaxType ?? type
    var shares = try composer.add(
      "Softmax", [composer.cast(scores, softmax)], ["axis": .int(-1)])
    shares = try composer.cast(shares, type)
    if let bias, mayMaskRows {
      let highest = try composer.add(
        "ReduceMax", [bias, composer.integers([-1])], ["keepdims": .int(1)])
      let isMasked = try composer.add(
        "Equal", [highest, composer.scalar(-.infinity, composer.type(bias))])
      shares = try composer.add("Where", [isMasked, composer.scalar(0, type), shares])
    }
    if wanted == .shares { kept = shares }
    if isGrouped {
      shares = try composer.reshaped(shares, [batch, groups, repeats, length, ks[2]])
    }
    var y = try composer.add("MatMul", [shares, values])
    if isGrouped { y = try composer.reshaped(y, [batch, heads, length, vs[3]]) }
    return (y, kept)
  }
}

extension Composer {
  /// [B, L, H · D] as [B, H, L, D].
  mutating func splitHeads(_ x: Graph.ValueID, _ heads: Int) throws(GraphError) -> Graph.ValueID {
    let shape = try self.shape(x)
    guard shape.rank == 3, heads > 0, shape[2] % heads == 0 else {
      throw GraphError("\(shape) cannot be split into \(heads) heads")
    }
    let split = try reshaped(x, [shape[0], shape[1], heads, shape[2] / heads])
    return try transposed(split, [0, 2, 1, 3])
  }

  /// [B, H, L, D] as [B, L, H · D].
  mutating func joinedHeads(_ x: Graph.ValueID) throws(GraphError) -> Graph.ValueID {
    let shape = try self.shape(x)
    let moved = try transposed(x, [0, 2, 1, 3])
    return try reshaped(moved, [shape[0], shape[2], shape[1] * shape[3]])
  }

  /// 0, 1, … as int64 in this shape.
  mutating func counting(_ shape: Shape) -> Graph.ValueID {
    constant(TensorBuffer(.int64, shape, (0..<shape.elementCount).map { Int64($0) }))
  }

  /// 0 where a condition holds (or `base`, where given), -∞ elsewhere.
  mutating func masked(
    where condition: Graph.ValueID, base: Graph.ValueID? = nil, _ type: ElementType
  ) throws(GraphError) -> Graph.ValueID {
    let zero = if let base { base } else { try scalar(0, type) }
    return try add("Where", [condition, zero, scalar(-.infinity, type)])
  }
}
