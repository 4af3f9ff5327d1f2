import Kernels
import Tensors
import Testing

@testable import Instructions

/// Quantising and dequantising against plain Swift, bit by bit, on every ISA that this machine has.
@Suite struct QuantizeToUInt8Tests {
  private static let lengths = [0, 1, 15, 16, 17, 31, 63, 64, 65, 127, 1031, 4099]

  @Test func `says which instruction sets it covers`() {
    print("8-bit element-wise kernels covered:", quantizedISAs.map(\.description))
    #expect(QuantizedElementsKernel.all.last?.isa == .portable)
  }

  /// Numbers in and beyond the range of a scale, ties among them, and what is not finite.
  static func samples(_ count: Int, _ quantization: Quantization, seed: UInt64) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    let scale = quantization.scales[0]
    return (0..<count).map { index in
      switch index % 37 {
      case 3: .nan
      case 5: .infinity
      case 7: -.infinity
      case 11: 3e38
      case 13: -3e38
      case 17: -0.0
      case 19, 23, 29: (Float(Int.random(in: -200...300, using: &generator)) + 0.5) * scale
      default: Float.random(in: -160...300, using: &generator) * scale
      }
    }
  }

  static func quantized(_ x: Float, _ q: Quantization, _ channel: Int) -> UInt8 {
    if x.isNaN { return 0 }
    let steps = (x / q.scale(channel)).rounded(.toNearestOrEven) + Float(q.zeroPoint(channel))
    return UInt8(min(max(steps, 0), 255))
  }

  static func dequantized(_ y: UInt8, _ q: Quantization, _ channel: Int) -> Float {
    Float(Int32(y) - q.zeroPoint(channel)) * q.scale(channel)
  }

  /// A quantisation per tensor, or per position of `axis`.
  static func quantization(channels: Int?, axis: Int = 1, seed: UInt64 = 1) -> Quantization {
    var generator = SeededGenerator(seed: seed)
    guard let channels, channels > 0 else { return Quantization(scale: 0.0371, zeroPoint: 113) }
    return Quantization(
      scales: (0..<channels).map { _ in Float.random(in: 0.001...0.2, using: &generator) },
      zeroPoints: (0..<channels).map { _ in Int32.random(in: 0...255, using: &generator) },
      axis: axis)
  }

  @Test(arguments: [false, true])
  func `quantizes rows as plain Swift does`(_ isPerChannel: Bool) throws {
    for length in QuantizeToUInt8Tests.lengths {
      for (rows, gap) in [(1, 0), (3, 0), (5, 7)] {
        let q = QuantizeToUInt8Tests.quantization(channels: isPerChannel ? length : nil)
        let values = QuantizeToUInt8Tests.samples(rows * length, q, seed: 5)
        let wanted = values.enumerated().map {
          QuantizeToUInt8Tests.quantized($0.element, q, $0.offset % max(1, length))
        }
        for isa in quantizedISAs {
          for parts in [1, 2, 3] {
            let rig = Rig()
            let x = rig.tensor(.float32, [rows, length], rowStride: length + gap, values)
            let y = rig.tensor(
              .uint8, [rows, length], rowStride: length + 2 * gap, quantization: q,
              elements: nil as [UInt8]?)
            try rig.run(QuantizeToUInt8(x, to: y), isas: isa.included, parts: parts)
            #expect(rig.elements(y, as: UInt8.self) == wanted, "\(rows) x \(length) \(isa)")
            #expect(rig.isIntact(y), "\(rows) x \(length) \(isa)")
          }
        }
      }
    }
  }

  @Test(arguments: [false, true])
  func `dequantizes rows as plain Swift does`(_ isPerChannel: Bool) throws {
    var generator = SeededGenerator(seed: 6)
    for length in QuantizeToUInt8Tests.lengths {
      for (rows, gap) in [(1, 0), (3, 0), (5, 7)] {
        let q = QuantizeToUInt8Tests.quantization(channels: isPerChannel ? length : nil)
        let bytes = generator.bytes(rows * length)
        let wanted = bytes.enumerated().map {
          QuantizeToUInt8Tests.dequantized($0.element, q, $0.offset % max(1, length)).bitPattern
        }
        for isa in quantizedISAs {
          let rig = Rig()
          let x = rig.tensor(
            .uint8, [rows, length], rowStride: length + gap, quantization: q, elements: bytes)
          let y = rig.tensor(.float32, [rows, length], rowStride: length + 2 * gap)
          try rig.run(DequantizeFromUInt8(x, to: y), isas: isa.included, parts: rows)
          #expect(rig.values(y).map(\.bitPattern) == wanted, "\(rows) x \(length) \(isa)")
          #expect(rig.isIntact(y), "\(rows) x \(length) \(isa)")
        }
      }
    }
  }

  /// Shapes as declared, with channels that shuffle (1, 3, 4) and others.
  private static let pictures: [Shape] = [
    [1, 3, 8, 16], [2, 3, 5, 7], [1, 1, 9, 13], [1, 4, 16, 4], [2, 4, 3, 3], [1, 2, 33],
    [1, 16, 4, 4], [2, 17, 5, 5], [1, 84, 67], [1, 3, 2, 5, 31], [1, 5, 1, 1], [0, 3, 4, 4],
    [1, 0, 4, 4], [1, 3, 47, 61],
  ]

  /// For each element of [N, ..., C] the place of the same element in [N, C, ...].
  private func places(_ shape: Shape) -> [Int] {
    let (n, c) = (shape[0], shape[1])
    let pixels = shape.dimensions[2...].reduce(1, *)
    return (0..<shape.elementCount).map { index in
      let (image, rest) = (index / max(1, c * pixels), index % max(1, c * pixels))
      precondition(image < n)
      return (image * c + rest % c) * pixels + rest / c
    }
  }

  @Test(arguments: [false, true])
  func `quantizes planes into pixels`(_ isPerChannel: Bool) throws {
    for shape in QuantizeToUInt8Tests.pictures {
      for (realGap, byteGap) in [(0, 0), (0, 5), (3, 0)] {
        let channels = shape[1]
        let q = QuantizeToUInt8Tests.quantization(channels: isPerChannel ? channels : nil)
        let values = QuantizeToUInt8Tests.samples(shape.elementCount, q, seed: 9)
        let wanted = places(shape).enumerated().map {
          QuantizeToUInt8Tests.quantized(values[$0.element], q, $0.offset % channels)
        }
        for isa in quantizedISAs {
          let rig = Rig()
          let x = rig.tensor(
            .float32, shape, rowStride: (shape.dimensions.last ?? 1) + realGap, values)
          let y = rig.tensor(
            .uint8, Layout.channelsLast.physical(shape), rowStride: channels + byteGap,
            quantization: q, elements: nil as [UInt8]?)
          rig.setLayout(.channelsLast, of: y)
          try rig.run(QuantizeToUInt8(x, to: y), isas: isa.included, parts: 1 + byteGap / 2)
          #expect(rig.elements(y, as: UInt8.self) == wanted, "\(shape) \(isa)")
          #expect(rig.isIntact(y), "\(shape) \(isa)")
        }
      }
    }
  }

  @Test(arguments: [false, true])
  func `dequantizes pixels into planes`(_ isPerChannel: Bool) throws {
    var generator = SeededGenerator(seed: 10)
    for shape in QuantizeToUInt8Tests.pictures {
      for (realGap, byteGap) in [(0, 0), (0, 5), (3, 0)] {
        let channels = shape[1]
        let q = QuantizeToUInt8Tests.quantization(channels: isPerChannel ? channels : nil)
        let bytes = generator.bytes(shape.elementCount)
        var wanted = [UInt32](repeating: 0, count: bytes.count)
        for (index, place) in places(shape).enumerated() {
          let value = QuantizeToUInt8Tests.dequantized(bytes[index], q, index % channels)
          wanted[place] = value.bitPattern
        }
        for isa in quantizedISAs {
          let rig = Rig()
          let x = rig.tensor(
            .uint8, Layout.channelsLast.physical(shape), rowStride: channels + byteGap,
            quantization: q, elements: bytes)
          rig.setLayout(.channelsLast, of: x)
          let y = rig.tensor(
            .float32, shape, rowStride: (shape.dimensions.last ?? 1) + realGap)
          try rig.run(DequantizeFromUInt8(x, to: y), isas: isa.included, parts: 1 + byteGap / 2)
          #expect(rig.values(y).map(\.bitPattern) == wanted, "\(shape) \(isa)")
          #expect(rig.isIntact(y), "\(shape) \(isa)")
        }
      }
    }
  }

  @Test func `refuses what is not quantised, or lies otherwise`() throws {
    let q = Quantization(scale: 0.5, zeroPoint: 3)
    func message(_ make: (Rig) -> (Operand, Operand)) -> String {
      let rig = Rig()
      let (x, y) = make(rig)
      do throws(InstructionError) {
        try rig.run(QuantizeToUInt8(x, to: y))
        return ""
      } catch {
        return error.message
      }
    }
    func bytes(_ rig: Rig, _ shape: Shape, _ q: Quantization?) -> Operand {
      rig.tensor(.uint8, shape, quantization: q, elements: nil as [UInt8]?)
    }
    #expect(
      message { ($0.tensor(.float32, [4]), bytes($0, [4], nil)) }
        == "t1 (uint8) has no quantisation")
    #expect(
      message { ($0.tensor(.float32, [4]), bytes($0, [5], q)) }
        == "float32 4 (declared), uint8 5 (declared)")
    let three = QuantizeToUInt8Tests.quantization(channels: 3, axis: 0)
    #expect(
      message { ($0.tensor(.float32, [3, 4]), bytes($0, [3, 4], three)) }
        .hasPrefix("t1 (3x4) is quantised by 3 scales"))
    let pixels = message { rig in
      let y = bytes(rig, [1, 3, 4, 4], q)
      rig.setLayout(.channelsLast, of: y)
      return (rig.tensor(.float32, [1, 3, 4, 4]), y)
    }
    #expect(pixels == "float32 1x3x4x4 (declared), uint8 1x3x4x4 (channelsLast)")
  }
}
