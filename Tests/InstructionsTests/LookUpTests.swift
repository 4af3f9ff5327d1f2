import Instructions
import Kernels
import Tensors
import Testing

@Suite struct LookUpTests {
  private static let lengths = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 251, 4099]

  /// Runs one case; says what is wrong.
  private static func check<T: BitwiseCopyable & Equatable>(
    _ shape: Shape, perPosition: Bool, strided: Bool, type: ElementType, isa: ISA, parts: Int,
    seed: UInt64, _ entry: (inout SeededGenerator) -> T
  ) throws -> String? {
    var g = SeededGenerator(seed: seed)
    let rig = Rig()
    let channels = shape.dimensions.last ?? 1
    let x = g.bytes(shape.elementCount)
    let tables = perPosition ? channels : 1
    let table = (0..<tables * 256).map { _ in entry(&g) }
    let input = rig.tensor(
      .uint8, shape, rowStride: strided ? channels + 7 : nil, elements: x)
    let entries = rig.tensor(type, perPosition ? [channels, 256] : [256], elements: table)
    let output = rig.tensor(
      type, shape, rowStride: strided ? channels + 3 : nil, elements: nil as [T]?)
    try rig.run(LookUp(input, in: entries, to: output), isas: isa.included, parts: parts)
    guard rig.isIntact(output) else { return "wrote outside y" }
    let y = rig.elements(output, as: T.self)
    for i in x.indices {
      let want = table[(perPosition ? i % channels * 256 : 0) + Int(x[i])]
      if y[i] != want { return "y[\(i)] = \(y[i]), expected \(want) for \(x[i])" }
    }
    return nil
  }

  @Test(arguments: quantizedISAs)
  func `gives the table's entries for all lengths`(isa: ISA) throws {
    for length in Self.lengths {
      for strided in [false, true] {
        for perPosition in [false, true] where length < 300 || !perPosition {
          for parts in [1, 3] {
            let rows = length < 300 ? 5 : 2
            let what = "\(rows)x\(length), strided \(strided), per position \(perPosition)"
            let bytes = try Self.check(
              [rows, length], perPosition: perPosition, strided: strided, type: .uint8, isa: isa,
              parts: parts, seed: UInt64(length)
            ) { UInt8.random(in: 0...255, using: &$0) }
            #expect(bytes == nil, "\(what): \(bytes ?? "")")
            let floats = try Self.check(
              [rows, length], perPosition: perPosition, strided: strided, type: .float32, isa: isa,
              parts: parts, seed: UInt64(length)
            ) { Float.random(in: -1...1, using: &$0) }
            #expect(floats == nil, "\(what): \(floats ?? "")")
          }
        }
      }
    }
  }

  @Test(arguments: quantizedISAs)
  func `finds every entry`(isa: ISA) throws {
    let rig = Rig()
    let x = (0..<1024).map { UInt8(truncatingIfNeeded: $0 &* 77) }
    let table = (0..<256).map { Int8(truncatingIfNeeded: $0 &* 31 &+ 5) }
    let input = rig.tensor(.int8, [1024], elements: x)
    let entries = rig.tensor(.int8, [256], elements: table)
    let output = rig.tensor(.int8, [1024], elements: nil as [Int8]?)
    try rig.run(LookUp(input, in: entries, to: output), isas: isa.included)
    #expect(rig.elements(output, as: Int8.self) == x.map { table[Int($0)] })
  }

  @Test func `has kernels for these instruction sets`() {
    print("look_up kernels: \(LookUpKernel.all), run on \(quantizedISAs)")
    #expect(LookUpKernel.all.last?.isa == .portable)
  }

  @Test func `refuses tables that do not fit`() {
    func refusal(
      _ x: ElementType, _ table: ElementType, _ tableShape: Shape, _ y: ElementType,
      _ yShape: Shape = [4, 8]
    ) -> String? {
      let rig = Rig()
      let input = rig.tensor(x, [4, 8])
      let entries = rig.tensor(table, tableShape)
      let output = rig.tensor(y, yShape)
      do throws(InstructionError) {
        try rig.run(LookUp(input, in: entries, to: output))
        return nil
      } catch {
        return error.message
      }
    }
    #expect(refusal(.uint8, .uint8, [256], .uint8) == nil)
    #expect(refusal(.uint8, .uint8, [8, 256], .uint8) == nil)
    #expect(refusal(.uint8, .uint8, [255], .uint8) == "a table of 255 for rows of 8")
    #expect(refusal(.uint8, .uint8, [4, 256], .uint8) == "a table of 4x256 for rows of 8")
    #expect(
      refusal(.float32, .uint8, [256], .uint8) == "float32 looked up among uint8 for uint8")
    #expect(refusal(.uint8, .int8, [256], .uint8) == "uint8 looked up among int8 for uint8")
    #expect(
      refusal(.uint8, .bfloat16, [256], .bfloat16) == "uint8 looked up among bfloat16 for bfloat16")
    #expect(refusal(.uint8, .uint8, [256], .uint8, [4, 9]) == "4x8 cannot become 4x9")
  }
}
