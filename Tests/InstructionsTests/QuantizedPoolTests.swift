import Instructions
import Kernels
import Tensors
import Testing

/// Pools of bytes: the average of quantised elements, and the maximum.
@Suite struct QuantizedPoolTests {
  /// A window over [N, H, W, C].
  struct Geometry: CustomStringConvertible {
    var batch = 1
    var extents = [5, 7]
    var channels = 3
    var kernel = [3, 3]
    var strides = [1, 1]
    var dilations = [1, 1]
    var padsBegin = [0, 0]
    var padsEnd = [0, 0]
    var countsPadding = false

    var output: [Int] {
      (0..<2).map { axis in
        let span =
          extents[axis] + padsBegin[axis] + padsEnd[axis] - (kernel[axis] - 1) * dilations[axis] - 1
        return span < 0 ? 0 : span / strides[axis] + 1
      }
    }

    var inputShape: Shape { Shape([batch] + extents + [channels]) }
    var outputShape: Shape { Shape([batch] + output + [channels]) }

    var description: String {
      "\(inputShape) kernel \(kernel) strides \(strides) dilations \(dilations) "
        + "pads \(padsBegin) \(padsEnd), counts padding \(countsPadding)"
    }

    static func random(_ g: inout SeededGenerator) -> Geometry {
      var c = Geometry()
      func two(_ range: ClosedRange<Int>) -> [Int] {
        [Int.random(in: range, using: &g), Int.random(in: range, using: &g)]
      }
      c.batch = Int.random(in: 1...2, using: &g)
      c.extents = two(1...11)
      c.kernel = two(1...5)
      c.strides = two(1...3)
      c.dilations = Int.random(in: 0...3, using: &g) == 0 ? two(1...3) : [1, 1]
      // Up to windows that see nothing but padding.
      c.padsBegin = two(0...6)
      c.padsEnd = two(0...6)
      c.channels =
        [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 131].randomElement(using: &g)!
      c.countsPadding = Bool.random(using: &g)
      return c
    }

    /// The input positions of a window, and N.
    func window(_ oy: Int, _ ox: Int) -> (inside: [Int], padded: Int) {
      var inside: [Int] = []
      var padded = 0
      for ky in 0..<kernel[0] {
        for kx in 0..<kernel[1] {
          let iy = oy * strides[0] + ky * dilations[0] - padsBegin[0]
          let ix = ox * strides[1] + kx * dilations[1] - padsBegin[1]
          if iy < extents[0] + padsEnd[0] && ix < extents[1] + padsEnd[1] { padded += 1 }
          if (0..<extents[0]).contains(iy) && (0..<extents[1]).contains(ix) {
            inside.append(iy * extents[1] + ix)
          }
        }
      }
      return (inside, padded)
    }
  }

  private static func quantization(
    _ channels: Int, _ g: inout SeededGenerator
  ) -> Quantization {
    let count = Bool.random(using: &g) ? 1 : channels
    return Quantization(
      scales: (0..<count).map { _ in Float.random(in: 0.01...0.1, using: &g) },
      zeroPoints: (0..<count).map { _ in Int32.random(in: 0...255, using: &g) }, axis: 1)
  }

  /// Calls `body` with every output element's index, image, line, pixel and channel.
  private static func each(_ c: Geometry, _ body: (Int, Int, Int, Int, Int) -> Void) {
    var index = 0
    for image in 0..<c.batch {
      for oy in 0..<c.output[0] {
        for ox in 0..<c.output[1] {
          for channel in 0..<c.channels {
            body(index, image, oy, ox, channel)
            index += 1
          }
        }
      }
    }
  }

  static func checkAverage(
    _ c: Geometry, _ g: inout SeededGenerator, isa: ISA, parts: Int
  ) throws -> String? {
    let rig = Rig()
    let x = g.bytes(c.inputShape.elementCount)
    let (source, target) = (quantization(c.channels, &g), quantization(c.channels, &g))
    let isReal = Bool.random(using: &g)
    let input = rig.tensor(
      .uint8, c.inputShape, rowStride: c.channels + Int.random(in: 0...1, using: &g) * 9,
      quantization: source, elements: x)
    let stride = c.channels + Int.random(in: 0...1, using: &g) * 6
    let output =
      isReal
      ? rig.tensor(.float32, c.outputShape, rowStride: stride)
      : rig.tensor(
        .uint8, c.outputShape, rowStride: stride, quantization: target, elements: nil as [UInt8]?)
    let pool = QuantizedAveragePool(
      input, to: output, kernel: c.kernel, strides: c.strides, dilations: c.dilations,
      padsBegin: c.padsBegin, padsEnd: c.padsEnd, countsPadding: c.countsPadding)
    try rig.run(pool, isas: isa.included, parts: parts)
    guard rig.isIntact(output) else { return "wrote outside y" }
    let floats = isReal ? rig.elements(output, as: Float.self) : []
    let bytes = isReal ? [] : rig.elements(output, as: UInt8.self)
    var wrong: String?
    each(c) { index, image, oy, ox, channel in
      let (inside, padded) = c.window(oy, ox)
      var sum = 0
      for place in inside {
        let at = (image * c.extents[0] * c.extents[1] + place) * c.channels + channel
        sum += Int(x[at]) - Int(source.zeroPoint(channel))
      }
      let count = c.countsPadding ? max(1, padded) : max(1, inside.count)
      let scale = Double(source.scale(channel))
      let factor = Float(isReal ? scale : scale / Double(target.scale(channel)))
      let value = Float(sum) * factor / Float(count)
      if isReal {
        if floats[index].bitPattern != value.bitPattern && !(value == 0 && floats[index] == 0) {
          wrong = "y[\(index)] = \(floats[index]), expected \(value)"
        }
      } else {
        let want = UInt8(
          clamping: Int(value.rounded(.toNearestOrEven)) + Int(target.zeroPoint(channel)))
        if bytes[index] != want { wrong = "y[\(index)] = \(bytes[index]), expected \(want)" }
      }
    }
    return wrong
  }

  @Test(arguments: quantizedISAs)
  func `averages exactly on random geometries`(isa: ISA) throws {
    for seed in UInt64(0)..<300 {
      var g = SeededGenerator(seed: seed)
      let c = Geometry.random(&g)
      let wrong = try Self.checkAverage(c, &g, isa: isa, parts: Int(seed % 3) + 1)
      #expect(wrong == nil, "seed \(seed), \(c): \(wrong ?? "")")
      if wrong != nil { return }
    }
  }

  @Test(arguments: quantizedISAs)
  func `averages whole maps exactly, beyond what 16 bits hold`(isa: ISA) throws {
    var g = SeededGenerator(seed: 9)
    for extents in [[1, 1], [7, 7], [16, 16], [16, 17], [31, 33], [56, 56]] {
      for channels in [1, 17, 64, 129] {
        var c = Geometry()
        (c.extents, c.kernel, c.channels) = (extents, extents, channels)
        let wrong = try Self.checkAverage(c, &g, isa: isa, parts: 2)
        #expect(wrong == nil, "\(c): \(wrong ?? "")")
      }
    }
  }

  @Test(arguments: quantizedISAs)
  func `finds the largest byte on random geometries`(isa: ISA) throws {
    for seed in UInt64(0)..<300 {
      var g = SeededGenerator(seed: seed)
      let c = Geometry.random(&g)
      let rig = Rig()
      let x = g.bytes(c.inputShape.elementCount)
      let input = rig.tensor(
        .uint8, c.inputShape, rowStride: c.channels + Int.random(in: 0...1, using: &g) * 9,
        quantization: Quantization(scale: 0.1, zeroPoint: 7), elements: x)
      let output = rig.tensor(
        .uint8, c.outputShape, rowStride: c.channels + Int.random(in: 0...1, using: &g) * 6,
        quantization: Quantization(scale: 0.1, zeroPoint: 7), elements: nil as [UInt8]?)
      let pool = Pool(
        .maximum, input, to: output, kernel: c.kernel, strides: c.strides, dilations: c.dilations,
        padsBegin: c.padsBegin, padsEnd: c.padsEnd)
      try rig.run(pool, isas: isa.included, parts: Int(seed % 3) + 1)
      let y = rig.elements(output, as: UInt8.self)
      var isRight = rig.isIntact(output)
      Self.each(c) { index, image, oy, ox, channel in
        let places = c.window(oy, ox).inside
        let want = places.map {
          x[(image * c.extents[0] * c.extents[1] + $0) * c.channels + channel]
        }.max()
        if y[index] != want ?? 0 { isRight = false }
      }
      #expect(isRight, "seed \(seed), \(c)")
      if !isRight { return }
    }
  }

  @Test(arguments: quantizedISAs)
  func `pools over one axis`(isa: ISA) throws {
    let rig = Rig()
    let quantization = Quantization(scale: 0.5, zeroPoint: 10)
    let input = rig.tensor(
      .uint8, [1, 4, 2], quantization: quantization,
      elements: [10, 20, 13, 22, 255, 0, 11, 200] as [UInt8])
    let average = rig.tensor(
      .uint8, [1, 2, 2], quantization: quantization, elements: nil as [UInt8]?)
    let largest = rig.tensor(
      .uint8, [1, 2, 2], quantization: quantization, elements: nil as [UInt8]?)
    try rig.run(
      QuantizedAveragePool(
        input, to: average, kernel: [2], strides: [2], dilations: [1], padsBegin: [0],
        padsEnd: [0]), isas: isa.included)
    try rig.run(
      Pool(
        .maximum, input, to: largest, kernel: [2], strides: [2], dilations: [1], padsBegin: [0],
        padsEnd: [0]), isas: isa.included)
    // 11.5 and 10 + 11: halves to even of what lies above the zero point.
    #expect(rig.elements(average, as: UInt8.self) == [12, 21, 133, 100])
    #expect(rig.elements(largest, as: UInt8.self) == [13, 22, 255, 200])
  }

  @Test func `has kernels for these instruction sets`() {
    print("pool kernels: \(PoolKernel.all), run on \(quantizedISAs)")
    #expect(PoolKernel.all.last?.isa == .portable)
  }

  @Test func `refuses what it cannot average`() {
    func refusal(
      _ x: Shape, _ y: Shape, type: ElementType = .uint8, quantization: Quantization?,
      kernel: [Int] = [2, 2]
    ) -> String? {
      let rig = Rig()
      let input = rig.tensor(
        .uint8, x, quantization: quantization, elements: nil as [UInt8]?)
      let output = rig.tensor(
        type, y, quantization: Quantization(scale: 1, zeroPoint: 0), elements: nil as [UInt8]?)
      do throws(InstructionError) {
        try rig.run(
          QuantizedAveragePool(
            input, to: output, kernel: kernel, strides: [1, 1], dilations: [1, 1],
            padsBegin: [0, 0], padsEnd: [0, 0]))
        return nil
      } catch {
        return error.message
      }
    }
    let one = Quantization(scale: 1, zeroPoint: 0)
    #expect(refusal([1, 4, 4, 3], [1, 3, 3, 3], quantization: one) == nil)
    #expect(
      refusal([1, 4, 4, 3], [1, 3, 3, 3], quantization: nil) == "x lacks its quantisation")
    let two = Quantization(scales: [1, 2], zeroPoints: [0, 0], axis: 1)
    #expect(refusal([1, 4, 4, 3], [1, 3, 3, 3], quantization: two) == "x lacks its quantisation")
    #expect(
      refusal([1, 4, 4, 3], [1, 3, 3, 4], quantization: one)
        == "1x4x4x3 cannot become 1x3x3x4")
    #expect(
      refusal([1, 4, 4, 3], [1, 3, 3, 3], type: .int32, quantization: one)
        == "an average from uint8 to int32")
    #expect(
      refusal([1, 4, 4, 3], [1, 3, 3, 3], quantization: one, kernel: [2]) != nil)
  }
}
