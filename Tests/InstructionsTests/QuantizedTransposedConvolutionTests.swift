import Instructions
import Kernels
import Tensors
import Testing

@Suite struct QuantizedTransposedConvolutionTests {
  typealias Case = TransposedConvolutionTests.Case

  /// Scatters every input pixel: bias + Σ (x − zero) w; weights [Cin, Cout / groups, kh, kw].
  static func sums(
    _ c: Case, _ x: [UInt8], zero: Int32, _ weights: [Int8], _ bias: [Int32]
  ) -> [Int32] {
    let (outputHeight, outputWidth) = (c.extent(c.height, 0), c.extent(c.width, 1))
    let (cin, cout) = (c.channels / c.groups, c.columns / c.groups)
    var sums = (0..<c.batch * outputHeight * outputWidth).flatMap { _ in bias }
    for n in 0..<c.batch {
      for (iy, ix) in (0..<c.height * c.width).map({ ($0 / c.width, $0 % c.width) }) {
        for (ky, kx) in (0..<c.kernel[0] * c.kernel[1]).map({
          ($0 / c.kernel[1], $0 % c.kernel[1])
        }) {
          let oy = iy * c.strides[0] + ky * c.dilations[0] - c.pads[0]
          let ox = ix * c.strides[1] + kx * c.dilations[1] - c.pads[1]
          guard oy >= 0, oy < outputHeight, ox >= 0, ox < outputWidth else { continue }
          for k in 0..<c.channels {
            let value = Int32(x[((n * c.height + iy) * c.width + ix) * c.channels + k]) - zero
            for o in 0..<cout {
              let weight = weights[((k * cout + o) * c.kernel[0] + ky) * c.kernel[1] + kx]
              let place =
                ((n * outputHeight + oy) * outputWidth + ox) * c.columns + k / cin * cout + o
              sums[place] &+= value * Int32(weight)
            }
          }
        }
      }
    }
    return sums
  }

  /// Runs one case on all ISAs; returns what is wrong, or nil.
  static func check(_ c: Case, seed: UInt64, activation: Activation, parts: Int) throws -> String? {
    var g = SeededGenerator(seed: seed &+ 9_000_000)
    let extreme = seed % 3 == 0
    let xShape: Shape = [c.batch, c.height, c.width, c.channels]
    let yShape: Shape = [c.batch, c.extent(c.height, 0), c.extent(c.width, 1), c.columns]
    let shape: Shape = [c.channels, c.columns / c.groups, c.kernel[0], c.kernel[1]]
    let x = g.operandBytes(xShape.elementCount, extreme: extreme)
    let weights = g.weights(shape.elementCount, extreme: extreme)
    let bias = g.offsets(c.columns)
    let zero = Int32.random(in: 0...255, using: &g)
    let sums = sums(c, x, zero: zero, weights, bias)
    let magnitude = sums.reduce(Float(0)) { max($0, abs(Float($1))) }
    let store = ProductStore(
      &g, columns: c.columns, magnitude: magnitude, activation: activation)
    let gaps = (0..<3).map { _ in Bool.random(using: &g) ? Int.random(in: 1...20, using: &g) : 0 }
    let offsets = WeightPacking.transposedSums(
      quantized: weights, shape: shape, groups: c.groups, strides: c.strides,
      dilations: c.dilations
    ).flatMap { sums in sums.indices.map { bias[$0] &- zero &* sums[$0] } }
    let packed = WeightPacking.transposedConvolution(
      quantized: weights, shape: shape, groups: c.groups, strides: c.strides,
      dilations: c.dilations)
    var portable: [UInt32]?
    for isa in quantizedISAs {
      let rig = Rig()
      var transposed = QuantizedTransposedConvolution()
      transposed.x = rig.tensor(
        .uint8, xShape, rowStride: c.channels + gaps[0],
        quantization: Quantization(scale: store.xScale, zeroPoint: zero), elements: x)
      transposed.weights = rig.tensor(
        .int8, packed.shape,
        quantization: Quantization(
          scales: store.weightScales, zeroPoints: store.weightScales.map { _ in 0 }, axis: 0),
        elements: packed.elements(as: Int8.self))
      transposed.offsets = rig.tensor(.int32, [offsets.count], elements: offsets)
      var random = g
      let (residual, added) = store.makeResidual(
        rig, yShape, rowStride: c.columns + gaps[1], &random)
      transposed.residual = residual
      transposed.y = store.makeY(rig, yShape, rowStride: c.columns + gaps[2])
      (transposed.kernel, transposed.strides) = (c.kernel, c.strides)
      (transposed.pads, transposed.dilations) = (Array(c.pads.prefix(2)), c.dilations)
      transposed.groups = c.groups
      transposed.activation = activation
      transposed.residualAfterActivation = store.residualLast
      try rig.run(transposed, isas: isa.included, parts: parts)
      guard rig.isIntact(transposed.y) else { return "\(isa) wrote outside y" }
      let found = store.results(rig, transposed.y)
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
    for seed in UInt64(0)..<250 {
      var g = SeededGenerator(seed: seed)
      var c = Case()
      c.groups = [1, 1, 2, 3].randomElement(using: &g)!
      c.batch = Int.random(in: 1...2, using: &g)
      (c.height, c.width) = (Int.random(in: 1...9, using: &g), Int.random(in: 1...9, using: &g))
      c.channels = c.groups * Int.random(in: 1...7, using: &g)
      c.columns = c.groups * [1, 5, 16, 17, 40].randomElement(using: &g)!
      c.kernel = (0..<2).map { _ in Int.random(in: 1...4, using: &g) }
      c.strides = (0..<2).map { _ in Int.random(in: 1...4, using: &g) }
      c.dilations = (0..<2).map { _ in [1, 1, 2].randomElement(using: &g)! }
      c.outputPads = (0..<2).map { Int.random(in: 0..<c.strides[$0], using: &g) }
      c.pads = (0..<4).map { _ in [0, 0, 1, 2].randomElement(using: &g)! }
      if c.extent(c.height, 0) < 1 || c.extent(c.width, 1) < 1 { c.pads = [0, 0, 0, 0] }
      let activation: Activation = [.none, .relu, .clip(-0.5, 1.25), Activation(.swish, alpha: 1)][
        Int(seed) % 4]
      let wrong = try Self.check(
        c, seed: seed, activation: activation, parts: Int(seed / 4) % 3 + 1)
      #expect(wrong == nil, "seed \(seed), \(c): \(wrong ?? "")")
    }
  }

  @Test func `refuses what its tensors do not say`() {
    let rig = Rig()
    let unit = Quantization(scale: 1, zeroPoint: 0)
    func bytes(_ type: ElementType, _ shape: Shape, _ q: Quantization?) -> Operand {
      rig.tensor(type, shape, quantization: q, elements: [UInt8]?.none)
    }
    func offsets(_ count: Int) -> Operand {
      rig.tensor(.int32, [count], elements: [Int32](repeating: 0, count: count))
    }
    var valid = QuantizedTransposedConvolution()
    valid.x = bytes(.uint8, [1, 4, 4, 3], unit)
    valid.weights = bytes(.int8, [1, 4, 16, 4], unit)
    valid.offsets = offsets(20)
    valid.y = bytes(.uint8, [1, 8, 8, 5], unit)
    (valid.kernel, valid.strides) = ([2, 2], [2, 2])
    #expect(throws: Never.self) { try rig.run(valid) }
    let changes: [(inout QuantizedTransposedConvolution) -> Void] = [
      { $0.x = bytes(.uint8, [1, 4, 4, 3], nil) },
      { $0.weights = bytes(.int8, [1, 4, 16, 4], nil) },
      { $0.weights = bytes(.int8, [1, 3, 16, 4], unit) },
      { $0.offsets = offsets(5) },
      { $0.offsets = .none },
      { $0.y = bytes(.uint8, [1, 8, 8, 5], nil) },
      { $0.y = bytes(.uint8, [2, 8, 8, 5], unit) },
      { $0.strides = [1 << 15, 1 << 15] },
      { $0.groups = 2 },
    ]
    for (index, change) in changes.enumerated() {
      var changed = valid
      change(&changed)
      #expect(throws: (any Error).self, "change \(index)") { try rig.run(changed) }
    }
  }
}
