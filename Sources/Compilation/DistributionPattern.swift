import Graphs
import Operators
import Tensors

/// Recognises the expectations of distributions, as detectors spell them that predict boxes so:
///
///     x [N, G·K, A] → Reshape [N, G, K, A] → Transpose [N, K, G, A] → Softmax over K
///       → Conv 1×1 with the weights of the K steps → [N, 1, G, A]
struct DistributionPattern: GraphPass {
  static let name = "distribution-expectation"

  func run(on rewriter: inout Rewriter) throws(CompileError) {
    for index in rewriter.nodeIndices where !rewriter.isRemoved(index) {
      guard let (x, weights) = match(index, rewriter) else { continue }
      let node = rewriter[index]
      let steps = rewriter.add(constant: weights, name: "\(node.name).steps")
      let before = node.inputs
      rewriter.replace(
        index,
        with: Graph.Node(
          name: node.name, op: DistributionExpectation(), inputs: [x, steps],
          outputs: node.outputs))
      for case let id? in before where rewriter.users(of: id).isEmpty && !rewriter.isOutput(id) {
        if let maker = rewriter.producer(of: id) { rewriter.removeDead(maker) }
      }
    }
  }

  /// The distributions and the weights, if the node is the convolution of the pattern.
  private func match(
    _ index: Int, _ rewriter: Rewriter
  ) -> (x: Graph.ValueID, weights: TensorBuffer)? {
    let inputs = rewriter[index].inputs
    guard let conv = rewriter[index].op as? Conv, conv.groupCount == 1,
      conv.activation == .none, inputs.count >= 2, inputs.dropFirst(2).allSatisfy({ $0 == nil }),
      let weights = rewriter.constant(inputs[1]), weights.shape.rank == 4, weights.type == .float32,
      weights.shape[0] == 1, weights.shape[2] == 1, weights.shape[3] == 1,
      let shares = inputs[0], let shape = rewriter.graph[shares].shape, shape.rank == 4,
      shape[1] <= DistributionExpectation.binLimit, shape[1] > 1,
      let result = rewriter[index].outputs[0],
      rewriter.graph[result].shape == [shape[0], 1, shape[2], shape[3]],
      rewriter.isUsedOnce(shares),
      let softmax = rewriter.producer(of: shares),
      let function = rewriter[softmax].op as? SoftmaxOperator<Elementwise.Softmax>,
      function.axis == 1 || function.axis == -3, !function.spansLaterAxes,
      let moved = rewriter[softmax].inputs[0], rewriter.isUsedOnce(moved),
      let transpose = rewriter.producer(of: moved),
      let order = (rewriter[transpose].op as? Transpose)?.order, order == [0, 2, 1, 3],
      let split = rewriter[transpose].inputs[0], rewriter.isUsedOnce(split),
      let reshape = rewriter.producer(of: split, named: "Reshape"),
      let x = rewriter[reshape].inputs[0], rewriter.graph[x].type == .float32,
      rewriter.graph[x].shape == [shape[0], shape[1] * shape[2], shape[3]]
    else { return nil }
    return (x, weights.reshaped([shape[1]]))
  }
}
