import Graphs
import Operators
import Tensors

/// Takes the mean error of rounded weights out of the biases.
///
/// A product with rounded weights is off by Σ (ŵ − w)·x. On average over the data that is
/// Σ (ŵ − w)·mean(x), known for every output channel, and is subtracted from the bias. After Nagel
/// et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (2019).
struct BiasCorrection {
  private let means: ChannelMeans

  init(_ means: ChannelMeans) { self.means = means }

  /// Corrects the biases of the convolutions and constant matrix products of a graph whose weights
  /// have been given quantisations.
  func apply(to graph: inout Graph) {
    for index in graph.nodes.indices {
      let node = graph.nodes[index]
      guard node.inputs.count >= 2, let x = node.inputs[0], let w = node.inputs[1],
        let tensor = graph[w].constant, let values = tensor.floats(),
        let scales = graph[w].quantization, let input = graph[x].quantization
      else { continue }
      let errors: [Double]?
      switch node.op {
      case let conv as Conv:
        errors = convolution(
          values, tensor.shape, scales, input, groups: conv.groupCount,
          means.channels[graph[x].name])
      case let product as MatMul where product.scale == 1 && !product.transposesA:
        errors = matrix(
          values, tensor.shape, scales, transposed: product.transposesB,
          means.columns[graph[x].name])
      default: errors = nil
      }
      guard let errors, errors.contains(where: { $0 != 0 }),
        let bias = corrected(node, errors, graph)
      else { continue }
      let id = graph.add(
        Graph.Value(
          name: "\(node.name).bias", type: .float32, dimensions: [.known(bias.count)],
          constant: TensorBuffer([bias.count], bias)))
      while graph.nodes[index].inputs.count < 3 { graph.nodes[index].inputs.append(nil) }
      graph.nodes[index].inputs[2] = id
    }
  }

  /// The node's bias less the errors; nil where it is not a vector of constants.
  private func corrected(_ node: Graph.Node, _ errors: [Double], _ graph: Graph) -> [Float]? {
    var bias = [Float](repeating: 0, count: errors.count)
    if node.inputs.count > 2, let id = node.inputs[2] {
      guard let known = graph[id].constant?.floats(), known.count == errors.count else {
        return nil
      }
      bias = known
    }
    return zip(bias, errors).map { Float(Double($0) - $1) }
  }

  /// The mean error of each output channel of a convolution.
  private func convolution(
    _ values: [Float], _ shape: Shape, _ scales: Quantization, _ input: Quantization, groups: Int,
    _ means: [Double]?
  ) -> [Double]? {
    let (columns, channels) = (shape[0], shape[1])
    let taps = shape.dimensions[2...].reduce(1, *)
    guard let means, means.count == channels * groups, columns > 0 else { return nil }
    let folds = input.isPerChannel && channels > 1
    var errors = [Double](repeating: 0, count: columns)
    for (place, value) in values.enumerated() {
      let column = place / (channels * taps)
      let channel = column / (columns / groups) * channels + place / taps % channels
      let factor = folds ? input.scale(channel) / input.foldedScale : 1
      errors[column] += error(value, factor, scales.scale(column)) * means[channel]
    }
    return errors
  }

  /// The mean error of each column of a constant matrix.
  private func matrix(
    _ values: [Float], _ shape: Shape, _ scales: Quantization, transposed: Bool,
    _ means: [Double]?
  ) -> [Double]? {
    guard shape.rank == 2, let means else { return nil }
    let (inner, columns) = transposed ? (shape[1], shape[0]) : (shape[0], shape[1])
    guard means.count == inner else { return nil }
    var errors = [Double](repeating: 0, count: columns)
    for (place, value) in values.enumerated() {
      let (column, row) =
        transposed ? (place / inner, place % inner) : (place % columns, place / columns)
      errors[column] += error(value, 1, scales.scale(column)) * means[row]
    }
    return errors
  }

  /// ŵ − w of a weight that is multiplied by `factor` before it is rounded.
  private func error(_ value: Float, _ factor: Float, _ scale: Float) -> Double {
    let rounded = (value * factor / scale).rounded(.toNearestOrEven) * scale
    return Double(rounded) / Double(factor) - Double(value)
  }
}
