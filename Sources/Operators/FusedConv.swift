import Graphs
import Tensors

/// A convolution with what follows it: y = activation(x ∗ w + b + z).
///
/// x, w, b and attributes as in `Conv`; z: of y's shape, optional; `activation`: Relu, LeakyRelu,
/// HardSigmoid, Clip, Tanh, Sigmoid, …, with `activation_params`. com.microsoft version 1.
package struct FusedConv: ComposedOperator {
  package static let name = "FusedConv"
  package static let domain = "com.microsoft"
  private var convolution: ForwardedWindow
  private var function: FusedFunction

  package init(importing node: NodeReader) throws(ImportError) {
    convolution = try ForwardedWindow(node, hasGroups: true)
    let parameters = try node.floats("activation_params") ?? []
    function = try FusedFunction(
      node, alpha: parameters.first, beta: parameters.count > 1 ? parameters[1] : nil)
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    var y = try composer.add(
      "Conv", [composer.input(0), composer.input(1), composer.optional(2)],
      convolution.attributes)
    if let z = composer.optional(3) { y = try composer.add("Add", [y, z]) }
    return [try function.add(to: &composer, y)]
  }
}

/// A maximum pool over channels-last pictures: `MaxPool` with x and y [N, D1…, C]. com.microsoft
/// version 1.
package struct NhwcMaxPool: ComposedOperator {
  package static let name = "NhwcMaxPool"
  package static let domain = "com.microsoft"
  private var pool: ForwardedWindow

  package init(importing node: NodeReader) throws(ImportError) {
    pool = try ForwardedWindow(node, hasGroups: false)
    if let ceil = try node.int("ceil_mode") { pool.attributes["ceil_mode"] = .int(ceil) }
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let x = try composer.channelsFirst(composer.input(0))
    return [try composer.channelsLast(composer.add("MaxPool", [x], pool.attributes))]
  }
}

/// The attributes of a window, to be given to another operator.
struct ForwardedWindow {
  var attributes: [String: Attribute] = [:]

  init(_ node: NodeReader, hasGroups: Bool) throws(ImportError) {
    for name in ["kernel_shape", "strides", "pads", "dilations"] {
      if let values = try node.ints(name) { attributes[name] = .ints(values) }
    }
    if let mode = try node.string("auto_pad") { attributes["auto_pad"] = .string(mode) }
    if hasGroups, let groups = try node.int("group") { attributes["group"] = .int(groups) }
  }
}

extension Composer {
  /// [N, D1…, C] as [N, C, D1…].
  mutating func channelsFirst(_ x: Graph.ValueID) throws(GraphError) -> Graph.ValueID {
    let rank = try shape(x).rank
    guard rank >= 3 else { throw GraphError("x is of rank \(rank), but has channels last") }
    return try transposed(x, [0, rank - 1] + Array(1..<rank - 1))
  }

  /// [N, C, D1…] as [N, D1…, C].
  mutating func channelsLast(_ x: Graph.ValueID) throws(GraphError) -> Graph.ValueID {
    let rank = try shape(x).rank
    return try transposed(x, [0] + Array(2..<rank) + [1])
  }
}
