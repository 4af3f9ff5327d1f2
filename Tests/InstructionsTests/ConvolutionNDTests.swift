import Instructions
import Tensors
import Testing

@Suite struct ConvolutionNDTests {
  /// A three-dimensional window is checked against two-dimensional ones, summed over depth.
  @Test func `matches sums of two-dimensional convolutions`() throws {
    var g = SeededGenerator(seed: 21)
    for (groups, parts) in [(1, 1), (2, 2), (3, 3)] {
      let (depth, kernelDepth, padDepth) = (4, 3, 1)
      var c = ConvolutionCase()
      (c.height, c.width, c.groups) = (6, 5, groups)
      (c.channels, c.columns) = (groups * 2, groups * 3)
      (c.strides, c.dilations) = ([2, 1], [1, 2])
      let (ho, wo) = (c.outputHeight, c.outputWidth)
      let xShape: Shape = [1, depth, c.height, c.width, c.channels]
      let shape: Shape = [c.columns, 2, kernelDepth, 3, 3]
      let (x, weights) = (g.floats(xShape.elementCount), g.floats(shape.elementCount))
      let bias = g.floats(c.columns)
      let rig = Rig()
      var convolution = ConvolutionND()
      convolution.x = rig.tensor(.float32, xShape, x)
      convolution.weights = rig.constant(WeightPacking.convolutionND(weights, shape: shape))
      convolution.bias = rig.tensor(.float32, [c.columns], bias)
      convolution.y = rig.tensor(.float32, [1, depth, ho, wo, c.columns])
      (convolution.strides, convolution.dilations) = ([1, 2, 1], [1, 1, 2])
      (convolution.pads, convolution.groups) = ([padDepth, 1, 1], groups)
      try rig.run(convolution, parts: parts)
      #expect(rig.isIntact(convolution.y))

      let slice = c.height * c.width * c.channels
      let plane = ho * wo * c.columns
      let y = rig.values(convolution.y)
      for oz in 0..<depth {
        var want = [Double](repeating: 0, count: plane)
        for kz in 0..<kernelDepth where (0..<depth).contains(oz + kz - padDepth) {
          let iz = oz + kz - padDepth
          var part: [Float] = []
          for pair in 0..<c.columns * 2 {
            let first = (pair * kernelDepth + kz) * 9
            part += weights[first..<first + 9]
          }
          let sums = c.reference(Array(x[iz * slice..<(iz + 1) * slice]), part).sums
          for i in want.indices { want[i] += sums[i] }
        }
        for i in want.indices {
          let difference = abs(Double(y[oz * plane + i]) - want[i] - Double(bias[i % c.columns]))
          #expect(difference < 1e-4)
        }
      }
    }
  }

  @Test func `refuses weights that do not fit`() throws {
    let rig = Rig()
    var convolution = ConvolutionND()
    convolution.x = rig.tensor(.float32, [1, 4, 2])
    convolution.weights = rig.tensor(.float32, [3, 3, 5])
    convolution.y = rig.tensor(.float32, [1, 4, 5])
    (convolution.strides, convolution.dilations, convolution.pads) = ([1], [1], [1])
    #expect(throws: InstructionError.self) { try rig.run(convolution) }
  }
}
