import Glibc
import Kernels
import Tensors
import Testing

@testable import Instructions

/// Expectations of distributions, against double precision; their bits are compared among the ISAs
/// by `ExactnessTests`.
@Suite struct ExpectationTests {
  @Test(arguments: quantizedISAs)
  func `gives the expectations of all groups`(isa: ISA) throws {
    for rows in [0, 1, 3, 4, 5, 15, 16, 17, 40] {
      for (groups, bins) in [(4, 16), (1, 1), (2, 7), (3, 17), (1, 64)] {
        var g = SeededGenerator(seed: UInt64(rows + bins))
        let rig = Rig()
        let width = groups * bins
        let values = g.floats(2 * rows * width).map { $0 * 8 }
        let weights = g.floats(bins)
        let x = rig.tensor(.float32, [2, rows, width], rowStride: width + 5, values)
        let y = rig.tensor(.float32, [2, groups, rows])
        let w = rig.tensor(.float32, [bins], weights)
        try rig.run(
          Expectation(x, weights: w, to: y), isas: isa.included, parts: rows % 3 + 1)
        #expect(rig.isIntact(y))
        let result = rig.values(y)
        for place in result.indices {
          let (picture, rest) = place.quotientAndRemainder(dividingBy: groups * rows)
          let (group, row) = rest.quotientAndRemainder(dividingBy: rows)
          let start = (picture * rows + row) * width + group * bins
          let line = values[start..<start + bins].map { Double($0) }
          let highest = line.max() ?? 0
          let shares = line.map { exp($0 - highest) }
          let sum = shares.reduce(0, +)
          let want = zip(shares, weights).reduce(0) { $0 + $1.0 * Double($1.1) } / sum
          #expect(abs(Double(result[place]) - want) < 4e-6, "\(rows) rows, \(groups) of \(bins)")
        }
      }
    }
  }

  @Test func `refuses what does not fit`() {
    func refusal(_ x: Shape, _ weights: Shape, _ y: Shape) -> String? {
      let rig = Rig()
      let instruction = Expectation(
        rig.tensor(.float32, x), weights: rig.tensor(.float32, weights),
        to: rig.tensor(.float32, y))
      do throws(InstructionError) {
        try rig.run(instruction)
        return nil
      } catch {
        return error.message
      }
    }
    #expect(refusal([1, 5, 8], [4], [1, 2, 5]) == nil)
    #expect(refusal([1, 5, 8], [3], [1, 2, 5]) == "1x5x8 in groups of 3")
    #expect(refusal([1, 5, 8], [4], [1, 2, 4]) == "1x5x8 in groups of 4 cannot become 1x2x4")
    #expect(refusal([1, 5, 65], [65], [1, 1, 5]) == "weights are 65")
    #expect(refusal([5, 8], [4], [2, 5]) == "5x8 in groups of 4")
  }
}
