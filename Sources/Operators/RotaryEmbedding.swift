import Graphs
import Tensors

/// Turns pairs of elements of every head by angles that grow with the position.
///
/// x, y: [B, H, S, D], or [B, S, H · D] with `num_heads`, float. cos_cache, sin_cache: [P, R / 2]
/// with position_ids: int64 [B, S], else [B, S, R / 2]; R = `rotary_embedding_dim` (0: D) elements
/// of a head are turned. A pair is one element of either half, or two neighbours (`interleaved`).
/// ONNX version 23.
package struct RotaryEmbedding: ComposedOperator {
  package static let name = "RotaryEmbedding"
  package static let sinceVersion = 23

  var rotation: Rotation

  package init(importing node: NodeReader) throws(ImportError) {
    rotation = try Rotation(node)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "X")
    try rotation.check(
      x, try inputs.required(1, "cos_cache"), try inputs.required(2, "sin_cache"),
      positions: inputs.optional(3))
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    [
      try rotation.add(
        to: &composer, composer.input(0), cos: composer.input(1), sin: composer.input(2),
        positions: composer.optional(3))
    ]
  }
}

/// What the rotary embeddings of ONNX and of ONNX Runtime share.
struct Rotation {
  var isInterleaved = false
  var headCount = 0
  /// The elements of a head that are turned; 0: all.
  var width = 0

  init() {}

  init(_ node: NodeReader) throws(ImportError) {
    isInterleaved = try node.bool("interleaved", default: false)
    headCount = try node.int("num_heads", default: 0)
    width = try node.int("rotary_embedding_dim", default: 0)
    guard headCount >= 0, width >= 0, width % 2 == 0 else {
      throw node.invalid("num_heads \(headCount) or rotary_embedding_dim \(width) is impossible")
    }
  }

  /// The heads and a head's width of x.
  private func heads(_ x: Shape, cache: Shape) throws(GraphError) -> (count: Int, width: Int) {
    if x.rank == 4 { return (x[1], x[3]) }
    // ONNX Runtime's graphs leave the number of heads open where whole heads are turned.
    let count =
      headCount > 0 ? headCount : (cache.dimensions.last.map { x[2] / max(2 * $0, 1) } ?? 0)
    guard x.rank == 3, count > 0, x[2] % count == 0 else {
      throw GraphError("x \(x) cannot be split into heads; give num_heads")
    }
    return (count, x[2] / count)
  }

  func check(
    _ x: ValueInfo, _ cos: ValueInfo, _ sin: ValueInfo, positions: ValueInfo?
  ) throws(GraphError) {
    let shape = x.shape
    guard x.type.isFloat, shape.rank == 3 || shape.rank == 4 else {
      throw GraphError("x is \(x.type) \(shape), but must be a float tensor of rank 3 or 4")
    }
    let heads = try heads(shape, cache: cos.shape)
    let turned = width == 0 ? heads.width : width
    let (batch, length) = (shape[0], shape[shape.rank - 2])
    let isIndexed = positions != nil
    guard turned <= heads.width, turned % 2 == 0, cos.shape == sin.shape,
      cos.shape.rank == (isIndexed ? 2 : 3), cos.shape.dimensions.last == turned / 2,
      isIndexed || cos.shape[0] == batch && cos.shape[1] == length
    else {
      throw GraphError(
        "cos_cache \(cos.shape) and sin_cache \(sin.shape) do not fit to x \(shape), of which "
          + "\(turned) elements per head are turned")
    }
    if let positions {
      guard positions.type == .int64,
        positions.shape == [batch, length] || positions.shape.elementCount == 1
      else { throw GraphError("position_ids is \(positions.type) \(positions.shape)") }
    }
  }

  /// Adds the nodes; x and the caches are what `check` accepted.
  ///
  /// - Parameter positions: the rows of the caches: [B, S], or a single one for the first position.
  func add(
    to composer: inout Composer, _ x: Graph.ValueID, cos: Graph.ValueID, sin: Graph.ValueID,
    positions: Graph.ValueID?
  ) throws(GraphError) -> Graph.ValueID {
    let shape = try composer.shape(x)
    let heads = try heads(shape, cache: composer.shape(cos))
    let length = shape[shape.rank - 2]
    // Heads stand before or behind positions; the angles follow.
    let isSplit = shape.rank == 4
    let split =
      isSplit ? x : try composer.reshaped(x, [shape[0], length, heads.count, heads.width])
    let turned = width == 0 ? heads.width : width
    let head = try composer.sliced(split, axis: 3, 0..<turned)
    let type = try composer.type(x)
    let angles: [Graph.ValueID] = [
      try angle(&composer, cos, positions, shape[0], length, turned / 2, isSplit, type),
      try angle(&composer, sin, positions, shape[0], length, turned / 2, isSplit, type),
    ]
    let dimensions = try composer.shape(head).dimensions
    var first: Graph.ValueID
    var second: Graph.ValueID
    if isInterleaved {
      let pairs = try composer.reshaped(head, Array(dimensions[..<3]) + [turned / 2, 2])
      let half = Array(dimensions[..<3]) + [turned / 2]
      first = try composer.reshaped(composer.sliced(pairs, axis: 4, 0..<1), half)
      second = try composer.reshaped(composer.sliced(pairs, axis: 4, 1..<2), half)
    } else {
      first = try composer.sliced(head, axis: 3, 0..<turned / 2)
      second = try composer.sliced(head, axis: 3, turned / 2..<turned)
    }
    let real = try composer.add(
      "Sub", [composer.add("Mul", [angles[0], first]), composer.add("Mul", [angles[1], second])])
    let imaginary = try composer.add(
      "Add", [composer.add("Mul", [angles[1], first]), composer.add("Mul", [angles[0], second])])
    var result: Graph.ValueID
    if isInterleaved {
      let pair = try composer.shape(real).dimensions + [1]
      result = try composer.concatenated(
        [composer.reshaped(real, pair), composer.reshaped(imaginary, pair)], axis: 4)
      result = try composer.reshaped(result, dimensions)
    } else {
      result = try composer.concatenated([real, imaginary], axis: 3)
    }
    if turned < heads.width {
      let rest = try composer.sliced(split, axis: 3, turned..<heads.width)
      result = try composer.concatenated([result, rest], axis: 3)
    }
    return try composer.reshaped(result, shape.dimensions)
  }

  /// The cosines or sines as [B, 1, S, R / 2], or [B, S, 1, R / 2] where heads stand behind.
  private func angle(
    _ composer: inout Composer, _ cache: Graph.ValueID, _ positions: Graph.ValueID?, _ batch: Int,
    _ length: Int, _ width: Int, _ isSplit: Bool, _ type: ElementType
  ) throws(GraphError) -> Graph.ValueID {
    var rows = try composer.cast(cache, type)
    var images = batch
    if let positions {
      var places = positions
      if try composer.shape(positions) != [batch, length] {
        images = 1
        places = try composer.add(
          "Add", [composer.reshaped(positions, [1, 1]), composer.counting([1, length])])
      }
      rows = try composer.add("Gather", [rows, places], ["axis": .int(0)])
    }
    return try composer.reshaped(
      rows, isSplit ? [images, 1, length, width] : [images, length, 1, width])
  }
}
