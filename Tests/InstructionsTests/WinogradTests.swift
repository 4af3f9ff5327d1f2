import Instructions
import Kernels
import Tensors
import Testing

/// Convolutions whose weights are known at load, so that they may run by Winograd's method.
@Suite struct WinogradTests {
  static let isas = coveredISAs.filter { $0 != .portable }

  static let activations: [Activation] = [
    .none, .relu, .clip(-0.5, 2), Activation(.swish, alpha: 1), Activation(.sigmoid),
    Activation(.leakyRelu, alpha: 0.1), Activation(.hardSwish, alpha: 1 / 6, beta: 0.5),
    Activation(.gelu), Activation(.tanh),
  ]

  /// Everything about a convolution but its window.
  struct Setup {
    var x = ElementType.float32
    var weights = ElementType.float32
    var y = ElementType.float32
    var gaps = [0, 0, 0]
    var hasBias = true
    var hasResidual = false
    var residualLast = false
    var activation = Activation.none
    var scale: Float = 1
  }

  /// A rig with a convolution of random contents.
  struct Bench {
    let rig = Rig()
    var convolution = Convolution()
    let x: [Float]
    let weights: [Float]
    let bias: [Float]
    let residual: [Float]
    let window: ConvolutionCase
    let setup: Setup

    init(_ c: ConvolutionCase, _ setup: Setup, _ g: inout SeededGenerator) {
      window = c
      self.setup = setup
      let xShape: Shape = [c.batch, c.height, c.width, c.channels]
      let yShape: Shape = [c.batch, c.outputHeight, c.outputWidth, c.columns]
      let shape: Shape = [c.columns, c.channels / c.groups, c.kernel[0], c.kernel[1]]
      x = g.floats(xShape.elementCount)
      weights = g.floats(shape.elementCount).map { $0 * setup.scale }
      bias = g.floats(c.columns)
      residual = g.floats(yShape.elementCount)
      convolution.x = rig.tensor(setup.x, xShape, rowStride: c.channels + setup.gaps[0], x)
      convolution.weights = rig.constant(
        WeightPacking.convolution(
          weights, shape: shape, groups: c.groups, dilations: c.dilations, as: setup.weights))
      rig.reveal(convolution.weights)
      if setup.hasBias { convolution.bias = rig.tensor(.float32, [c.columns], bias) }
      if setup.hasResidual {
        convolution.residual = rig.tensor(
          setup.y, yShape, rowStride: c.columns + setup.gaps[1], residual)
      }
      convolution.y = rig.tensor(setup.y, yShape, rowStride: c.columns + setup.gaps[2])
      convolution.kernel = c.kernel
      convolution.strides = c.strides
      convolution.pads = c.pads
      convolution.dilations = c.dilations
      convolution.groups = c.groups
      convolution.activation = setup.activation
      convolution.residualAfterActivation = setup.residualLast
    }

    /// The method that `prepare` chooses; nil: the direct one.
    func method(isas: Set<ISA>, parts: Int = 1) throws -> String? {
      var copy = convolution
      var preparation = rig.preparation(isas: isas, parts: parts)
      try copy.prepare(&preparation)
      return copy.method.hasPrefix("winograd") ? copy.method : nil
    }

    /// What is wrong with the results; nil: nothing.
    func complaint(isRounded: Bool) -> String? {
      let (sums, magnitudes) = window.reference(
        stored(stored(x, as: setup.x), as: setup.weights), stored(weights, as: setup.weights))
      let added = stored(residual, as: setup.y)
      var want = sums.indices.map { i in
        Float(sums[i] + (setup.hasBias ? Double(bias[i % window.columns]) : 0))
      }
      if setup.hasResidual && !setup.residualLast {
        for i in want.indices { want[i] += added[i] }
      }
      setup.activation.apply(to: &want)
      let activated = want
      if setup.hasResidual && setup.residualLast {
        for i in want.indices { want[i] += added[i] }
      }
      let y = rig.values(convolution.y)
      guard rig.isIntact(convolution.y) else { return "wrote outside y" }
      // Errors spread over a tile: the largest magnitude bounds them all.
      let largest = Float(magnitudes.max() ?? 0)
      for i in y.indices {
        var tolerance = largest * (isRounded ? 0x1p-7 : 0x1p-16) + 0x1p-20
        // Functions of results that become bfloat16 are rough (`fast.h`); a residual may leave
        // little of them.
        if setup.y == .bfloat16 { tolerance += abs(activated[i]) * 0x1p-10 + abs(want[i]) * 0x1p-8 }
        if !(abs(y[i] - want[i]) <= tolerance) {
          return "y[\(i)] = \(y[i]), expected \(want[i]) ± \(tolerance)"
        }
      }
      return nil
    }
  }

  static let types: [(ElementType, ElementType, ElementType)] = [
    (.float32, .float32, .float32), (.float32, .float32, .bfloat16),
    (.bfloat16, .bfloat16, .bfloat16), (.bfloat16, .bfloat16, .float32),
  ]

  /// A window for which the method mostly pays.
  ///
  /// - Parameter deep: many channels of a small picture.
  static func window(_ g: inout SeededGenerator, deep: Bool) -> ConvolutionCase {
    var c = ConvolutionCase()
    if deep {
      (c.height, c.width) = (Int.random(in: 13...14, using: &g), 14)
      (c.channels, c.columns) = (Int.random(in: 120...129, using: &g), 130)
      return c
    }
    c.batch = Int.random(in: 1...2, using: &g)
    c.channels = [16, 17, 24, 31, 32, 40, 48].randomElement(using: &g)!
    c.columns = [16, 17, 24, 31, 32, 40, 65].randomElement(using: &g)!
    c.pads = (0..<4).map { _ in [0, 1, 1, 2].randomElement(using: &g)! }
    c.height = Int.random(in: 20...27, using: &g)
    c.width = Int.random(in: 20...27, using: &g)
    return c
  }

  /// A window with stride 2 for which the method mostly pays; pads as exporters write them, too.
  static func stridedWindow(_ g: inout SeededGenerator) -> ConvolutionCase {
    var c = ConvolutionCase()
    c.batch = [1, 1, 1, 2].randomElement(using: &g)!
    c.strides = [2, 2]
    c.channels = [33, 40, 48, 51, 64].randomElement(using: &g)!
    c.columns = [33, 40, 48, 63, 65].randomElement(using: &g)!
    c.pads =
      [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0], [2, 0, 1, 2], [0, 1, 2, 1]]
      .randomElement(using: &g)!
    c.height = Int.random(in: 62...72, using: &g)
    c.width = Int.random(in: 62...72, using: &g)
    return c
  }

  @Test(arguments: isas)
  func `matches a plain loop on random shapes`(isa: ISA) throws {
    var uses: [String: Int] = [:]
    for seed in UInt64(0)..<120 {
      var g = SeededGenerator(seed: seed)
      let c = seed % 5 == 3 ? Self.stridedWindow(&g) : Self.window(&g, deep: seed % 7 == 5)
      var setup = Setup()
      (setup.x, setup.weights, setup.y) = Self.types[Int(seed) % Self.types.count]
      setup.gaps = (0..<3).map { _ in
        Bool.random(using: &g) ? Int.random(in: 1...20, using: &g) : 0
      }
      setup.hasBias = Bool.random(using: &g)
      setup.hasResidual = Bool.random(using: &g)
      setup.residualLast = Bool.random(using: &g)
      setup.activation = Self.activations[Int(seed) % Self.activations.count]
      // So that activations see values of every kind.
      setup.scale = 0.1
      let bench = Bench(c, setup, &g)
      let method = try bench.method(isas: isa.included)
      uses[method ?? "direct", default: 0] += 1
      try bench.rig.run(bench.convolution, isas: isa.included, parts: Int(seed / 9) % 3 + 1)
      let complaint = bench.complaint(isRounded: method?.hasSuffix("bf16") ?? false)
      #expect(
        complaint == nil, "seed \(seed), \(method ?? ""), \(setup), \(c): \(complaint ?? "")")
      if complaint != nil { return }
    }
    let methods =
      ["winograd 4x4", "winograd 2x2", "winograd 4x4 stride 2"]
      + (isa == .avx512bf16 ? ["winograd 2x2 bf16"] : [])
    for method in methods { #expect(uses[method] != nil, "no case used \(method): \(uses)") }
  }

  @Test(arguments: isas)
  func `any number of threads gives the same bits`(isa: ISA) throws {
    // Tiles of 4 × 4 that parts divide by tiles, and tiles of 2 × 2 that they divide by panels;
    // with stride 2 by tiles and by panels.
    for (batch, height, width, channels, columns, stride) in [
      (2, 23, 30, 24, 70, 1), (1, 14, 14, 260, 260, 1), (2, 63, 72, 50, 70, 2),
      (1, 40, 40, 130, 250, 2),
    ] {
      var bits: [Float] = []
      for parts in [1, 2, 3, 5, 16] {
        var g = SeededGenerator(seed: 3)
        var c = ConvolutionCase()
        (c.batch, c.height, c.width) = (batch, height, width)
        (c.channels, c.columns, c.strides) = (channels, columns, [stride, stride])
        var setup = Setup()
        setup.activation = Activation(.swish, alpha: 1)
        let bench = Bench(c, setup, &g)
        #expect(try bench.method(isas: isa.included, parts: parts) != nil)
        try bench.rig.run(bench.convolution, isas: isa.included, parts: parts)
        let y = bench.rig.values(bench.convolution.y)
        if bits.isEmpty { bits = y }
        #expect(y == bits, "\(c), \(parts) parts")
      }
    }
  }

  @Test func `says which method it uses, and is direct where bits or contents demand it`() throws {
    guard ISA.avx2.isAvailable else { return }
    var g = SeededGenerator(seed: 5)
    var c = ConvolutionCase()
    (c.height, c.width, c.channels, c.columns) = (40, 40, 32, 32)
    let bench = Bench(c, Setup(), &g)
    #expect(try bench.method(isas: ISA.host) == "winograd 4x4")
    var deep = c
    (deep.height, deep.width, deep.channels, deep.columns) = (14, 14, 256, 256)
    #expect(try Bench(deep, Setup(), &g).method(isas: ISA.host) == "winograd 2x2")
    (deep.height, deep.width, deep.channels, deep.columns) = (5, 5, 256, 256)
    #expect(try Bench(deep, Setup(), &g).method(isas: ISA.host) == nil)
    var strided = c
    (strided.height, strided.width, strided.strides) = (80, 80, [2, 2])
    #expect(try Bench(strided, Setup(), &g).method(isas: ISA.host) == "winograd 4x4 stride 2")
    deep.strides = [2, 2]
    (deep.height, deep.width) = (10, 10)
    #expect(try Bench(deep, Setup(), &g).method(isas: ISA.host) == nil)
    #expect(try bench.method(isas: [.portable]) == nil)
    // An exact program: some tensor is quantised.
    _ = bench.rig.tensor(
      .uint8, [1], quantization: Quantization(scale: 1, zeroPoint: 0), elements: [UInt8(0)])
    #expect(try bench.method(isas: ISA.host) == nil)
    // Weights that are computed at run time.
    let unknown = Bench(c, Setup(), &g)
    unknown.rig.reveal(.none)
    #expect(try unknown.method(isas: ISA.host) == nil)
    for change in [
      { (c: inout ConvolutionCase) in c.strides = [2, 1] }, { $0.strides = [3, 3] },
      { $0.dilations = [1, 2] },
      { $0.groups = 2 }, { $0.kernel = [3, 5] }, { $0.channels = 3 },
    ] {
      var other = c
      change(&other)
      #expect(try Bench(other, Setup(), &g).method(isas: ISA.host) == nil, "\(other)")
    }
  }

  @Test func `instructions with the same weights share what is made of them`() throws {
    guard ISA.avx2.isAvailable else { return }
    var g = SeededGenerator(seed: 6)
    var c = ConvolutionCase()
    (c.height, c.width, c.channels, c.columns) = (24, 24, 20, 40)
    let bench = Bench(c, Setup(), &g)
    var (one, two) = (bench.convolution, bench.convolution)
    var preparation = bench.rig.preparation(isas: ISA.host, parts: 1)
    try one.prepare(&preparation)
    let byteCount = preparation.derivedByteCount
    #expect(byteCount == 36 * 3 * 20 * 16 * 4)
    try two.prepare(&preparation)
    #expect(preparation.derivedByteCount == byteCount)
    // With stride 2 positions share factors.
    (c.height, c.width, c.channels, c.columns, c.strides) = (80, 80, 35, 40, [2, 2])
    let strided = Bench(c, Setup(), &g)
    var other = strided.convolution
    var otherPreparation = strided.rig.preparation(isas: ISA.host, parts: 1)
    try other.prepare(&otherPreparation)
    #expect(otherPreparation.derivedByteCount == 36 * 3 * 35 * 16 * 4)
  }
}
