import Instructions
import Kernels
import Tensors
import Testing

/// A convolution's geometry and a plain implementation of it.
struct ConvolutionCase {
  var batch = 1
  var height = 5
  var width = 5
  var channels = 3
  var columns = 4
  var kernel = [3, 3]
  var strides = [1, 1]
  var pads = [1, 1, 1, 1]
  var dilations = [1, 1]
  var groups = 1

  var outputHeight: Int { extent(height, pads[0] + pads[2], 0) }
  var outputWidth: Int { extent(width, pads[1] + pads[3], 1) }

  private func extent(_ size: Int, _ padding: Int, _ axis: Int) -> Int {
    (size + padding - (kernel[axis] - 1) * dilations[axis] - 1) / strides[axis] + 1
  }

  /// Returns the sums and the sums of absolute products, [N, Ho, Wo, Cout]; weights in ONNX order.
  func reference(_ x: [Float], _ weights: [Float]) -> (sums: [Double], magnitudes: [Double]) {
    let (cin, cout) = (channels / groups, columns / groups)
    var sums: [Double] = []
    var magnitudes: [Double] = []
    for n in 0..<batch {
      for oy in 0..<outputHeight {
        for ox in 0..<outputWidth {
          for o in 0..<columns {
            var (sum, magnitude) = (0.0, 0.0)
            for ky in 0..<kernel[0] {
              for kx in 0..<kernel[1] {
                let iy = oy * strides[0] + ky * dilations[0] - pads[0]
                let ix = ox * strides[1] + kx * dilations[1] - pads[1]
                guard iy >= 0, iy < height, ix >= 0, ix < width else { continue }
                for c in 0..<cin {
                  let value = x[((n * height + iy) * width + ix) * channels + o / cout * cin + c]
                  let weight = weights[((o * cin + c) * kernel[0] + ky) * kernel[1] + kx]
                  let product = Double(value) * Double(weight)
                  sum += product
                  magnitude += abs(product)
                }
              }
            }
            sums.append(sum)
            magnitudes.append(magnitude)
          }
        }
      }
    }
    return (sums, magnitudes)
  }

  static func random(_ g: inout SeededGenerator) -> ConvolutionCase {
    var c = ConvolutionCase()
    c.groups = [1, 1, 1, 2, 3].randomElement(using: &g)!
    c.batch = Int.random(in: 1...2, using: &g)
    c.channels = c.groups * Int.random(in: 1...9, using: &g)
    c.columns = c.groups * [1, 3, 4, 15, 16, 17, 31, 40, 65, 80].randomElement(using: &g)!
    c.kernel = (0..<2).map { _ in Int.random(in: 1...4, using: &g) }
    c.strides = (0..<2).map { _ in Int.random(in: 1...3, using: &g) }
    c.dilations = (0..<2).map { _ in [1, 1, 2, 3].randomElement(using: &g)! }
    c.pads = (0..<4).map { _ in [0, 0, 1, 2, 3].randomElement(using: &g)! }
    if Bool.random(using: &g) { c.pads = [0, 0, 0, 0] }
    c.height = (c.kernel[0] - 1) * c.dilations[0] + 1 + Int.random(in: 0...9, using: &g)
    c.width = (c.kernel[1] - 1) * c.dilations[1] + 1 + Int.random(in: 0...20, using: &g)
    return c
  }
}

@Suite struct ConvolutionTests {
  /// Runs one case and compares it; returns what is wrong, or nil.
  static func check(
    _ c: ConvolutionCase, _ g: inout SeededGenerator, x xType: ElementType,
    weights type: ElementType, y yType: ElementType, isa: ISA, parts: Int
  ) throws -> String? {
    let rig = Rig()
    let xShape: Shape = [c.batch, c.height, c.width, c.channels]
    let yShape: Shape = [c.batch, c.outputHeight, c.outputWidth, c.columns]
    let x = g.floats(xShape.elementCount)
    let shape: Shape = [c.columns, c.channels / c.groups, c.kernel[0], c.kernel[1]]
    let weights = g.floats(shape.elementCount)
    let bias = g.floats(c.columns)
    let residual = g.floats(yShape.elementCount)
    let gaps = (0..<3).map { _ in Bool.random(using: &g) ? Int.random(in: 1...20, using: &g) : 0 }

    var convolution = Convolution()
    convolution.x = rig.tensor(xType, xShape, rowStride: c.channels + gaps[0], x)
    convolution.weights = rig.constant(
      WeightPacking.convolution(
        weights, shape: shape, groups: c.groups, dilations: c.dilations, as: type))
    let hasBias = Bool.random(using: &g)
    if hasBias { convolution.bias = rig.tensor(.float32, [c.columns], bias) }
    let hasResidual = Bool.random(using: &g)
    if hasResidual {
      convolution.residual = rig.tensor(
        yType, yShape, rowStride: c.columns + gaps[1], residual)
    }
    convolution.y = rig.tensor(yType, yShape, rowStride: c.columns + gaps[2])
    convolution.kernel = c.kernel
    convolution.strides = c.strides
    convolution.pads = c.pads
    convolution.dilations = c.dilations
    convolution.groups = c.groups
    convolution.residualAfterActivation = Bool.random(using: &g)
    let relu = Bool.random(using: &g)
    if relu { convolution.activation = .relu }
    try rig.run(convolution, isas: isa.included, parts: parts)

    let (sums, magnitudes) = c.reference(
      stored(stored(x, as: xType), as: type), stored(weights, as: type))
    let added = stored(residual, as: yType)
    let y = rig.values(convolution.y)
    guard rig.isIntact(convolution.y) else { return "wrote outside y" }
    let depth = Double(c.kernel[0] * c.kernel[1] * c.channels / c.groups)
    for i in y.indices {
      var want = sums[i] + (hasBias ? Double(bias[i % c.columns]) : 0)
      let other = hasResidual ? Double(added[i]) : 0
      if !convolution.residualAfterActivation { want += other }
      if relu { want = max(want, 0) }
      if convolution.residualAfterActivation { want += other }
      var tolerance = 2 * depth * 0x1p-24 * magnitudes[i] + 0x1p-22
      if yType == .bfloat16 { tolerance += abs(want) * 0x1p-8 }
      if !(abs(Double(y[i]) - want) <= tolerance) {
        return "y[\(i)] = \(y[i]), expected \(want) ± \(tolerance)"
      }
    }
    return nil
  }

  static let combinations: [(ElementType, ElementType, ElementType)] = [
    (.float32, .float32, .float32), (.float32, .float32, .bfloat16),
    (.bfloat16, .bfloat16, .bfloat16), (.bfloat16, .bfloat16, .float32),
    (.float32, .bfloat16, .bfloat16), (.float32, .bfloat16, .float32),
  ]

  @Test(arguments: coveredISAs)
  func `matches a plain loop on random geometries`(isa: ISA) throws {
    for seed in UInt64(0)..<240 {
      var g = SeededGenerator(seed: seed)
      let c = ConvolutionCase.random(&g)
      let (x, weights, y) = Self.combinations[Int(seed) % Self.combinations.count]
      let wrong = try Self.check(
        c, &g, x: x, weights: weights, y: y, isa: isa, parts: Int(seed / 6) % 3 + 1)
      #expect(wrong == nil, "seed \(seed), \(x) \(weights) \(y), \(c): \(wrong ?? "")")
      if wrong != nil { return }
    }
  }

  @Test(arguments: coveredISAs)
  func `matches a plain loop around the tile sizes`(isa: ISA) throws {
    var g = SeededGenerator(seed: 7)
    for width in [1, 2, 5, 6, 7, 8, 9, 12, 13, 14, 16, 17, 29, 101] {
      for columns in [1, 15, 16, 17, 32, 33, 48, 63, 64, 65, 96, 127] {
        var c = ConvolutionCase()
        (c.height, c.width, c.channels, c.columns) = (1, width, 6, columns)
        (c.kernel, c.pads) = ([1, 1], [0, 0, 0, 0])
        for (x, weights, y) in [Self.combinations[0], Self.combinations[2]] {
          let wrong = try Self.check(c, &g, x: x, weights: weights, y: y, isa: isa, parts: 1)
          #expect(wrong == nil, "\(width) by \(columns), \(weights): \(wrong ?? "")")
        }
      }
    }
  }

  @Test(arguments: coveredISAs)
  func `runs over strips of large pictures`(isa: ISA) throws {
    var g = SeededGenerator(seed: 11)
    for (height, width, channels, columns, stride) in [
      (75, 83, 32, 24, 1), (64, 300, 16, 8, 2), (200, 211, 3, 16, 2),
    ] {
      var c = ConvolutionCase()
      (c.height, c.width, c.channels, c.columns) = (height, width, channels, columns)
      c.strides = [stride, stride]
      for parts in 1...3 {
        let wrong = try Self.check(
          c, &g, x: .float32, weights: .float32, y: .float32, isa: isa, parts: parts)
        #expect(wrong == nil, "\(c), \(parts) parts: \(wrong ?? "")")
      }
    }
  }

  @Test func `an empty batch is nothing to do`() throws {
    var g = SeededGenerator(seed: 1)
    var c = ConvolutionCase()
    c.batch = 0
    let wrong = try Self.check(
      c, &g, x: .float32, weights: .float32, y: .float32, isa: .portable, parts: 2)
    #expect(wrong == nil)
  }

  @Test func `says which instruction sets the tests cover`() {
    for isa in [ISA.portable, .avx2, .avx512, .avx512bf16] {
      let missing = isa.missingFlags.joined(separator: ", ")
      print(
        isa.isAvailable ? "kernels tested: \(isa)" : "KERNELS NOT TESTED: \(isa), lacks \(missing)")
    }
    #expect(coveredISAs.contains(.portable))
  }
}
