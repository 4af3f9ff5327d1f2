import Glibc
import Graphs
import Instructions
import Kernels
import Tensors
import Testing

@testable import Operators

@Suite struct NormalizationTests {
  // MARK: Softmax

  private func softmax(_ line: [Double]) -> [Double] {
    let highest = line.max() ?? 0
    let powers = line.map { exp($0 - highest) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
  }

  /// Applies `function` to every line of [outer, extent, inner].
  private func lines(
    _ x: TensorBuffer, outer: Int, extent: Int, inner: Int, _ function: ([Double]) -> [Double]
  ) -> TensorBuffer {
    var values = x.contents
    for o in 0..<outer {
      for i in 0..<inner {
        let places = (0..<extent).map { (o * extent + $0) * inner + i }
        for (place, value) in zip(places, function(places.map { Double(values[$0]) })) {
          values[place] = Float(value)
        }
      }
    }
    return TensorBuffer(x.shape, values)
  }

  @Test func `softmax runs along an axis, or along all later ones before version 13`() throws {
    let x = TensorBuffer.random([2, 3, 4, 5], seed: 2)
    let extents = x.shape.dimensions
    let type = SoftmaxOperator<Elementwise.Softmax>.self
    for axis in 0..<4 {
      let outer = extents[..<axis].reduce(1, *)
      let inner = extents[(axis + 1)...].reduce(1, *)
      let along = lines(x, outer: outer, extent: extents[axis], inner: inner, softmax)
      let coerced = lines(x, outer: outer, extent: extents[axis] * inner, inner: 1, softmax)
      for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
        for isas in [Set<ISA>(), ISA.host] {
          var runner = OperatorRunner(type, version: 13, ["axis": .int(axis - 4)])
          runner.isas = isas
          runner.parts = 3
          #expect(try runner(input).difference(to: along) < 1e-6)
          runner.version = 11
          #expect(try runner(input).difference(to: coerced) < 1e-6)
        }
      }
    }
    let last = lines(x, outer: 24, extent: 5, inner: 1, softmax)
    #expect(try OperatorRunner(type)(.runtime(x)).difference(to: last) < 1e-6)
    let all = lines(x, outer: 2, extent: 60, inner: 1, softmax)
    #expect(try OperatorRunner(type, version: 7)(.runtime(x)).difference(to: all) < 1e-6)
    // One line of scores, with all later axes 1.
    let scores = TensorBuffer.random([1, 10, 1, 1], seed: 4)
    let shares = lines(scores, outer: 1, extent: 10, inner: 1, softmax)
    #expect(
      try OperatorRunner(type, version: 11)(.channelsLast(scores)).difference(to: shares) < 1e-6)
    #expect(throws: GraphError.self) { try OperatorRunner(type, ["axis": .int(4)])(.runtime(x)) }
    #expect(throws: GraphError.self) { try OperatorRunner(type)(.runtime(TensorBuffer([], [1]))) }
  }

  @Test func `the logarithm of softmax does not overflow`() throws {
    let x = TensorBuffer([1, 3], [1000, 0, -1000])
    let y = try OperatorRunner(SoftmaxOperator<Elementwise.LogSoftmax>.self)(.runtime(x))
    #expect(y.contents == [0, -1000, -2000])
    let ordinary = TensorBuffer.random([4, 9], seed: 6)
    let wanted = lines(ordinary, outer: 4, extent: 9, inner: 1) { softmax($0).map { log($0) } }
    let got = try OperatorRunner(SoftmaxOperator<Elementwise.LogSoftmax>.self)(.runtime(ordinary))
    #expect(got.difference(to: wanted) < 2e-6)
  }

  @Test func `hardmax marks the first maximum`() throws {
    let x = TensorBuffer([2, 3], [1, 3, 3, 2, 1, 0])
    let type = SoftmaxOperator<Elementwise.Hardmax>.self
    #expect(try OperatorRunner(type)(.runtime(x)).contents == [0, 1, 0, 1, 0, 0])
    #expect(
      try OperatorRunner(type, ["axis": .int(0)])(.runtime(x)).contents == [0, 1, 1, 1, 0, 0])
    #expect(
      try OperatorRunner(type, version: 11, ["axis": .int(0)])(.runtime(x)).contents
        == [0, 1, 0, 0, 0, 0])
  }

  // MARK: Mean and variance

  private func normalized(_ line: [Double], epsilon: Double, centred: Bool = true) -> [Double] {
    let mean = centred ? line.reduce(0, +) / Double(line.count) : 0
    let variance = line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(line.count)
    return line.map { ($0 - mean) / sqrt(variance + epsilon) }
  }

  @Test func `layers`() throws {
    let x = TensorBuffer.random([2, 3, 8], seed: 12)
    let scale = TensorBuffer.random([8], seed: 13)
    let bias = TensorBuffer.random([8], seed: 14)
    let plain = lines(x, outer: 6, extent: 8, inner: 1) { self.normalized($0, epsilon: 1e-5) }
    let wanted = TensorBuffer.computed(x.shape) { index in
      plain.value(index) * scale.value([index[2]]) + bias.value([index[2]])
    }
    for isas in [Set<ISA>(), ISA.host] {
      var runner = OperatorRunner(LayerNormalization.self, outputs: 3)
      runner.isas = isas
      let y = try runner.outputs(.runtime(x), .constant(scale), .runtime(bias))
      #expect(y[0].difference(to: wanted) < 2e-6)
      #expect(y[1].shape == [2, 3, 1] && y[2].shape == [2, 3, 1])
      let row = x.contents[8..<16].map { Double($0) }
      let mean = row.reduce(0, +) / 8
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 8
      #expect(abs(Double(y[1].contents[1]) - mean) < 1e-6)
      #expect(abs(Double(y[2].contents[1]) - 1 / sqrt(variance + 1e-5)) < 1e-5)
    }
    let two = lines(x, outer: 2, extent: 24, inner: 1) { self.normalized($0, epsilon: 0.1) }
    let runner = OperatorRunner(
      LayerNormalization.self, ["axis": .int(1), "epsilon": .float(0.1)])
    let one = TensorBuffer([1], [2])
    let doubled = TensorBuffer(two.shape, two.contents.map { $0 * 2 })
    #expect(try runner(.runtime(x), .constant(one)).difference(to: doubled) < 4e-6)
    #expect(throws: GraphError.self) {
      try runner(.runtime(x), .constant(TensorBuffer.counting([7])))
    }
    #expect(throws: GraphError.self) { try runner(.runtime(x)) }
  }

  @Test func `root mean squares`() throws {
    let x = TensorBuffer.random([3, 8], seed: 15)
    let scale = TensorBuffer.random([8], seed: 16)
    let plain = lines(x, outer: 3, extent: 8, inner: 1) {
      self.normalized($0, epsilon: 1e-5, centred: false)
    }
    let wanted = TensorBuffer.computed(x.shape) { plain.value($0) * scale.value([$0[1]]) }
    for type in [RMSNormalization.self, SimplifiedLayerNormalization.self]
      as [any LoweredOperator.Type]
    {
      let y = try OperatorRunner(type, version: 23)(.runtime(x), .constant(scale))
      #expect(y.difference(to: wanted) < 2e-6)
    }
  }

  @Test func `a residual before the layer`() throws {
    let x = TensorBuffer.random([1, 2, 8], seed: 18)
    let skip = TensorBuffer.random([1, 2, 8], seed: 19)
    let scale = TensorBuffer.random([8], seed: 20)
    let shift = TensorBuffer.random([8], seed: 21)
    let bias = TensorBuffer.random([8], seed: 22)
    let sum = TensorBuffer.computed(x.shape) {
      x.value($0) + skip.value($0) + bias.value([$0[2]])
    }
    let plain = lines(sum, outer: 2, extent: 8, inner: 1) { self.normalized($0, epsilon: 1e-12) }
    let wanted = TensorBuffer.computed(x.shape) {
      plain.value($0) * scale.value([$0[2]]) + shift.value([$0[2]])
    }
    let y = try OperatorRunner(SkipLayerNormalization.self)(
      .runtime(x), .runtime(skip), .constant(scale), .constant(shift), .constant(bias))
    #expect(y.difference(to: wanted) < 2e-6)
  }

  @Test func `instances and groups`() throws {
    let x = TensorBuffer.random([2, 6, 3, 5], seed: 23)
    let scale = TensorBuffer.random([6], seed: 24)
    let bias = TensorBuffer.random([6], seed: 25)
    func wanted(_ lineCount: Int) -> TensorBuffer {
      let plain = lines(x, outer: lineCount, extent: 180 / lineCount, inner: 1) {
        self.normalized($0, epsilon: 1e-5)
      }
      return TensorBuffer.computed(x.shape) {
        plain.value($0) * scale.value([$0[1]]) + bias.value([$0[1]])
      }
    }
    for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
      let instance = try OperatorRunner(InstanceNormalization.self)(
        input, .constant(scale), .runtime(bias))
      #expect(instance.difference(to: wanted(12)) < 4e-6)
      let group = try OperatorRunner(GroupNormalization.self, version: 21, ["num_groups": .int(3)])(
        input, .constant(scale), .constant(bias))
      #expect(group.difference(to: wanted(6)) < 4e-6)
    }
    let two = TensorBuffer([2], [2, 3])
    let old = try OperatorRunner(GroupNormalization.self, version: 18, ["num_groups": .int(2)])(
      .runtime(x), .constant(two), .constant(two))
    let plain = lines(x, outer: 4, extent: 45, inner: 1) { self.normalized($0, epsilon: 1e-5) }
    let perGroup = TensorBuffer.computed(x.shape) { index in
      let parameter: Float = index[1] < 3 ? 2 : 3
      return plain.value(index) * parameter + parameter
    }
    #expect(old.difference(to: perGroup) < 6e-6)
    #expect(throws: GraphError.self) {
      try OperatorRunner(GroupNormalization.self, ["num_groups": .int(4)])(
        .runtime(x), .constant(scale), .constant(bias))
    }
    #expect(throws: ImportError.self) {
      try OperatorRunner(GroupNormalization.self)(.runtime(x), .constant(scale), .constant(bias))
    }
  }

  @Test func `statistics from training`() throws {
    let scale = TensorBuffer([2], [1.5, -2])
    let bias = TensorBuffer([2], [0.5, 1])
    let mean = TensorBuffer([2], [0.1, -0.3])
    let variance = TensorBuffer([2], [0.25, 4])
    for shape in [[3, 2], [2, 2, 5], [1, 2, 3, 4], [1, 2, 2, 2, 2], [1, 2, 1, 2, 1, 2]] as [Shape] {
      let x = TensorBuffer.random(shape, seed: 26)
      let wanted = TensorBuffer.computed(shape) { index in
        let c = [index[1]]
        return (x.value(index) - mean.value(c)) / sqrt(variance.value(c) + 1e-3) * scale.value(c)
          + bias.value(c)
      }
      let runner = OperatorRunner(BatchNormalization.self, version: 15, ["epsilon": .float(1e-3)])
      let constant = try runner(
        .runtime(x), .constant(scale), .constant(bias), .constant(mean), .constant(variance))
      #expect(constant.difference(to: wanted) < 2e-6)
      let computed = try runner(
        .runtime(x), .runtime(scale), .constant(bias), .runtime(mean), .constant(variance))
      #expect(computed.difference(to: wanted) < 2e-6)
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(BatchNormalization.self, version: 15, ["training_mode": .int(1)])(
        .runtime(scale), .constant(scale), .constant(bias), .constant(mean), .constant(variance))
    }
  }

  @Test func `means and variances over axes`() throws {
    let x = TensorBuffer.random([2, 3, 2, 2], seed: 27)
    let wanted = TensorBuffer.computed(x.shape) { index in
      let channel = TensorBuffer.indices(x.shape).filter { $0[1] == index[1] }
        .map { Double(x.value($0)) }
      let mean = channel.reduce(0, +) / 8
      let variance = channel.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 8
      return Float((Double(x.value(index)) - mean) / (sqrt(variance) + 1e-9))
    }
    for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
      #expect(
        try OperatorRunner(MeanVarianceNormalization.self)(input).difference(to: wanted) < 2e-6)
    }
  }

  @Test func `norms along an axis`() throws {
    let x = TensorBuffer([2, 2], [3, 4, 0, 0])
    #expect(try OperatorRunner(LpNormalization.self)(.runtime(x)).contents == [0.6, 0.8, 0, 0])
    let absolute = try OperatorRunner(LpNormalization.self, ["p": .int(1)])(.runtime(x))
    #expect(absolute.difference(to: TensorBuffer([2, 2], [3 / 7, 4 / 7, 0, 0])) < 1e-6)
    let columns = try OperatorRunner(LpNormalization.self, ["axis": .int(0)])(.runtime(x))
    #expect(columns.contents == [1, 1, 0, 0])
    #expect(throws: ImportError.self) {
      try OperatorRunner(LpNormalization.self, ["p": .int(3)])(.runtime(x))
    }
  }

  @Test func `neighbouring channels`() throws {
    let x = TensorBuffer.random([2, 7, 2, 3], seed: 28)
    for size in [1, 2, 3, 5, 9] {
      let wanted = TensorBuffer.computed(x.shape) { index in
        let first = max(0, index[1] - (size - 1) / 2)
        let last = min(6, index[1] + size - 1 - (size - 1) / 2)
        var sum: Float = 0
        for c in first...last {
          let value = x.value([index[0], c, index[2], index[3]])
          sum += value * value
        }
        return x.value(index) / pow(2 + 0.5 / Float(size) * sum, 0.6)
      }
      let runner = OperatorRunner(
        LRN.self,
        ["size": .int(size), "alpha": .float(0.5), "beta": .float(0.6), "bias": .float(2)])
      #expect(try runner(.runtime(x)).difference(to: wanted) < 1e-6)
    }
    #expect(throws: ImportError.self) { try OperatorRunner(LRN.self)(.runtime(x)) }
  }

  @Test func `dropout passes its input on`() throws {
    let x = TensorBuffer.random([2, 3], seed: 29)
    let y = try OperatorRunner(Dropout.self, version: 13, outputs: 2).outputs(
      .runtime(x), .constant(TensorBuffer([], [0.5])))
    #expect(y[0].contents == x.contents)
    #expect(y[1].type == .bool && y[1].integers() == [1, 1, 1, 1, 1, 1])
    let old = try OperatorRunner(Dropout.self, version: 7, outputs: 2, ["ratio": .float(0.1)])
      .outputs(.runtime(x))
    #expect(old[1].type == .float32)
    #expect(throws: GraphError.self) {
      try OperatorRunner(Dropout.self, version: 13)(
        .runtime(x), .absent, .runtime(TensorBuffer(.bool, [], [UInt8(1)])))
    }
  }

  @Test func `biased gelus`() throws {
    let x = TensorBuffer.random([3, 4], seed: 30)
    let bias = TensorBuffer.random([4], seed: 31)
    let exact = TensorBuffer.computed(x.shape) { index in
      let value = x.value(index) + bias.value([index[1]])
      return 0.5 * value * (1 + erff(value / Float(2).squareRoot()))
    }
    #expect(
      try OperatorRunner(BiasGelu.self, version: 1)(.runtime(x), .constant(bias))
        .difference(to: exact) < 1e-6)
    func approximate(_ value: Float) -> Float {
      0.5 * value * (1 + tanhf(0.7978845608 * (value + 0.044715 * value * value * value)))
    }
    let plain = TensorBuffer.computed(x.shape) { approximate(x.value($0)) }
    #expect(try OperatorRunner(FastGelu.self, version: 1)(.runtime(x)).difference(to: plain) < 1e-6)
    let biased = TensorBuffer.computed(x.shape) {
      approximate(x.value($0) + bias.value([$0[1]]))
    }
    #expect(
      try OperatorRunner(FastGelu.self, version: 1)(.runtime(x), .constant(bias))
        .difference(to: biased) < 1e-6)
  }
}
