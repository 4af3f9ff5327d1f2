import Graphs
import Tensors

/// Convolves every channel with the positions before: y[t] = activation(b + Σ x[t − K + 1 + k] ·
/// w[k]), going on where an earlier call ended.
///
/// input: [B, C, L], weight: [C, 1, K], bias: [C] optional, past_state: [B, C, K − 1] optional
/// (zeros), float; output: as input; present_state: the last K − 1 positions. `activation`: "none",
/// "silu" or "swish". ONNX version 27.
package struct CausalConvWithState: ComposedOperator {
  package static let name = "CausalConvWithState"
  package static let sinceVersion = 27

  var isActivated: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    let activation = try node.string("activation", default: "none")
    guard ["none", "silu", "swish"].contains(activation) else {
      throw node.invalid("activation \"\(activation)\" is not known; use none, silu or swish")
    }
    isActivated = activation != "none"
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "input")
    let w = try inputs.required(1, "weight")
    guard x.type.isFloat, x.shape.rank == 3, w.shape.rank == 3, w.shape[0] == x.shape[1],
      w.shape[1] == 1, w.shape[2] >= 1
    else {
      throw GraphError("input \(x.type) \(x.shape) and weight \(w.shape) do not fit")
    }
    let state: Shape = [x.shape[0], x.shape[1], w.shape[2] - 1]
    if let past = inputs.optional(3), past.shape != state {
      throw GraphError("past_state is \(past.shape), but must be \(state)")
    }
    return [ValueInfo(type: x.type, shape: x.shape), ValueInfo(type: x.type, shape: state)]
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let x = try composer.input(0)
    let w = try composer.input(1)
    let type = try composer.type(x)
    let shape = try composer.shape(x)
    let length = try composer.shape(w)[2] - 1
    var padded = x
    if let past = composer.optional(3) {
      padded = try composer.concatenated([past, x], axis: 2)
    } else if length > 0 {
      let pads = composer.integers([0, 0, length, 0, 0, 0])
      padded = try composer.add("Pad", [x, pads, composer.scalar(0, type)])
    }
    var y = try composer.add(
      "Conv", [padded, w, composer.optional(2)], ["group": .int(shape[1])])
    if isActivated { y = try composer.add("Swish", [y]) }
    guard composer.wants(1) else { return [y, nil] }
    let end = shape[2] + length
    return [y, try composer.sliced(padded, axis: 2, end - length..<end)]
  }
}
