import Instructions
import Kernels
import Tensors
import Testing

@Suite struct DepthwiseConvolutionTests {
  static func check(
    _ c: ConvolutionCase, _ g: inout SeededGenerator, x xType: ElementType, y yType: ElementType,
    isa: ISA, parts: Int
  ) throws -> String? {
    let rig = Rig()
    let xShape: Shape = [c.batch, c.height, c.width, c.channels]
    let yShape: Shape = [c.batch, c.outputHeight, c.outputWidth, c.channels]
    let shape: Shape = [c.channels, 1, c.kernel[0], c.kernel[1]]
    let (x, weights) = (g.floats(xShape.elementCount), g.floats(shape.elementCount))
    let (bias, residual) = (g.floats(c.channels), g.floats(yShape.elementCount))
    var depthwise = DepthwiseConvolution()
    depthwise.x = rig.tensor(
      xType, xShape, rowStride: c.channels + Int.random(in: 0...1, using: &g) * 5, x)
    depthwise.weights = rig.constant(WeightPacking.depthwise(weights, shape: shape))
    let hasBias = Bool.random(using: &g)
    if hasBias { depthwise.bias = rig.tensor(.float32, [c.channels], bias) }
    let hasResidual = Bool.random(using: &g)
    if hasResidual { depthwise.residual = rig.tensor(yType, yShape, residual) }
    depthwise.y = rig.tensor(
      yType, yShape, rowStride: c.channels + Int.random(in: 0...1, using: &g) * 16)
    (depthwise.kernel, depthwise.strides) = (c.kernel, c.strides)
    (depthwise.pads, depthwise.dilations) = (c.pads, c.dilations)
    depthwise.residualAfterActivation = Bool.random(using: &g)
    let clips = Bool.random(using: &g)
    if clips { depthwise.activation = .clip(-0.5, 0.75) }
    try rig.run(depthwise, isas: isa.included, parts: parts)

    let (sums, magnitudes) = c.reference(stored(x, as: xType), weights)
    let added = stored(residual, as: yType)
    let y = rig.values(depthwise.y)
    guard rig.isIntact(depthwise.y) else { return "wrote outside y" }
    for i in y.indices {
      var want = sums[i] + (hasBias ? Double(bias[i % c.channels]) : 0)
      let other = hasResidual ? Double(added[i]) : 0
      if !depthwise.residualAfterActivation { want += other }
      if clips { want = min(max(want, -0.5), 0.75) }
      if depthwise.residualAfterActivation { want += other }
      let taps = Double(c.kernel[0] * c.kernel[1])
      var tolerance = 2 * taps * 0x1p-24 * magnitudes[i] + 0x1p-22
      if yType == .bfloat16 { tolerance += abs(want) * 0x1p-8 }
      if !(abs(Double(y[i]) - want) <= tolerance) {
        return "y[\(i)] = \(y[i]), expected \(want) ± \(tolerance)"
      }
    }
    return nil
  }

  @Test(arguments: coveredISAs)
  func `matches a plain loop on random geometries`(isa: ISA) throws {
    for seed in UInt64(0)..<400 {
      var g = SeededGenerator(seed: seed)
      var c = ConvolutionCase.random(&g)
      c.channels = [1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 33, 48].randomElement(using: &g)!
      (c.groups, c.columns) = (c.channels, c.channels)
      // Mostly the windows that have their own code.
      if seed % 4 != 0 {
        let size = [3, 5].randomElement(using: &g)!
        let stride = Int.random(in: 1...2, using: &g)
        (c.kernel, c.strides, c.dilations) = ([size, size], [stride, stride], [1, 1])
        c.height += size
        c.width += size
      }
      let types: [ElementType] = [.float32, .bfloat16]
      let (x, y) = (types[Int(seed) % 2], types[Int(seed / 2) % 2])
      let wrong = try Self.check(c, &g, x: x, y: y, isa: isa, parts: Int(seed / 4) % 3 + 1)
      #expect(wrong == nil, "seed \(seed), \(x) to \(y), \(c): \(wrong ?? "")")
      if wrong != nil { return }
    }
  }

  @Test(arguments: coveredISAs)
  func `matches a plain loop around the block sizes`(isa: ISA) throws {
    var g = SeededGenerator(seed: 5)
    for width in [1, 2, 3, 7, 8, 9, 14, 15, 16, 17, 53] {
      for (size, stride) in [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1)] {
        var c = ConvolutionCase()
        (c.height, c.width, c.channels, c.columns, c.groups) = (4, width, 20, 20, 20)
        (c.kernel, c.strides) = ([size, size], [stride, stride])
        c.pads = [Int](repeating: size / 2, count: 4)
        for type in [ElementType.float32, .bfloat16] {
          let wrong = try Self.check(c, &g, x: type, y: type, isa: isa, parts: 1)
          #expect(wrong == nil, "\(c) \(type): \(wrong ?? "")")
        }
      }
    }
  }
}
