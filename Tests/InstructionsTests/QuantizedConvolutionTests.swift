import Instructions
import Kernels
import Tensors
import Testing

@Suite struct QuantizedConvolutionTests {
  /// Integer sums [N, Ho, Wo, Cout] with offsets; weights in ONNX order.
  static func sums(
    _ c: ConvolutionCase, _ x: [UInt8], zero: Int32, _ weights: [Int8], _ offsets: [Int32]
  ) -> [Int32] {
    let (cin, cout) = (c.channels / c.groups, c.columns / c.groups)
    var sums: [Int32] = []
    for n in 0..<c.batch {
      for oy in 0..<c.outputHeight {
        for ox in 0..<c.outputWidth {
          for o in 0..<c.columns {
            var sum = offsets[o]
            for ky in 0..<c.kernel[0] {
              for kx in 0..<c.kernel[1] {
                let iy = oy * c.strides[0] + ky * c.dilations[0] - c.pads[0]
                let ix = ox * c.strides[1] + kx * c.dilations[1] - c.pads[1]
                let isInside = iy >= 0 && iy < c.height && ix >= 0 && ix < c.width
                let at = ((n * c.height + iy) * c.width + ix) * c.channels + o / cout * cin
                for k in 0..<cin {
                  let value = isInside ? Int32(x[at + k]) : zero
                  let weight = weights[((o * cin + k) * c.kernel[0] + ky) * c.kernel[1] + kx]
                  sum &+= value * Int32(weight)
                }
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
  static func check(
    _ c: ConvolutionCase, seed: UInt64, activation: Activation, isas: [ISA], parts: Int
  ) throws -> String? {
    var g = SeededGenerator(seed: seed &+ 7_000_000)
    let extreme = seed % 3 == 0
    let xShape: Shape = [c.batch, c.height, c.width, c.channels]
    let yShape: Shape = [c.batch, c.outputHeight, c.outputWidth, c.columns]
    let shape: Shape = [c.columns, c.channels / c.groups, c.kernel[0], c.kernel[1]]
    let x = g.operandBytes(xShape.elementCount, extreme: extreme)
    let weights = g.weights(shape.elementCount, extreme: extreme)
    let offsets = g.offsets(c.columns)
    let zero = Int32.random(in: 0...255, using: &g)
    let sums = sums(c, x, zero: zero, weights, offsets)
    let magnitude = sums.reduce(Float(0)) { max($0, abs(Float($1))) }
    let store = ProductStore(
      &g, columns: c.columns, magnitude: magnitude, activation: activation)
    let gaps = (0..<3).map { _ in Bool.random(using: &g) ? Int.random(in: 1...20, using: &g) : 0 }
    var portable: [UInt32]?
    for isa in isas {
      let rig = Rig()
      var convolution = QuantizedConvolution()
      convolution.x = rig.tensor(
        .uint8, xShape, rowStride: c.channels + gaps[0],
        quantization: Quantization(scale: store.xScale, zeroPoint: zero), elements: x)
      let packed = WeightPacking.convolution(
        quantized: weights, shape: shape, groups: c.groups, dilations: c.dilations)
      convolution.weights = rig.tensor(
        .int8, packed.shape,
        quantization: Quantization(
          scales: store.weightScales, zeroPoints: store.weightScales.map { _ in 0 }, axis: 0),
        elements: packed.elements(as: Int8.self))
      convolution.offsets = rig.tensor(.int32, [c.columns], elements: offsets)
      var residual = g
      let (operand, added) = store.makeResidual(
        rig, yShape, rowStride: c.columns + gaps[1], &residual)
      convolution.residual = operand
      convolution.y = store.makeY(rig, yShape, rowStride: c.columns + gaps[2])
      convolution.kernel = c.kernel
      convolution.strides = c.strides
      convolution.pads = c.pads
      convolution.dilations = c.dilations
      convolution.groups = c.groups
      convolution.activation = activation
      convolution.residualAfterActivation = store.residualLast
      try rig.run(convolution, isas: isa.included, parts: parts)
      guard rig.isIntact(convolution.y) else { return "\(isa) wrote outside y" }
      let found = store.results(rig, convolution.y)
      if store.isExact {
        let expected = store.apply(sums, residual: added, columns: c.columns)
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

  @Test func `gives the bits of a plain loop on random geometries`() throws {
    print(
      "8-bit products on \(quantizedISAs); not on this machine: "
        + "\(ISA.allCases.filter { !$0.isAvailable })")
    for seed in UInt64(0)..<400 {
      var g = SeededGenerator(seed: seed)
      let c = ConvolutionCase.random(&g)
      let activation: Activation = [.none, .relu, .clip(-0.5, 1.25), .clip(0, 6)][Int(seed) % 4]
      let wrong = try Self.check(
        c, seed: seed, activation: activation, isas: quantizedISAs, parts: Int(seed / 4) % 3 + 1)
      #expect(wrong == nil, "seed \(seed), \(c): \(wrong ?? "")")
    }
  }

  @Test(arguments: storeActivations)
  func `every function gives the same bits on every ISA`(activation: Activation) throws {
    for seed in UInt64(0)..<8 {
      var c = ConvolutionCase()
      c.channels = 5
      c.columns = [17, 64, 100, 48][Int(seed) % 4]
      let wrong = try Self.check(
        c, seed: seed, activation: activation, isas: quantizedISAs, parts: 1)
      #expect(wrong == nil, "seed \(seed): \(wrong ?? "")")
    }
  }

  @Test func `every tile of rows and columns gives the bits of a plain loop`() throws {
    // Rows 0 ... 17, 31 and columns around whole panels and blocks.
    for rows in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 31] {
      for columns in [1, 15, 16, 17, 32, 33, 48, 63, 64, 65, 80, 112, 131] {
        var c = ConvolutionCase()
        (c.height, c.width, c.channels, c.columns) = (1, rows, 7, columns)
        (c.kernel, c.pads) = ([1, 1], [0, 0, 0, 0])
        let seed = UInt64(rows * 1000 + columns)
        for activation in [.relu, Activation(.swish, alpha: 1), Activation(.sigmoid)] {
          let wrong = try Self.check(
            c, seed: seed, activation: activation, isas: quantizedISAs, parts: 1)
          #expect(wrong == nil, "\(rows)x\(columns), \(activation): \(wrong ?? "")")
        }
      }
    }
  }

  @Test func `long sums and wide maps give the bits of a plain loop`() throws {
    var deep = ConvolutionCase()
    (deep.height, deep.width, deep.channels, deep.columns) = (3, 3, 1021, 70)
    var wide = ConvolutionCase()
    (wide.height, wide.width, wide.channels, wide.columns) = (60, 97, 24, 40)
    var first = ConvolutionCase()
    (first.height, first.width, first.columns) = (65, 67, 16)
    (first.kernel, first.strides, first.pads) = ([7, 7], [2, 2], [3, 3, 3, 3])
    for (index, c) in [deep, wide, first].enumerated() {
      for parts in [1, 3] {
        let wrong = try Self.check(
          c, seed: UInt64(index), activation: .none, isas: quantizedISAs, parts: parts)
        #expect(wrong == nil, "\(c): \(wrong ?? "")")
      }
    }
  }

  @Test func `refuses what its tensors do not say`() {
    let rig = Rig()
    let unit = Quantization(scale: 1, zeroPoint: 0)
    func bytes(_ type: ElementType, _ shape: Shape, _ q: Quantization?) -> Operand {
      rig.tensor(type, shape, quantization: q, elements: [UInt8]?.none)
    }
    var valid = QuantizedConvolution()
    valid.x = bytes(.uint8, [1, 4, 4, 3], unit)
    valid.weights = bytes(.int8, [1, 1, 16, 4], unit)
    valid.offsets = rig.tensor(.int32, [5], elements: [Int32](repeating: 0, count: 5))
    valid.y = bytes(.uint8, [1, 4, 4, 5], unit)
    #expect(throws: Never.self) { try rig.run(valid) }
    let changes: [(inout QuantizedConvolution) -> Void] = [
      { $0.x = bytes(.uint8, [1, 4, 4, 3], nil) },
      { $0.x = bytes(.int8, [1, 4, 4, 3], unit) },
      { $0.x = bytes(.uint8, [1, 4, 4, 3], Quantization(scale: 1, zeroPoint: -1)) },
      { $0.x = bytes(.uint8, [1, 4, 4, 3], Quantization(scale: .nan, zeroPoint: 1)) },
      { $0.weights = bytes(.int8, [1, 1, 16, 4], Quantization(scale: 1, zeroPoint: 1)) },
      { $0.weights = bytes(.int8, [1, 1, 16, 4], nil) },
      { $0.weights = bytes(.uint8, [1, 1, 16, 4], unit) },
      { $0.weights = bytes(.int8, [1, 2, 16, 4], unit) },
      { $0.offsets = .none },
      { $0.offsets = rig.tensor(.int32, [4], elements: [Int32](repeating: 0, count: 4)) },
      { $0.offsets = rig.tensor(.float32, [5]) },
      { $0.y = bytes(.int8, [1, 4, 4, 5], unit) },
      { $0.y = bytes(.uint8, [1, 4, 4, 5], nil) },
      { $0.residual = bytes(.uint8, [1, 4, 4, 4], unit) },
      { $0.residual = bytes(.uint8, [1, 4, 4, 5], nil) },
      { $0.groups = 2 },
      { $0.pads = [1, 0, 0, 0] },
      { $0.activation = Activation(.sin) },
    ]
    for (index, change) in changes.enumerated() {
      var changed = valid
      change(&changed)
      #expect(throws: (any Error).self, "change \(index)") { try rig.run(changed) }
    }
  }
}
