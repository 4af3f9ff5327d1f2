import Graphs
import Instructions
import Tensors

/// Constant weights in 8 bits, and what a product with them starts its sums with.
struct QuantizedWeights {
  /// The elements, in the order of the floats they come from.
  let elements: [Int8]
  /// The scales of the output channels, and nothing else.
  let quantization: Quantization
  /// Σ w of every output channel.
  private let sums: [Int]

  /// Quantises weights; nil where a scale cannot express them in −128 … 127.
  ///
  /// - Parameters:
  ///   - axis: that of the output channels.
  ///   - column: the output channel of an element, by its place.
  init?(
    _ values: [Float], _ quantization: Quantization, axis: Int, columns: Int,
    column: (Int) -> Int
  ) {
    guard
      quantization.scales.count == 1
        || quantization.scales.count == columns && quantization.axis == axis
    else { return nil }
    let scales = (0..<columns).map { quantization.scale($0) }
    var elements = [Int8](repeating: 0, count: values.count)
    var sums = [Int](repeating: 0, count: columns)
    for (place, value) in values.enumerated() {
      let channel = column(place)
      guard let element = Int8(exactly: (value / scales[channel]).rounded(.toNearestOrEven)) else {
        return nil
      }
      elements[place] = element
      sums[channel] += Int(element)
    }
    self.elements = elements
    self.sums = sums
    self.quantization = Quantization(
      scales: scales, zeroPoints: [Int32](repeating: 0, count: columns), axis: 0)
  }

  /// bias / (scale(x) · scale(w)) − zero(x) · Σ w for every output channel.
  ///
  /// - Parameter factor: what the product is multiplied by besides.
  func offsets(bias: [Float]?, x: Quantization, factor: Float = 1) -> TensorBuffer {
    offsets(bias: bias, x: x, factor: factor, sums: sums)
  }

  /// The same for given sums of the output channels.
  func offsets(
    bias: [Float]?, x: Quantization, factor: Float = 1, sums: [Int]
  ) -> TensorBuffer {
    let offsets = sums.indices.map { place in
      let column = place % self.sums.count
      var start = -Int(x.zeroPoint(column)) * sums[place]
      if let bias {
        let step = Double(x.scale(column)) * Double(quantization.scale(column)) * Double(factor)
        let rounded = (Double(bias[column]) / step).rounded(.toNearestOrEven)
        start += Int(max(min(rounded, 0x1p40), -0x1p40))
      }
      return Int32(clamping: start)
    }
    return TensorBuffer(.int32, [offsets.count], offsets)
  }
}

extension Lowering {
  /// The elements of a constant operand as floats.
  func floats(of operand: Operand) -> [Float]? { lowered.constants[operand]?.floats() }

  /// An input's 8 bits where it has been given a quantisation, else its float form.
  func storedOperand(_ index: Int, _ layout: Layout) throws(GraphError) -> Operand {
    quantization(index) == nil || info(index)?.constant != nil
      ? try operand(index, layout, type: .float32) : try quantizedOperand(index, layout)
  }

  /// Weights as a constant with the scales of its output channels.
  func weights(_ packed: TensorBuffer, _ weights: QuantizedWeights) -> Operand {
    let operand = constant(packed, name: "\(node.name).weights")
    setQuantization(weights.quantization, of: operand)
    return operand
  }

  /// Emits an arithmetic node of two inputs in 8 bits; returns false where all is float.
  func lowerQuantizedBinary(
    _ function: Binary.Function, _ activation: Activation = .none
  ) throws(GraphError) -> Bool {
    let output = try outputInfo(0)
    let isQuantized =
      quantization(ofOutput: 0) != nil || [0, 1].contains { nativeQuantization($0) != nil }
    guard isQuantized, function.isArithmetic, output.type == .float32, node.inputs.count == 2
    else { return false }
    let rank = output.shape.rank
    let layout = broadcastLayout(over: [0, 1], rank: rank)
    // Scales per channel need the channel to be the last axis in memory.
    let perChannel = [nativeQuantization(0), nativeQuantization(1), quantization(ofOutput: 0)]
      .contains { $0?.isPerChannel == true }
    guard layout == .channelsLast || !perChannel else { return false }
    if function == .multiply, activation == .none, try lowerGate(layout) { return true }
    let a = try quantizedFactor(0, layout, rank)
    let b = try quantizedFactor(1, layout, rank)
    let y = try storedResult(0, layout)
    emit(QuantizedBinary(function, a, b, to: y, activation: activation))
    return true
  }

  /// Emits 8 bits times a float factor of every channel; returns false where it is another product.
  private func lowerGate(_ layout: Layout) throws(GraphError) -> Bool {
    let shape = try outputInfo(0).shape
    guard layout == .channelsLast, storesQuantized(0) else { return false }
    for gate in 0..<2 {
      let x = 1 - gate
      let ones = Shape(Array(shape.dimensions[..<2]) + shape.dimensions.dropFirst(2).map { _ in 1 })
      guard let source = nativeQuantization(x), nativeQuantization(gate) == nil,
        info(x)?.shape == shape, info(gate)?.shape == ones, info(gate)?.constant == nil,
        shape != ones
      else { continue }
      let operand = try quantizedOperand(x, layout, as: quantization(x) ?? source)
      let factor = try self.operand(gate, layout, type: .float32)
      emit(GateChannels(operand, by: factor, to: try storedResult(0, layout)))
      return true
    }
    return false
  }

  private func quantizedFactor(
    _ index: Int, _ layout: Layout, _ rank: Int
  ) throws(GraphError) -> Operand {
    let info = try required(index)
    // A float that nobody has quantised yet is read as it is.
    guard info.constant == nil, info.shape.rank == rank, nativeQuantization(index) != nil else {
      return try broadcastOperand(index, layout, rank: rank, type: .float32)
    }
    return try quantizedOperand(index, layout, as: quantization(index) ?? nativeQuantization(index))
  }

  /// Emits an average of 8-bit elements under a window; returns false where x is float.
  ///
  /// - Parameter window: kernel, strides, dilations, pads by spatial axis.
  func lowerQuantizedAverage(
    _ window: Window.Resolved, countsPadding: Bool = false
  ) throws(GraphError) -> Bool {
    guard let quantization = nativeQuantization(0),
      !quantization.isPerChannel || layout(0) == .channelsLast
    else { return false }
    var pool = QuantizedAveragePool()
    pool.input = try quantizedOperand(0, .channelsLast, as: quantization)
    pool.output = try storedResult(0, .channelsLast)
    pool.kernel = window.kernel
    pool.strides = window.strides
    pool.dilations = window.dilations
    pool.padsBegin = window.padsBegin
    pool.padsEnd = window.padsEnd
    pool.countsPadding = countsPadding
    emit(pool)
    return true
  }

  /// Emits the mean over all spatial axes, which stay as 1; returns false where x is float.
  func lowerQuantizedMean(_ shape: Shape) throws(GraphError) -> Bool {
    guard (3...5).contains(shape.rank), shape.elementCount > 0 else { return false }
    let spatial = Array(shape.dimensions[2...])
    let (ones, zeros) = (spatial.map { _ in 1 }, spatial.map { _ in 0 })
    return try lowerQuantizedAverage(
      Window.Resolved(
        kernel: spatial, strides: ones, dilations: ones, padsBegin: zeros, padsEnd: zeros,
        output: ones))
  }
}
