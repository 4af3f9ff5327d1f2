import Graphs
import Tensors

/// ONNX Runtime's form of `GroupNormalization`: channels last, SiLU on request.
///
/// x, y: [N, D1…, C] (or [N, C, D1…] where `channels_last` is 0), float; gamma, beta: [C].
/// Attributes: `groups`, `epsilon` (1e-5), `activation` (0: none, 1: SiLU), `channels_last` (1).
/// com.microsoft version 1.
package struct MicrosoftGroupNorm: ComposedOperator {
  package static let name = "GroupNorm"
  package static let domain = "com.microsoft"

  private var norm: GroupNorm

  package init(importing node: NodeReader) throws(ImportError) {
    norm = try GroupNorm(node)
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    [try norm.add(to: &composer, composer.input(0))]
  }
}

/// A residual and a bias before a `GroupNorm`: s = x + skip + bias, y = GroupNorm(s).
///
/// skip: of x's shape, or with extents 1 between batch and channels; bias: [C], optional; S: the
/// sum. Everything else as there.
package struct SkipGroupNorm: ComposedOperator {
  package static let name = "SkipGroupNorm"
  package static let domain = "com.microsoft"

  private var norm: GroupNorm

  package init(importing node: NodeReader) throws(ImportError) {
    norm = try GroupNorm(node)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "X")
    return [x, x].map { ValueInfo(type: $0.type, shape: $0.shape) }
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let x = try composer.input(0)
    var skip = try composer.input(3)
    let (shape, extents) = (try composer.shape(x), try composer.shape(skip))
    if extents.rank == 2, norm.isLast {
      let ones = [Int](repeating: 1, count: shape.rank - 2)
      skip = try composer.reshaped(skip, [extents[0]] + ones + [extents[1]])
    }
    var sum = try composer.add("Add", [x, skip])
    if let bias = composer.optional(4) {
      guard norm.isLast else { throw GraphError("a bias needs channels_last") }
      sum = try composer.add("Add", [sum, bias])
    }
    return [try norm.add(to: &composer, sum), sum]
  }
}

/// What `GroupNorm` and `SkipGroupNorm` share.
private struct GroupNorm {
  var isLast: Bool
  private var groups: Int
  private var epsilon: Float
  private var isActivated: Bool

  init(_ node: NodeReader) throws(ImportError) {
    isLast = try node.bool("channels_last", default: true)
    groups = try node.int("groups", default: 0)
    epsilon = try node.float("epsilon", default: 1e-5)
    isActivated = try node.bool("activation", default: false)
    guard groups > 0 else { throw node.invalid("attribute groups must be a positive integer") }
  }

  func add(
    to composer: inout Composer, _ x: Graph.ValueID
  ) throws(GraphError) -> Graph.ValueID {
    let type = try composer.type(x)
    let source = isLast ? try composer.channelsFirst(x) : x
    var y = try composer.add(
      "GroupNormalization",
      [
        source, composer.cast(composer.input(1), type), composer.cast(composer.input(2), type),
      ], ["num_groups": .int(groups), "epsilon": .float(epsilon)])
    if isActivated { y = try composer.add("Swish", [y]) }
    return isLast ? try composer.channelsLast(y) : y
  }
}
