import Graphs
import Operators
import Tensors

/// Folds what scales and shifts channels into the convolution before it:
/// Conv → BatchNormalization, Conv → Mul / Div / Add / Sub by a constant per channel.
///
/// w' = w · factor[m], b' = b · factor[m] + offset[m].
struct NormalizationFolding: GraphPass {
  static let name = "normalization-folding"

  func run(on rewriter: inout Rewriter) throws(CompileError) {
    for index in rewriter.nodeIndices where !rewriter.isRemoved(index) {
      try fold(index, &rewriter)
    }
  }

  private func fold(_ index: Int, _ rewriter: inout Rewriter) throws(CompileError) {
    let node = rewriter[index]
    guard ["BatchNormalization", "Mul", "Div", "Add", "Sub"].contains(rewriter.name(index)),
      node.outputs.dropFirst().allSatisfy({ $0 == nil }), let output = node.outputs.first ?? nil
    else { return }
    for (position, input) in node.inputs.prefix(2).enumerated() {
      guard let input, let convolution = rewriter.producer(of: input),
        rewriter.isUsedOnce(input), let target = Target(rewriter, convolution),
        let change = change(by: index, operand: position, channels: target.channels, rewriter)
      else { continue }
      var folded = target.applying(change, to: &rewriter)
      folded.outputs = [output]
      // The convolution moves to where the folded node was: all of its inputs are made by then.
      rewriter.remove(convolution)
      rewriter.replace(index, with: folded)
      return
    }
  }

  /// y[c] = factor[c] · x[c] + offset[c]
  struct Change {
    var factor: [Float]
    var offset: [Float]
  }

  private func change(
    by index: Int, operand: Int, channels: Int, _ rewriter: Rewriter
  ) -> Change? {
    let node = rewriter[index]
    if let norm = node.op as? BatchNormalization {
      guard operand == 0, !norm.isTraining, node.inputs.count >= 5,
        let scale = rewriter.constant(node.inputs[1])?.floats(),
        let bias = rewriter.constant(node.inputs[2])?.floats(),
        let mean = rewriter.constant(node.inputs[3])?.floats(),
        let variance = rewriter.constant(node.inputs[4])?.floats(),
        [scale, bias, mean, variance].allSatisfy({ $0.count == channels })
      else { return nil }
      var change = Change(factor: [], offset: [])
      for channel in 0..<channels {
        let deviation = (Double(variance[channel]) + Double(norm.epsilon)).squareRoot()
        let factor = Double(scale[channel]) / deviation
        change.factor.append(Float(factor))
        change.offset.append(Float(Double(bias[channel]) - Double(mean[channel]) * factor))
      }
      return change
    }
    let other = node.inputs[1 - operand]
    guard let output = node.outputs[0], let rank = rewriter.graph[output].shape?.rank,
      let values = perChannel(rewriter.constant(other), channels: channels, rank: rank)
    else { return nil }
    let ones = [Float](repeating: 1, count: channels)
    let zeros = [Float](repeating: 0, count: channels)
    switch (rewriter.name(index), operand) {
    case ("Mul", _): return Change(factor: values, offset: zeros)
    case ("Add", _): return Change(factor: ones, offset: values)
    case ("Sub", 0): return Change(factor: ones, offset: values.map { -$0 })
    case ("Sub", _): return Change(factor: ones.map { -$0 }, offset: values)
    case ("Div", 0) where !values.contains(0):
      return Change(factor: values.map { 1 / $0 }, offset: zeros)
    default: return nil
    }
  }

  /// A constant that varies along axis 1 only, as one value per channel.
  private func perChannel(_ tensor: TensorBuffer?, channels: Int, rank: Int) -> [Float]? {
    guard let tensor, let values = tensor.floats() else { return nil }
    if values.count == 1 && tensor.shape.rank <= rank {
      return [Float](repeating: values[0], count: channels)
    }
    guard values.count == channels, tensor.shape.rank <= rank else { return nil }
    let axis = 1 - (rank - tensor.shape.rank)
    guard axis >= 0, axis < tensor.shape.rank, tensor.shape[axis] == channels else { return nil }
    return values
  }

  /// A convolution that can take a change: constant weights, no activation yet.
  private struct Target {
    let node: Graph.Node
    let channels: Int
    let weights: TensorBuffer
    let bias: [Float]
    /// Output channels lie along axis 0 of the weights (Conv) or along axis 1 in each group.
    let isTransposed: Bool
    let groupCount: Int

    init?(_ rewriter: Rewriter, _ index: Int) {
      node = rewriter[index]
      guard let weights = rewriter.constant(node.inputs.count > 1 ? node.inputs[1] : nil),
        weights.type != .float64, node.inputs.count <= 3
      else { return nil }
      self.weights = weights
      if let conv = node.op as? Conv, conv.activation == .none {
        isTransposed = false
        groupCount = conv.groupCount
        channels = weights.shape[0]
      } else if let conv = node.op as? ConvTranspose, conv.activation == .none {
        isTransposed = true
        groupCount = conv.groupCount
        channels = weights.shape[1] * conv.groupCount
      } else {
        return nil
      }
      if node.inputs.count > 2, let id = node.inputs[2] {
        guard let values = rewriter.constant(id)?.floats(), values.count == channels else {
          return nil
        }
        bias = values
      } else {
        bias = [Float](repeating: 0, count: channels)
      }
    }

    func applying(_ change: Change, to rewriter: inout Rewriter) -> Graph.Node {
      var values = weights.floats() ?? []
      let inner = weights.shape.dimensions.dropFirst(2).reduce(1, *)
      let (rows, columns) = (weights.shape[0], weights.shape[1])
      for row in 0..<rows {
        for column in 0..<columns {
          let channel = isTransposed ? row / (rows / groupCount) * columns + column : row
          let factor = change.factor[channel]
          let start = (row * columns + column) * inner
          for i in start..<start + inner { values[i] *= factor }
        }
      }
      var shifted = bias
      for i in shifted.indices { shifted[i] = shifted[i] * change.factor[i] + change.offset[i] }
      var result = node
      let w = rewriter.add(
        constant: TensorBuffer(weights.shape, values), name: "\(node.name).weights")
      let b = rewriter.add(constant: TensorBuffer([channels], shifted), name: "\(node.name).bias")
      result.inputs = [node.inputs[0], w, b]
      return result
    }
  }
}
