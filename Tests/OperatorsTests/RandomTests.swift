import Graphs
import Instructions
import Tensors
import Testing

@testable import Operators

@Suite struct RandomTests {
  @Test func `makes the numbers that the generator's authors publish`() {
    // The known answers of Random123 for philox4x32-10.
    #expect(
      Philox(seed: 0).numbers(SIMD4(0, 0, 0, 0))
        == SIMD4(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
    #expect(
      Philox(seed: .max).numbers(SIMD4(repeating: .max))
        == SIMD4(0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD))
    #expect(
      Philox(seed: 0x299F_31D0_A409_3822)
        .numbers(SIMD4(0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344))
        == SIMD4(0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1))
  }

  private func moments(_ numbers: [Float]) -> (mean: Double, deviation: Double) {
    let mean = numbers.reduce(0) { $0 + Double($1) } / Double(numbers.count)
    let square = numbers.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    return (mean, (square / Double(numbers.count)).squareRoot())
  }

  @Test(arguments: [ElementType.float32, .float64, .float16])
  func `spreads uniform numbers over their range`(_ type: ElementType) throws {
    let attributes: [String: Attribute] = [
      "shape": .ints([100, 100]), "low": .float(-1), "high": .float(3), "seed": .float(7),
      "dtype": .int(Int(type.rawValue)),
    ]
    let y = try OperatorRunner(RandomOperator<Elementwise.RandomUniform>.self, attributes)()
    #expect(y.type == type && y.shape == [100, 100])
    let (mean, deviation) = moments(y.contents)
    #expect(abs(mean - 1) < 0.06 && abs(deviation - 4 / 12.0.squareRoot()) < 0.04)
    #expect(y.contents.allSatisfy { $0 >= -1 && $0 <= 3 })
    #expect(Set(y.contents).count > 2000)
  }

  @Test func `spreads normal numbers around their mean`() throws {
    let like = TensorBuffer.counting([101, 99])
    let make = { (seed: Float, parts: Int) throws -> [Float] in
      var runner = OperatorRunner(
        RandomOperator<Elementwise.RandomNormalLike>.self,
        ["mean": .float(2), "scale": .float(0.5), "seed": .float(seed)])
      runner.parts = parts
      return try runner(.runtime(like)).contents
    }
    let y = try make(1, 1)
    let (mean, deviation) = moments(y)
    #expect(abs(mean - 2) < 0.025 && abs(deviation - 0.5) < 0.02)
    let within = y.count { abs($0 - 2) < 0.5 }
    #expect(abs(Double(within) / Double(y.count) - 0.6827) < 0.025)
    // The same seed gives the same numbers, in any number of threads.
    #expect(try make(1, 3) == y)
    #expect(try make(2, 1) != y)
  }

  @Test func `draws ones as often as asked for`() throws {
    let x = TensorBuffer([20_000], (0..<20_000).map { $0 < 10_000 ? 0.2 : 0.9 })
    let y = try OperatorRunner(Bernoulli.self, ["dtype": .int(6), "seed": .float(1)])(.runtime(x))
    let ones = try #require(y.integers())
    #expect(y.type == .int32 && Set(ones) == [0, 1])
    #expect(abs(ones[..<10_000].reduce(0, +) - 2000) < 200)
    #expect(abs(ones[10_000...].reduce(0, +) - 9000) < 150)
    let sure = try OperatorRunner(Bernoulli.self)(
      .runtime(TensorBuffer([2000], (0..<2000).map { $0 < 1000 ? 0 : 1 })))
    #expect(sure.contents == (0..<2000).map { $0 < 1000 ? 0 : 1 })
  }

  @Test func `draws classes by their weights`() throws {
    let x = TensorBuffer([2, 3], [0, 0.6931472, -.infinity, -1e30, -1e30, 5])
    let y = try OperatorRunner(
      Multinomial.self, ["sample_size": .int(9000), "seed": .float(5), "dtype": .int(7)])(
        .runtime(x))
    let drawn = try #require(y.integers())
    #expect(y.type == .int64 && y.shape == [2, 9000])
    #expect(abs(drawn[..<9000].count { $0 == 1 } - 6000) < 225)
    #expect(drawn[..<9000].allSatisfy { $0 < 2 })
    #expect(drawn[9000...].allSatisfy { $0 == 2 })
  }

  @Test func `refuses what makes no sense`() {
    let uniform = RandomOperator<Elementwise.RandomUniform>.self
    #expect(throws: ImportError.self) { try OperatorRunner(uniform)() }
    #expect(throws: GraphError.self) {
      try OperatorRunner(uniform, ["shape": .ints([2]), "dtype": .int(7)])()
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(uniform, ["shape": .ints([-2])])()
    }
    #expect(throws: ImportError.self) {
      try OperatorRunner(Multinomial.self, ["dtype": .int(1)])(.runtime(.counting([1, 2])))
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(Multinomial.self)(.runtime(.counting([2])))
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(Bernoulli.self)(.runtime(TensorBuffer([1])))
    }
  }
}
