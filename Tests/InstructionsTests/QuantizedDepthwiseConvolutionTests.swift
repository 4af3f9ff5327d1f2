import Instructions
import Kernels
import Tensors
import Testing

@Suite struct QuantizedDepthwiseConvolutionTests {
  /// Integer sums [N, Ho, Wo, C] with offsets; weights in ONNX order; outside the image a channel
  /// holds its zero point.
  private static func sums(
    _ c: ConvolutionCase, _ x: [UInt8], _ quantization: Quantization, _ weights: [Int8],
    _ offsets: [Int32]
  ) -> [Int32] {
    var sums: [Int32] = []
    for n in 0..<c.batch {
      for oy in 0..<c.outputHeight {
        for ox in 0..<c.outputWidth {
          for channel in 0..<c.channels {
            var sum = offsets[channel]
            for ky in 0..<c.kernel[0] {
              for kx in 0..<c.kernel[1] {
                let iy = oy * c.strides[0] + ky * c.dilations[0] - c.pads[0]
                let ix = ox * c.strides[1] + kx * c.dilations[1] - c.pads[1]
                let isInside = iy >= 0 && iy < c.height && ix >= 0 && ix < c.width
                let value =
                  isInside
                  ? Int32(x[((n * c.height + iy) * c.width + ix) * c.channels + channel])
                  : quantization.zeroPoint(channel)
                sum &+= value * Int32(weights[(channel * c.kernel[0] + ky) * c.kernel[1] + kx])
              }
            }
            sums.append(sum)
          }
        }
      }
    }
    return sums
  }

  /// Runs one case on all ISAs; returns what is wrong, or nil.
  private static func check(
    _ c: ConvolutionCase, seed: UInt64, activation: Activation, parts: Int
  ) throws -> String? {
    var g = SeededGenerator(seed: seed &+ 31_000_000)
    let extreme = seed % 3 == 0
    let xShape: Shape = [c.batch, c.height, c.width, c.channels]
    let yShape: Shape = [c.batch, c.outputHeight, c.outputWidth, c.channels]
    let shape: Shape = [c.channels, 1, c.kernel[0], c.kernel[1]]
    let x = g.operandBytes(xShape.elementCount, extreme: extreme)
    let weights = g.weights(shape.elementCount, extreme: extreme)
    let offsets = g.offsets(c.channels)
    let count = Bool.random(using: &g) ? c.channels : 1
    let source = Quantization(
      scales: (0..<count).map { _ in Float.random(in: 0.001...0.1, using: &g) },
      zeroPoints: (0..<count).map { _ in Int32.random(in: 0...255, using: &g) }, axis: 1)
    let sums = sums(c, x, source, weights, offsets)
    let magnitude = sums.reduce(Float(0)) { max($0, abs(Float($1))) }
    var store = ProductStore(
      &g, columns: c.channels, magnitude: magnitude, activation: activation)
    store.xScales = (0..<c.channels).map { source.scale($0) }
    let gaps = (0..<3).map { _ in Bool.random(using: &g) ? Int.random(in: 1...20, using: &g) : 0 }
    let packed = WeightPacking.depthwise(quantized: weights, shape: shape)
    var portable: [UInt32]?
    for isa in quantizedISAs {
      let rig = Rig()
      var convolution = QuantizedDepthwiseConvolution()
      convolution.x = rig.tensor(
        .uint8, xShape, rowStride: c.channels + gaps[0], quantization: source, elements: x)
      convolution.weights = rig.tensor(
        .int8, packed.shape,
        quantization: Quantization(
          scales: store.weightScales, zeroPoints: store.weightScales.map { _ in 0 }, axis: 0),
        elements: packed.elements(as: Int8.self))
      convolution.offsets = rig.tensor(.int32, [c.channels], elements: offsets)
      var residual = g
      let (operand, added) = store.makeResidual(
        rig, yShape, rowStride: c.channels + gaps[1], &residual)
      convolution.residual = operand
      convolution.y = store.makeY(rig, yShape, rowStride: c.channels + gaps[2])
      (convolution.kernel, convolution.strides) = (c.kernel, c.strides)
      (convolution.pads, convolution.dilations) = (c.pads, c.dilations)
      convolution.activation = activation
      convolution.residualAfterActivation = store.residualLast
      try rig.run(convolution, isas: isa.included, parts: parts)
      guard rig.isIntact(convolution.y) else { return "\(isa) wrote outside y" }
      let found = store.results(rig, convolution.y)
      if store.isExact {
        let expected = store.apply(sums, residual: added, columns: c.channels)
        if let wrong = difference(found, expected, isReal: store.y == nil) {
          return "\(isa): \(wrong) \(store)"
        }
      }
      if let portable, let wrong = difference(found, portable, isReal: store.y == nil) {
        return "\(isa) differs from portable: \(wrong) \(store)"
      }
      portable = portable ?? found
    }
    return nil
  }

  private static let channelCounts = [
    1, 2, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 96, 97, 127, 128, 129, 144, 199,
  ]

  @Test func `gives the bits of a plain loop on random geometries`() throws {
    print("depthwise8 kernels: \(Depthwise8Kernel.all), run on \(quantizedISAs)")
    for seed in UInt64(0)..<500 {
      var g = SeededGenerator(seed: seed)
      var c = ConvolutionCase.random(&g)
      c.channels = Self.channelCounts.randomElement(using: &g)!
      (c.groups, c.columns) = (c.channels, c.channels)
      // Mostly the windows that have their own code.
      if seed % 4 != 0 {
        let size = [3, 5, 7].randomElement(using: &g)!
        let stride = Int.random(in: 1...2, using: &g)
        (c.kernel, c.strides, c.dilations) = ([size, size], [stride, stride], [1, 1])
        c.height += size
        c.width += size
        // Up to windows that see nothing but padding.
        c.pads = (0..<4).map { _ in Int.random(in: 0...size + 1, using: &g) }
      }
      let activation: Activation = [.none, .relu, .clip(-0.5, 1.25), .clip(0, 6)][Int(seed / 2) % 4]
      let wrong = try Self.check(
        c, seed: seed, activation: activation, parts: Int(seed / 4) % 3 + 1)
      #expect(wrong == nil, "seed \(seed), \(c): \(wrong ?? "")")
      if wrong != nil { return }
    }
  }

  @Test func `gives the bits of a plain loop around the periods of a line`() throws {
    for width in [1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 17, 53] {
      for (size, stride) in [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (7, 2), (2, 1), (9, 1)] {
        var c = ConvolutionCase()
        (c.height, c.width, c.channels, c.columns, c.groups) = (size + 1, width, 70, 70, 70)
        (c.kernel, c.strides) = ([size, size], [stride, stride])
        c.pads = [Int](repeating: size / 2, count: 4)
        guard c.outputWidth > 0, c.outputHeight > 0 else { continue }
        for activation in [.none, Activation(.swish, alpha: 1), Activation(.sigmoid)] {
          let wrong = try Self.check(
            c, seed: UInt64(width * 100 + size), activation: activation, parts: 2)
          #expect(wrong == nil, "\(c), \(activation): \(wrong ?? "")")
          if wrong != nil { return }
        }
      }
    }
  }

  @Test func `gives the portable bits with every function`() throws {
    for (index, activation) in storeActivations.enumerated() {
      for seed in UInt64(0)..<6 {
        var c = ConvolutionCase()
        (c.channels, c.columns, c.groups) = (83, 83, 83)
        let wrong = try Self.check(
          c, seed: seed + 10 * UInt64(index), activation: activation, parts: 1)
        #expect(wrong == nil, "\(activation): \(wrong ?? "")")
      }
    }
  }

  @Test func `gives the same bits for any number of threads`() throws {
    var c = ConvolutionCase()
    (c.batch, c.height, c.width) = (2, 9, 11)
    (c.channels, c.columns, c.groups) = (200, 200, 200)
    for parts in [1, 2, 3, 4, 7] {
      let wrong = try Self.check(c, seed: 77, activation: .relu, parts: parts)
      #expect(wrong == nil, "\(parts) parts: \(wrong ?? "")")
    }
  }

  @Test func `refuses operands that do not fit`() {
    func refusal(_ change: (Rig, inout QuantizedDepthwiseConvolution) -> Void) -> String? {
      let rig = Rig()
      let one = Quantization(scale: 0.5, zeroPoint: 3)
      var convolution = QuantizedDepthwiseConvolution()
      convolution.x = rig.tensor(
        .uint8, [1, 5, 5, 8], quantization: one, elements: [UInt8]?.none)
      convolution.weights = rig.tensor(
        .int8, [1, 1, 3, 256], quantization: Quantization(scale: 1, zeroPoint: 0),
        elements: [Int8]?.none)
      convolution.offsets = rig.tensor(.int32, [8], elements: [Int32](repeating: 0, count: 8))
      convolution.y = rig.tensor(
        .uint8, [1, 3, 3, 8], quantization: one, elements: [UInt8]?.none)
      convolution.kernel = [3, 3]
      change(rig, &convolution)
      do throws(InstructionError) {
        try rig.run(convolution)
        return nil
      } catch {
        return error.message
      }
    }
    #expect(refusal { _, _ in } == nil)
    #expect(
      refusal { rig, it in it.x = rig.tensor(.uint8, [1, 5, 5, 8], elements: [UInt8]?.none) }
        == "x lacks its quantisation")
    #expect(
      refusal { rig, it in it.x = rig.tensor(.float32, [1, 5, 5, 8]) }
        == "x is float32, must be uint8")
    #expect(
      refusal { _, it in it.kernel = [5, 3] }?.hasPrefix("y is 1x3x3x8, expected 1x1x3") == true)
    #expect(
      refusal { rig, it in
        it.weights = rig.tensor(
          .int8, [9, 8], quantization: Quantization(scale: 1, zeroPoint: 0),
          elements: [Int8]?.none)
      } == "packed weights are 9x8, expected 1x1x3x256")
    #expect(
      refusal { rig, it in
        it.offsets = rig.tensor(.int32, [7], elements: [Int32](repeating: 0, count: 7))
      } == "offsets are int32 7, must be int32 8")
    #expect(
      refusal { rig, it in
        let three = Quantization(scales: [1, 2, 3], zeroPoints: [0, 0, 0], axis: 1)
        it.x = rig.tensor(.uint8, [1, 5, 5, 8], quantization: three, elements: [UInt8]?.none)
      }?.hasPrefix("x has 3 scales") == true)
    #expect(
      refusal { _, it in it.activation = Activation(.sin) } == "sin cannot be applied in a store")
  }
}
