import Instructions
import Kernels
import Tensors
import Testing

/// Resizing of quantised bytes; what it does with floats is tested with the operator.
@Suite struct InterpolateBytesTests {
  private static let quantization = Quantization(scale: 0.25, zeroPoint: 12)
  private static let channelCounts = [1, 3, 15, 16, 17, 63, 64, 65, 131]

  private static func twofold(_ filter: Interpolation.Filter) -> Interpolate {
    var resize = Interpolate()
    resize.axis = 1
    resize.filter = filter
    resize.parameters = [Float(2), 0, 1, 2, 0, 1].map { Int($0.bitPattern) }
    return resize
  }

  private static func run(
    _ resize: Interpolate, _ x: [UInt8], from source: Shape, to target: Shape,
    _ quantization: Quantization? = quantization, isa: ISA, parts: Int = 1
  ) throws -> [UInt8]? {
    let rig = Rig()
    var resize = resize
    resize.input = rig.tensor(.uint8, source, quantization: quantization, elements: x)
    resize.output = rig.tensor(
      .uint8, target, quantization: quantization, elements: nil as [UInt8]?)
    try rig.run(resize, isas: isa.included, parts: parts)
    return rig.isIntact(resize.output) ? rig.elements(resize.output, as: UInt8.self) : nil
  }

  /// The two positions that a coordinate lies between, and the weight of the second in quarters.
  private static func neighbours(_ index: Int, _ extent: Int) -> (Int, Int, Int) {
    let quarters = 2 * index - 1  // 4 · ((index + 1/2) / 2 − 1/2)
    let low = quarters < 0 ? -1 : quarters / 4
    let clamped = { min(max($0, 0), extent - 1) }
    return (clamped(low), clamped(low + 1), quarters - 4 * low)
  }

  @Test(arguments: quantizedISAs)
  func `doubles linearly, halves to even`(isa: ISA) throws {
    var g = SeededGenerator(seed: 3)
    for channels in Self.channelCounts {
      let (height, width) = (5, 7)
      let x = g.bytes(2 * height * width * channels)
      let y = try Self.run(
        Self.twofold(.linear), x, from: [2, height, width, channels],
        to: [2, 2 * height, 2 * width, channels], isa: isa, parts: channels % 3 + 1)
      var want: [UInt8] = []
      for image in 0..<2 {
        for j in 0..<2 * height {
          for k in 0..<2 * width {
            let (top, bottom, v) = Self.neighbours(j, height)
            let (left, right, u) = Self.neighbours(k, width)
            for c in 0..<channels {
              let at = { (row: Int, column: Int) in
                Int(x[((image * height + row) * width + column) * channels + c])
              }
              // In sixteenths, which float32 holds exactly.
              let sum =
                (4 - v) * ((4 - u) * at(top, left) + u * at(top, right))
                + v * ((4 - u) * at(bottom, left) + u * at(bottom, right))
              want.append(UInt8((Double(sum) / 16).rounded(.toNearestOrEven)))
            }
          }
        }
      }
      #expect(y == want, "\(channels) channels")
    }
  }

  @Test(arguments: quantizedISAs)
  func `doubles by the nearest`(isa: ISA) throws {
    var g = SeededGenerator(seed: 4)
    for channels in Self.channelCounts {
      let x = g.bytes(6 * channels)
      var resize = Self.twofold(.nearest)
      resize.coordinates = .asymmetric
      resize.rounding = .floor
      let y = try Self.run(
        resize, x, from: [1, 2, 3, channels], to: [1, 4, 6, channels], isa: isa, parts: 2)
      let want = (0..<24 * channels).map { i in
        let (pixel, c) = i.quotientAndRemainder(dividingBy: channels)
        return x[(pixel / 12 * 3 + pixel % 6 / 2) * channels + c]
      }
      #expect(y == want, "\(channels) channels")
    }
  }

  @Test(arguments: quantizedISAs)
  func `picks from and into rows with gaps`(isa: ISA) throws {
    var g = SeededGenerator(seed: 6)
    // Pixels of one run, of several runs, and elements along the rows themselves.
    let cases: [(from: Shape, to: Shape)] = [
      ([2, 2, 3, 5], [2, 4, 6, 5]), ([1, 2, 3, 64], [1, 4, 6, 64]),
      ([1, 2, 3, 2, 7], [1, 4, 6, 2, 7]), ([2, 2, 3], [2, 4, 6]),
    ]
    for (source, target) in cases {
      for gaps in [(0, 0), (3, 0), (0, 9), (11, 2)] {
        for type in [ElementType.uint8, .float32] {
          let rig = Rig()
          var resize = Self.twofold(.nearest)
          (resize.coordinates, resize.rounding) = (.asymmetric, .floor)
          let values = g.bytes(source.elementCount).map { Float($0) }
          let (x, y) = (source.dimensions.last ?? 1, target.dimensions.last ?? 1)
          if type == .uint8 {
            resize.input = rig.tensor(
              type, source, rowStride: x + gaps.0, elements: values.map { UInt8($0) })
          } else {
            resize.input = rig.tensor(type, source, rowStride: x + gaps.0, values)
          }
          resize.output = rig.tensor(type, target, rowStride: y + gaps.1)
          try rig.run(resize, isas: isa.included, parts: 2)
          #expect(rig.isIntact(resize.output), "\(source), \(gaps)")
          let inner = target.dimensions.dropFirst(3).reduce(1, *)
          let want = (0..<target.elementCount).map { i in
            let (pixel, c) = i.quotientAndRemainder(dividingBy: inner)
            let (image, rest) = pixel.quotientAndRemainder(dividingBy: 24)
            return values[((image * 2 + rest / 12) * 3 + rest % 6 / 2) * inner + c]
          }
          let have =
            type == .uint8
            ? rig.elements(resize.output, as: UInt8.self).map { Float($0) }
            : rig.values(resize.output)
          #expect(have == want, "\(source), \(gaps), \(type)")
        }
      }
    }
  }

  @Test(arguments: quantizedISAs)
  func `gives the portable bits with cubes and odd scales`(isa: ISA) throws {
    var g = SeededGenerator(seed: 5)
    for channels in Self.channelCounts {
      for filter in [Interpolation.Filter.linear, .cubic] {
        for antialias in [false, true] {
          let (height, width) = (9, 11)
          let target = [4, 23]
          var resize = Self.twofold(filter)
          resize.antialias = antialias
          resize.parameters = [
            Float(target[0]) / Float(height), 0, 1, Float(target[1]) / Float(width), 0, 1,
          ].map { Int($0.bitPattern) }
          // Saturated neighbours make cubes overshoot.
          let x = g.bytes(height * width * channels).map { $0 < 85 ? 0 : $0 > 170 ? 255 : $0 }
          let shapes: [Shape] = [
            [1, height, width, channels], Shape([1] + target + [channels]),
          ]
          let y = try Self.run(resize, x, from: shapes[0], to: shapes[1], isa: isa, parts: 2)
          let portable = try Self.run(
            resize, x, from: shapes[0], to: shapes[1], isa: .portable)
          #expect(y != nil && y == portable, "\(channels) channels, \(filter), \(antialias)")
          // The float32 instruction, rounded, differs at most where it meets a half.
          let rig = Rig()
          resize.input = rig.tensor(.float32, shapes[0], x.map { Float($0) })
          resize.output = rig.tensor(.float32, shapes[1])
          try rig.run(resize, isas: isa.included)
          for (byte, value) in zip(y ?? [], rig.values(resize.output)) {
            let distance = abs(Float(byte) - min(max(value, 0), 255))
            #expect(distance <= 0.5001, "\(byte) for \(value)")
            if distance > 0.5001 { return }
          }
        }
      }
    }
  }

  @Test func `extrapolates with what stands for the value`() throws {
    var resize = Self.twofold(.nearest)
    resize.coordinates = .cropAndResize
    resize.extrapolation = -1.5
    resize.parameters = [Float(1), 1, 2, 1, 0, 1].map { Int($0.bitPattern) }
    let y = try Self.run(
      resize, [1, 2, 3, 4], from: [1, 2, 2, 1], to: [1, 2, 2, 1], isa: .portable)
    #expect(y == [3, 4, 6, 6])
  }

  @Test func `cuts off bytes that have no quantisation`() throws {
    let y = try Self.run(
      Self.twofold(.linear), [0, 3], from: [1, 1, 2, 1], to: [1, 2, 4, 1], nil, isa: .portable)
    #expect(y == [0, 0, 2, 3, 0, 0, 2, 3])
  }

  @Test func `refuses to change what bytes stand for`() throws {
    func refusal(_ source: Quantization?, _ target: Quantization?, axis: Int = 1) -> String? {
      let rig = Rig()
      var resize = Self.twofold(.linear)
      resize.axis = axis
      let shape: Shape = [2, 2, 2, 2]
      resize.input = rig.tensor(.uint8, shape, quantization: source, elements: nil as [UInt8]?)
      resize.output = rig.tensor(.uint8, shape, quantization: target, elements: nil as [UInt8]?)
      do throws(InstructionError) {
        try rig.run(resize)
        return nil
      } catch {
        return error.message
      }
    }
    let one = Self.quantization
    let channels = Quantization(scales: [1, 2], zeroPoints: [0, 3], axis: 1)
    #expect(refusal(one, one) == nil)
    #expect(refusal(channels, channels) == nil)
    #expect(refusal(one, nil) == "x and y stand for different numbers")
    #expect(refusal(one, channels) == "x and y stand for different numbers")
    #expect(refusal(channels, channels, axis: 2)?.hasPrefix("cannot resize with") == true)
  }
}
