import Instructions
import Kernels
import Tensors
import Testing

@Suite struct TransposedConvolutionTests {
  struct Case {
    var batch = 1
    var height = 4
    var width = 5
    var channels = 3
    var columns = 4
    var kernel = [2, 2]
    var strides = [2, 2]
    var pads = [0, 0, 0, 0]
    var outputPads = [0, 0]
    var dilations = [1, 1]
    var groups = 1

    func extent(_ size: Int, _ axis: Int) -> Int {
      (size - 1) * strides[axis] + outputPads[axis] + (kernel[axis] - 1) * dilations[axis] + 1
        - pads[axis] - pads[axis + 2]
    }

    /// Scatters every input pixel; weights [Cin, Cout / groups, kh, kw].
    func reference(_ x: [Float], _ w: [Float]) -> (sums: [Double], magnitudes: [Double]) {
      let (outputHeight, outputWidth) = (extent(height, 0), extent(width, 1))
      let (cin, cout) = (channels / groups, columns / groups)
      var sums = [Double](repeating: 0, count: batch * outputHeight * outputWidth * columns)
      var magnitudes = sums
      for n in 0..<batch {
        for iy in 0..<height {
          for ix in 0..<width {
            for ky in 0..<kernel[0] {
              for kx in 0..<kernel[1] {
                let oy = iy * strides[0] + ky * dilations[0] - pads[0]
                let ox = ix * strides[1] + kx * dilations[1] - pads[1]
                guard oy >= 0, oy < outputHeight, ox >= 0, ox < outputWidth else { continue }
                for c in 0..<channels {
                  let value = x[((n * height + iy) * width + ix) * channels + c]
                  for o in 0..<cout {
                    let weight = w[((c * cout + o) * kernel[0] + ky) * kernel[1] + kx]
                    let place =
                      ((n * outputHeight + oy) * outputWidth + ox) * columns + c / cin * cout + o
                    sums[place] += Double(value) * Double(weight)
                    magnitudes[place] += abs(Double(value) * Double(weight))
                  }
                }
              }
            }
          }
        }
      }
      return (sums, magnitudes)
    }
  }

  static func check(
    _ c: Case, _ g: inout SeededGenerator, types: (ElementType, ElementType, ElementType),
    isa: ISA, parts: Int
  ) throws -> String? {
    let rig = Rig()
    let (xType, type, yType) = types
    let xShape: Shape = [c.batch, c.height, c.width, c.channels]
    let yShape: Shape = [c.batch, c.extent(c.height, 0), c.extent(c.width, 1), c.columns]
    let shape: Shape = [c.channels, c.columns / c.groups, c.kernel[0], c.kernel[1]]
    let (x, weights) = (g.floats(xShape.elementCount), g.floats(shape.elementCount))
    let (bias, residual) = (g.floats(c.columns), g.floats(yShape.elementCount))
    var transposed = TransposedConvolution()
    transposed.x = rig.tensor(
      xType, xShape, rowStride: c.channels + Int.random(in: 0...1, using: &g) * 3, x)
    transposed.weights = rig.constant(
      WeightPacking.transposedConvolution(
        weights, shape: shape, groups: c.groups, strides: c.strides, dilations: c.dilations,
        as: type))
    transposed.bias = rig.tensor(.float32, [c.columns], bias)
    let hasResidual = Bool.random(using: &g)
    if hasResidual { transposed.residual = rig.tensor(yType, yShape, residual) }
    transposed.y = rig.tensor(
      yType, yShape, rowStride: c.columns + Int.random(in: 0...1, using: &g) * 7)
    (transposed.kernel, transposed.strides) = (c.kernel, c.strides)
    (transposed.pads, transposed.dilations) = (Array(c.pads.prefix(2)), c.dilations)
    transposed.groups = c.groups
    try rig.run(transposed, isas: isa.included, parts: parts)

    let (sums, magnitudes) = c.reference(
      stored(stored(x, as: xType), as: type), stored(weights, as: type))
    let added = stored(residual, as: yType)
    let y = rig.values(transposed.y)
    guard rig.isIntact(transposed.y) else { return "wrote outside y" }
    let depth = Double(c.kernel[0] * c.kernel[1] * c.channels / c.groups)
    for i in y.indices {
      let want = sums[i] + Double(bias[i % c.columns]) + (hasResidual ? Double(added[i]) : 0)
      var tolerance = 2 * depth * 0x1p-24 * magnitudes[i] + 0x1p-22
      if yType == .bfloat16 { tolerance += abs(want) * 0x1p-8 }
      if !(abs(Double(y[i]) - want) <= tolerance) {
        return "y[\(i)] = \(y[i]), expected \(want) ± \(tolerance)"
      }
    }
    return nil
  }

  @Test(arguments: coveredISAs)
  func `matches a plain loop on random geometries`(isa: ISA) throws {
    for seed in UInt64(0)..<200 {
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
      let types = ConvolutionTests.combinations[Int(seed) % 6]
      let wrong = try Self.check(c, &g, types: types, isa: isa, parts: Int(seed / 6) % 3 + 1)
      #expect(wrong == nil, "seed \(seed), \(types), \(c): \(wrong ?? "")")
      if wrong != nil { return }
    }
  }

  @Test(arguments: [(2, 2, 0), (3, 2, 1), (4, 2, 1), (4, 4, 0), (3, 1, 1)])
  func `runs the usual upsamplings over strips`(kernel: Int, stride: Int, pad: Int) throws {
    var g = SeededGenerator(seed: 3)
    var c = Case()
    (c.height, c.width, c.channels, c.columns) = (60, 70, 20, 18)
    (c.kernel, c.strides) = ([kernel, kernel], [stride, stride])
    c.pads = [pad, pad, pad, pad]
    for parts in 1...3 {
      let wrong = try Self.check(
        c, &g, types: ConvolutionTests.combinations[0], isa: coveredISAs.last ?? .portable,
        parts: parts)
      #expect(wrong == nil, "\(parts) parts: \(wrong ?? "")")
    }
  }
}
