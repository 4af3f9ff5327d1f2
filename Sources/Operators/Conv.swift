import Graphs
import Instructions
import Tensors

/// Convolves: y[n, m, o…] = b[m] + Σ x[n, c, o·stride + k·dilation − pad] · w[m, c, k…].
///
/// x: [N, C, D1…], w: [M, C/group, k1…], b: [M] optional, y: [N, M, D1'…], 1 to 3 spatial axes,
/// float (int32 inside of integer convolutions). ONNX versions 1 to 22. Constant weights are packed
/// here, computed ones by every run.
///
/// The compiler's passes fold into it: a residual (input 3, of y's shape, added to the sum) and an
/// activation of the sum.
package struct Conv: LoweredOperator {
  package static let name = "Conv"

  package var window: Window
  package var groupCount: Int
  package var activation = Activation.none
  /// Input 3 is added before (false) or after (true) the activation.
  package var addsResidualLast = false

  package init(window: Window, groupCount: Int = 1) {
    self.window = window
    self.groupCount = groupCount
  }

  package init(importing node: NodeReader) throws(ImportError) {
    window = try Window(importing: node)
    groupCount = try node.int("group", default: 1)
    guard groupCount >= 1 else { throw node.invalid("group is \(groupCount); it must be positive") }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let (x, w) = try convolutionOperands(inputs, takesIntegers: true)
    guard w.shape[1] * groupCount == x.shape[1] else {
      throw GraphError(
        "x has \(x.shape[1]) channels, but the weights \(w.shape) in \(groupCount) groups read "
          + "\(w.shape[1] * groupCount)")
    }
    guard w.shape[0] % groupCount == 0 else {
      throw GraphError("\(w.shape[0]) output channels cannot be split into \(groupCount) groups")
    }
    try checkBias(inputs, channels: w.shape[0])
    let resolved = try resolvedWindow(x.shape, w.shape)
    return [ValueInfo(type: x.type, shape: Shape([x.shape[0], w.shape[0]] + resolved.output))]
  }

  private func resolvedWindow(_ x: Shape, _ w: Shape) throws(GraphError) -> Window.Resolved {
    try window.resolved(
      input: Array(x.dimensions.dropFirst(2)), kernel: Array(w.dimensions.dropFirst(2)))
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.required(0)
    let w = try lowering.required(1)
    let window = try resolvedWindow(x.shape, w.shape)
    if x.type == .float64 || x.type == .int32 { return try lowerDirect(into: lowering, window) }
    guard x.shape.rank < 5 else { return try lowerVolume(into: lowering, w, window) }
    let picture = PictureWindow(window)
    let weights = w.constant?.floats()
    if let weights, lowering.isBiasKnown(2),
      try lowerQuantized(into: lowering, weights, w.shape, picture)
    {
      return
    }
    // Computed weights are float32, and so is what they multiply.
    let type: ElementType? = weights == nil ? .float32 : nil
    let source = lowering.flattenedToPicture(try lowering.operand(0, .channelsLast, type: type))
    let bias = try lowering.biasOperand(2)
    var residual = Operand.none
    if lowering.info(3) != nil {
      residual = lowering.flattenedToPicture(try lowering.operand(3, .channelsLast))
    }
    let target = lowering.flattenedToPicture(try lowering.result(0, .channelsLast))
    let shape: Shape = [w.shape[0], w.shape[1], picture.kernel[0], picture.kernel[1]]
    let name = "\(lowering.node.name).weights"
    if groupCount > 1 && groupCount == x.shape[1] && groupCount == w.shape[0] {
      var convolution = DepthwiseConvolution()
      if let weights {
        convolution.weights = lowering.constant(
          WeightPacking.depthwise(weights, shape: shape), name: name)
      } else {
        convolution.weights = try lowering.packedDepthwise(1, shape)
      }
      convolution.bias = bias
      set(&convolution, x: source, residual: residual, y: target, picture)
      lowering.emit(convolution)
    } else {
      var convolution = Convolution()
      if let weights {
        convolution.weights = lowering.constant(
          WeightPacking.convolution(
            weights, shape: shape, groups: groupCount, dilations: picture.dilations,
            as: lowering.factorType(of: source)),
          name: name)
      } else {
        convolution.weights = try lowering.packedConvolution(1, shape, groups: groupCount)
      }
      convolution.bias = bias
      convolution.groups = groupCount
      set(&convolution, x: source, residual: residual, y: target, picture)
      lowering.emit(convolution)
    }
  }

  /// Types without kernels: the portable instruction, in the type itself. Passes fuse nothing into
  /// those.
  private func lowerDirect(
    into lowering: Lowering, _ window: Window.Resolved
  ) throws(GraphError) {
    let type = try lowering.required(0).type
    var convolution = DirectConvolution()
    convolution.x = try lowering.operand(0, .channelsLast, type: type)
    convolution.weights = try lowering.tapsFirst(1, type)
    if lowering.info(2) != nil { convolution.bias = try lowering.operand(2, type: type) }
    convolution.strides = window.strides
    convolution.pads = window.padsBegin
    convolution.dilations = window.dilations
    convolution.groups = groupCount
    convolution.y = try lowering.result(0, .channelsLast, type: type)
    lowering.emit(convolution)
  }

  /// Fills in what all instructions for pictures have.
  private func set(
    _ convolution: inout some PictureConvolution, x: Operand, residual: Operand, y: Operand,
    _ window: PictureWindow
  ) {
    convolution.x = x
    convolution.residual = residual
    convolution.y = y
    convolution.kernel = window.kernel
    convolution.strides = window.strides
    convolution.pads = window.pads
    convolution.dilations = window.dilations
    convolution.activation = activation
    convolution.residualAfterActivation = addsResidualLast
  }

  /// Lowers to 8 bits where x and the weights have been given quantisations; returns false where
  /// they have not.
  private func lowerQuantized(
    into lowering: Lowering, _ values: [Float], _ shape: Shape, _ window: PictureWindow
  ) throws(GraphError) -> Bool {
    let (columns, channels) = (shape[0], shape[1])
    let isDepthwise = groupCount > 1 && groupCount == columns && channels == 1
    guard let given = lowering.quantization(0), let scales = lowering.quantization(1), columns > 0,
      isDepthwise || !given.isPerChannel || groupCount == 1
    else { return false }
    // Scales of the input's channels become part of the weights of a dense convolution.
    let folds = given.isPerChannel && !isDepthwise
    let x =
      folds
      ? Quantization(scale: given.foldedScale, zeroPoint: given.zeroPoints[0]) : given
    let taps = window.kernel.reduce(1, *)
    let factors =
      folds
      ? values.indices.map { values[$0] * (given.scale($0 / taps % channels) / x.scales[0]) }
      : values
    guard
      let weights = QuantizedWeights(
        factors, scales, axis: 0, columns: columns, column: { $0 / (values.count / columns) })
    else { return false }
    let bias = try lowering.biasOperand(2)
    let offsets = lowering.constant(
      weights.offsets(bias: bias.isPresent ? lowering.floats(of: bias) : nil, x: x),
      name: "\(lowering.node.name).offsets")
    var source = lowering.flattenedToPicture(try lowering.quantizedOperand(0, .channelsLast))
    if folds {
      let spec = lowering[source]
      source = lowering.reshaped(source, spec.shape, layout: spec.layout, name: spec.name)
      lowering.setQuantization(x, of: source)
    }
    let kernel: Shape = [columns, channels, window.kernel[0], window.kernel[1]]
    var residual = Operand.none
    if lowering.info(3) != nil {
      residual = lowering.flattenedToPicture(try lowering.storedOperand(3, .channelsLast))
    }
    let target = lowering.flattenedToPicture(try lowering.storedResult(0, .channelsLast))
    if isDepthwise {
      var convolution = QuantizedDepthwiseConvolution()
      convolution.weights = lowering.weights(
        WeightPacking.depthwise(quantized: weights.elements, shape: kernel), weights)
      convolution.offsets = offsets
      set(&convolution, x: source, residual: residual, y: target, window)
      lowering.emit(convolution)
    } else {
      var convolution = QuantizedConvolution()
      convolution.weights = lowering.weights(
        WeightPacking.convolution(
          quantized: weights.elements, shape: kernel, groups: groupCount,
          dilations: window.dilations), weights)
      convolution.offsets = offsets
      convolution.groups = groupCount
      set(&convolution, x: source, residual: residual, y: target, window)
      lowering.emit(convolution)
    }
    return true
  }

  /// Three spatial axes: the portable instruction, then what was fused.
  private func lowerVolume(
    into lowering: Lowering, _ w: ValueInfo, _ window: Window.Resolved
  ) throws(GraphError) {
    var convolution = ConvolutionND()
    convolution.x = try lowering.operand(0, .channelsLast, type: .float32)
    if let weights = w.constant?.floats() {
      convolution.weights = lowering.constant(
        WeightPacking.convolutionND(weights, shape: w.shape),
        name: "\(lowering.node.name).weights")
    } else {
      convolution.weights = try lowering.tapsFirst(1, .float32)
    }
    convolution.bias = try lowering.biasOperand(2)
    convolution.strides = window.strides
    convolution.pads = window.padsBegin
    convolution.dilations = window.dilations
    convolution.groups = groupCount
    let target = try lowering.result(0, .channelsLast)
    let isPlain =
      activation == .none && lowering.info(3) == nil && lowering[target].type == .float32
    guard !isPlain else {
      convolution.y = target
      return lowering.emit(convolution)
    }
    var value = lowering.temporary(.float32, lowering[target].shape, layout: .channelsLast)
    convolution.y = value
    lowering.emit(convolution)
    guard lowering.info(3) != nil else {
      return lowering.emit(Unary(value, to: target, activation))
    }
    let residual = try lowering.operand(3, .channelsLast)
    if addsResidualLast {
      let sum = lowering.temporary(.float32, lowering[target].shape, layout: .channelsLast)
      lowering.emit(Unary(value, to: sum, activation))
      value = sum
    }
    var addition = Binary(.add, value, residual, to: target)
    if !addsResidualLast { addition.activation = activation }
    lowering.emit(addition)
  }
}
