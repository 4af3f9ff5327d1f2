import Instructions
import Kernels
import Tensors
import Testing

/// Instructions that only move elements take bytes with a quantisation as they are.
@Suite struct QuantizedMovementTests {
  private let quantization = Quantization(
    scales: [0.5, 0.25, 1], zeroPoints: [3, 128, 255], axis: 1)

  private func bytes(_ rig: Rig, _ shape: Shape, _ elements: [UInt8]? = nil) -> Operand {
    rig.tensor(.uint8, shape, quantization: quantization, elements: elements)
  }

  @Test(arguments: quantizedISAs)
  func `transposes`(isa: ISA) throws {
    var g = SeededGenerator(seed: 11)
    for (rows, columns) in [(1, 1), (3, 17), (16, 16), (33, 65), (129, 7)] {
      let rig = Rig()
      let x = g.bytes(rows * columns)
      let input = bytes(rig, [rows, columns], x)
      let output = bytes(rig, [columns, rows])
      try rig.run(
        Copy(
          input, to: output, extents: [columns, rows], sourceStrides: [1, columns],
          targetStrides: [rows, 1]), isas: isa.included, parts: 2)
      let want = (0..<rows * columns).map { x[$0 % rows * columns + $0 / rows] }
      #expect(rig.elements(output, as: UInt8.self) == want)
      #expect(rig.isIntact(output))
    }
  }

  @Test(arguments: quantizedISAs)
  func `pads with the byte that it is given`(isa: ISA) throws {
    let rig = Rig()
    let input = bytes(rig, [1, 2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    let value = rig.tensor(.uint8, [1], elements: [77] as [UInt8])
    let output = bytes(rig, [1, 3, 3, 3])
    try rig.run(
      PadAxes(input, value: value, to: output, before: [0, 1, 0, 0], mode: .constant),
      isas: isa.included)
    let blank: [UInt8] = [77, 77, 77]
    let want: [UInt8] =
      blank + blank + blank + [1, 2, 3, 4, 5, 6] + blank + [7, 8, 9, 10, 11, 12] + blank
    #expect(rig.elements(output, as: UInt8.self) == want)
    #expect(rig.isIntact(output))
  }

  @Test(arguments: quantizedISAs)
  func `concatenates rows and gathers slices`(isa: ISA) throws {
    let rig = Rig()
    let input = bytes(rig, [2, 3], [1, 2, 3, 4, 5, 6])
    let wide = rig.tensor(
      .uint8, [2, 5], rowStride: 9, quantization: quantization,
      elements: [UInt8](repeating: 9, count: 10))
    try rig.run(CopyRows(input, to: wide, at: 1, count: 3), isas: isa.included)
    #expect(rig.elements(wide, as: UInt8.self) == [9, 1, 2, 3, 9, 9, 4, 5, 6, 9])
    #expect(rig.isIntact(wide))
    let indices = rig.tensor(.int64, [3], elements: [1, 0, -1] as [Int64])
    let gathered = bytes(rig, [3, 3])
    try rig.run(
      GatherSlices(input, at: indices, axis: 0, to: gathered), isas: isa.included)
    #expect(rig.elements(gathered, as: UInt8.self) == [4, 5, 6, 1, 2, 3, 4, 5, 6])
  }
}
