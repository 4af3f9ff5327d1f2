import Kernels
import Tensors
import Testing

@testable import Instructions

/// Bytes times gates, against the formula in plain Swift, bit by bit.
@Suite struct GateChannelsTests {
  private static let channelCounts = [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 131, 513, 1152]

  private struct Case {
    var rows: [Int]
    var channels: Int
    var isPerChannel = false
    var isStrided = false
    var gateScale: Float = 1
    var seed: UInt64
  }

  /// What an element must become; `gate8.h`.
  private static func expected(
    _ x: UInt8, _ from: (scale: Float, zero: Int32), _ to: (inverse: Float, zero: Int32),
    gate: Float, shift: Int
  ) -> UInt8 {
    let m = gate * (from.scale * to.inverse)
    let scaled = m.isNaN ? 0 : m * Float(1 << (15 - shift))
    let factor = Int32(min(max(scaled, -32767), 32767).rounded(.toNearestOrEven))
    let sum = (((Int32(x) - from.zero) << Int32(shift)) * factor + (1 << 14)) >> 15
    return UInt8(clamping: sum + to.zero)
  }

  /// Runs a case; says what is wrong.
  private static func check(_ c: Case, isa: ISA, parts: Int) throws -> String? {
    var g = SeededGenerator(seed: c.seed)
    let rig = Rig()
    let shape = Shape([2] + c.rows + [c.channels])
    let channels = c.isPerChannel ? c.channels : nil
    let source = QuantizeToUInt8Tests.quantization(
      channels: channels, axis: shape.rank - 1, seed: c.seed)
    let target = QuantizeToUInt8Tests.quantization(
      channels: channels, axis: shape.rank - 1, seed: c.seed + 1)
    let bytes = g.bytes(shape.elementCount)
    var gates = g.floats(2 * c.channels).map { $0 * c.gateScale }
    if c.channels > 3 { gates[2] = .nan }
    let gap = c.isStrided ? 9 : 0
    let x = rig.tensor(
      .uint8, shape, rowStride: c.channels + gap, quantization: source, elements: bytes)
    let gate = rig.tensor(.float32, [2, c.channels], gates)
    let y = rig.tensor(
      .uint8, shape, rowStride: c.channels + gap, quantization: target,
      elements: nil as [UInt8]?)
    try rig.run(GateChannels(x, by: gate, to: y), isas: isa.included, parts: parts)
    guard rig.isIntact(y) else { return "wrote elsewhere" }
    let result = rig.elements(y, as: UInt8.self)
    let half = shape.elementCount / 2
    for picture in 0..<2 {
      let own = gates[picture * c.channels..<(picture + 1) * c.channels].map { $0 }
      let multipliers = own.indices.map {
        abs(own[$0] * (source.scale($0) * (1 / target.scale($0))))
      }
      let largest = multipliers.reduce(0) { $1 > $0 ? $1 : $0 }
      let shift = (0..<7).first { largest < Float(1 << $0) } ?? 7
      for i in 0..<half {
        let channel = i % c.channels
        let want = expected(
          bytes[picture * half + i], (source.scale(channel), source.zeroPoint(channel)),
          (1 / target.scale(channel), target.zeroPoint(channel)), gate: own[channel],
          shift: shift)
        if result[picture * half + i] != want {
          return "element \(i) of picture \(picture): \(result[picture * half + i]), not \(want)"
        }
      }
    }
    return nil
  }

  @Test(arguments: quantizedISAs)
  func `multiplies every channel by its gate`(isa: ISA) throws {
    for channels in Self.channelCounts {
      for isPerChannel in [false, true] {
        for isStrided in [false, true] {
          for gateScale in [0.3, 1, 900] as [Float] {
            let rows = channels < 100 ? [3, 11] : [5]
            let c = Case(
              rows: rows, channels: channels, isPerChannel: isPerChannel, isStrided: isStrided,
              gateScale: gateScale, seed: UInt64(channels))
            let problem = try Self.check(c, isa: isa, parts: channels % 3 + 1)
            #expect(problem == nil, "\(c): \(problem ?? "")")
          }
        }
      }
    }
  }

  @Test func `nothing is done where there is nothing`() throws {
    let rig = Rig()
    let scale = Quantization(scale: 1, zeroPoint: 0)
    let x = rig.tensor(.uint8, [2, 0, 4], quantization: scale, elements: [] as [UInt8])
    let y = rig.tensor(.uint8, [2, 0, 4], quantization: scale, elements: [] as [UInt8])
    try rig.run(GateChannels(x, by: rig.tensor(.float32, [2, 4]), to: y))
    #expect(rig.isIntact(y))
  }

  @Test func `refuses gates that do not fit`() {
    func refusal(_ gates: Shape, _ shape: Shape = [1, 3, 4], scales: Bool = true) -> String? {
      let rig = Rig()
      let quantization = scales ? Quantization(scale: 1, zeroPoint: 0) : nil
      let x = rig.tensor(
        .uint8, [1, 3, 4], quantization: quantization, elements: nil as [UInt8]?)
      let y = rig.tensor(
        .uint8, shape, quantization: Quantization(scale: 1, zeroPoint: 0),
        elements: nil as [UInt8]?)
      do throws(InstructionError) {
        try rig.run(GateChannels(x, by: rig.tensor(.float32, gates), to: y))
        return nil
      } catch {
        return error.message
      }
    }
    #expect(refusal([1, 1, 4]) == nil)
    #expect(refusal([1, 3, 4]) == "gates are float32 1x3x4 for 1x3x4")
    #expect(refusal([4], [1, 4, 3]) == "1x3x4 cannot become 1x4x3")
    #expect(refusal([4], scales: false)?.contains("has no quantisation") == true)
  }

  @Test func `has kernels for these instruction sets`() {
    print("gate kernels: \(GateKernel.all)")
    #expect(GateKernel.all.last?.isa == .portable)
  }
}
