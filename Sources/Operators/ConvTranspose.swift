import Graphs
import Instructions
import Tensors

/// Convolves transposed: every x[n, c, i…] adds w[c, m, k…] times itself to
/// y[n, m, i·stride + k·dilation − pad]; then b[m] is added.
///
/// x: [N, C, D1…], w: [C, M/group, k1…], b: [M] optional, y: [N, M, D1'…], 1 to 3 spatial axes,
/// float. ONNX versions 1 to 22, with `output_padding` and `output_shape`. Constant weights are
/// packed here, computed ones by every run.
package struct ConvTranspose: LoweredOperator {
  package static let name = "ConvTranspose"

  package var window: Window
  package var groupCount: Int
  package var outputPadding: [Int]
  package var outputShape: [Int]
  package var activation = Activation.none

  package init(importing node: NodeReader) throws(ImportError) {
    window = try Window(importing: node)
    groupCount = try node.int("group", default: 1)
    outputPadding = try node.ints("output_padding") ?? []
    outputShape = try node.ints("output_shape") ?? []
    guard groupCount >= 1 else { throw node.invalid("group is \(groupCount); it must be positive") }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let (x, w) = try convolutionOperands(inputs)
    guard w.shape[0] == x.shape[1] else {
      throw GraphError(
        "x has \(x.shape[1]) channels, but the weights \(w.shape) read \(w.shape[0])")
    }
    guard x.shape[1] % groupCount == 0 else {
      throw GraphError("\(x.shape[1]) channels cannot be split into \(groupCount) groups")
    }
    let channels = w.shape[1] * groupCount
    try checkBias(inputs, channels: channels)
    let resolved = try resolvedWindow(x.shape, w.shape)
    return [ValueInfo(type: x.type, shape: Shape([x.shape[0], channels] + resolved.output))]
  }

  /// Pads and output extents: output = (input − 1)·stride + outputPadding + reach − pads.
  func resolvedWindow(_ x: Shape, _ w: Shape) throws(GraphError) -> Window.Resolved {
    let input = Array(x.dimensions.dropFirst(2))
    let rank = input.count
    let ones = [Int](repeating: 1, count: rank)
    let kernel = Array(w.dimensions.dropFirst(2))
    let strides = window.strides.isEmpty ? ones : window.strides
    let dilations = window.dilations.isEmpty ? ones : window.dilations
    let pads = window.pads.isEmpty ? [Int](repeating: 0, count: 2 * rank) : window.pads
    let extra = outputPadding.isEmpty ? [Int](repeating: 0, count: rank) : outputPadding
    guard window.kernel.isEmpty || window.kernel == kernel, strides.count == rank,
      dilations.count == rank, pads.count == 2 * rank, extra.count == rank,
      outputShape.isEmpty || outputShape.count == rank || outputShape.count == rank + 2
    else {
      throw GraphError(
        "\(rank) spatial axes, but weights \(w), kernel_shape \(window.kernel), strides "
          + "\(strides), dilations \(dilations), pads \(pads), output_padding \(extra)")
    }
    let limit = 1 << 24
    guard strides.allSatisfy({ 1...limit ~= $0 }), dilations.allSatisfy({ 1...limit ~= $0 }),
      pads.allSatisfy({ 0...limit ~= $0 }), extra.allSatisfy({ 0...limit ~= $0 })
    else {
      throw GraphError("strides \(strides), dilations \(dilations), pads \(pads) are out of range")
    }
    var result = Window.Resolved(
      kernel: kernel, strides: strides, dilations: dilations, padsBegin: Array(pads[..<rank]),
      padsEnd: Array(pads[rank...]), output: [])
    let wanted = Array(outputShape.suffix(rank))
    for axis in 0..<rank {
      let full =
        (input[axis] - 1) * strides[axis] + extra[axis] + (kernel[axis] - 1) * dilations[axis] + 1
      var target: Int? = wanted.isEmpty ? nil : wanted[axis]
      if target == nil, window.autoPad == .sameUpper || window.autoPad == .sameLower {
        target = input[axis] * strides[axis]
      }
      if let target {
        let total = max(full - target, 0)
        let small = total / 2
        // The larger half begins, but for SAME_UPPER.
        result.padsBegin[axis] = window.autoPad == .sameUpper ? small : total - small
        result.padsEnd[axis] = total - result.padsBegin[axis]
        result.output.append(target)
      } else {
        result.output.append(full - result.padsBegin[axis] - result.padsEnd[axis])
      }
      guard result.output[axis] > 0 else {
        throw GraphError("spatial axis \(axis) of the output would be \(result.output[axis])")
      }
    }
    return result
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.required(0)
    let w = try lowering.required(1)
    let window = try resolvedWindow(x.shape, w.shape)
    guard x.shape.rank < 5, x.type != .float64 else {
      return try lowerDirect(into: lowering, window)
    }
    let picture = PictureWindow(window)
    let weights = w.constant?.floats()
    if let weights, lowering.isBiasKnown(2),
      try lowerQuantized(into: lowering, weights, w.shape, picture)
    {
      return
    }
    let shape: Shape = [w.shape[0], w.shape[1], picture.kernel[0], picture.kernel[1]]
    // Computed weights are float32, and so is what they multiply.
    let type: ElementType? = weights == nil ? .float32 : nil
    let source = lowering.flattenedToPicture(try lowering.operand(0, .channelsLast, type: type))
    var convolution = TransposedConvolution()
    convolution.x = source
    if let weights {
      convolution.weights = lowering.constant(
        WeightPacking.transposedConvolution(
          weights, shape: shape, groups: groupCount, strides: picture.strides,
          dilations: picture.dilations, as: lowering.factorType(of: source)),
        name: "\(lowering.node.name).weights")
    } else {
      convolution.weights = try lowering.packedTransposed(
        1, shape, groups: groupCount, picture.strides, picture.dilations)
    }
    convolution.bias = try lowering.biasOperand(2)
    convolution.kernel = picture.kernel
    convolution.strides = picture.strides
    convolution.pads = Array(picture.pads.prefix(2))
    convolution.dilations = picture.dilations
    convolution.groups = groupCount
    convolution.activation = activation
    convolution.y = lowering.flattenedToPicture(try lowering.result(0, .channelsLast))
    lowering.emit(convolution)
  }

  /// Three spatial axes, and float64: the portable instruction, then what was fused.
  private func lowerDirect(
    into lowering: Lowering, _ window: Window.Resolved
  ) throws(GraphError) {
    let type: ElementType = try lowering.required(0).type == .float64 ? .float64 : .float32
    var convolution = DirectConvolution()
    convolution.isTransposed = true
    convolution.x = try lowering.operand(0, .channelsLast, type: type)
    convolution.weights = try lowering.tapsFirst(1, type, transposedGroups: groupCount)
    if lowering.info(2) != nil { convolution.bias = try lowering.operand(2, type: type) }
    convolution.strides = window.strides
    convolution.pads = window.padsBegin
    convolution.dilations = window.dilations
    convolution.groups = groupCount
    let target = try lowering.result(0, .channelsLast)
    guard activation != .none || lowering[target].type != type else {
      convolution.y = target
      return lowering.emit(convolution)
    }
    let value = lowering.temporary(type, lowering[target].shape, layout: .channelsLast)
    convolution.y = value
    lowering.emit(convolution)
    lowering.emit(Unary(value, to: target, activation))
  }

  /// Lowers to 8 bits where x and the weights have been given quantisations; returns false where
  /// they have not, or the convolution has groups.
  private func lowerQuantized(
    into lowering: Lowering, _ values: [Float], _ shape: Shape, _ picture: PictureWindow
  ) throws(GraphError) -> Bool {
    let columns = shape[1]
    let taps = picture.kernel.reduce(1, *)
    guard groupCount == 1, let x = lowering.quantization(0), !x.isPerChannel,
      let scales = lowering.quantization(1),
      let weights = QuantizedWeights(
        values, scales, axis: 1, columns: columns, column: { $0 / taps % columns })
    else { return false }
    let kernel: Shape = [shape[0], columns, picture.kernel[0], picture.kernel[1]]
    let sums = WeightPacking.transposedSums(
      quantized: weights.elements, shape: kernel, strides: picture.strides,
      dilations: picture.dilations)
    let bias = try lowering.biasOperand(2)
    var convolution = QuantizedTransposedConvolution()
    convolution.x = lowering.flattenedToPicture(try lowering.quantizedOperand(0, .channelsLast))
    convolution.weights = lowering.weights(
      WeightPacking.transposedConvolution(
        quantized: weights.elements, shape: kernel, strides: picture.strides,
        dilations: picture.dilations), weights)
    convolution.offsets = lowering.constant(
      weights.offsets(
        bias: bias.isPresent ? lowering.floats(of: bias) : nil, x: x,
        sums: sums.joined().map { Int($0) }),
      name: "\(lowering.node.name).offsets")
    convolution.kernel = picture.kernel
    convolution.strides = picture.strides
    convolution.pads = Array(picture.pads.prefix(2))
    convolution.dilations = picture.dilations
    convolution.activation = activation
    convolution.y = lowering.flattenedToPicture(try lowering.storedResult(0, .channelsLast))
    lowering.emit(convolution)
    return true
  }
}
