import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct TrainingTests {
  @Test func `normalises by the statistics of the batch`() throws {
    let x0 = TensorBuffer(
      [2, 3, 2, 2],
      [
        -1.32, 2.02, 1.04, 0.52, 0.46, 1.77, 0.54, 0.08, -1.23, -0.07, -0.73, -0.71, -0.71, -0.04,
        -0.33, 0.87, -1.33, -0.17, 1.86, 0.04, 1.2, 1.14, 1.32, 0.74,
      ])
    let x1 = TensorBuffer([3], [-1.38, -0.27, -0.38])
    let x2 = TensorBuffer([3], [-1.55, -0.46, -1.25])
    let x3 = TensorBuffer([3], [-1.67, 0.21, -0.04])
    let x4 = TensorBuffer([3], [1.19, 1.45, 1.04])
    let y = try OperatorRunner(
      BatchNormalization.self, version: 15, outputs: 3,
      ["training_mode": .int(1), "momentum": .float(0.75), "epsilon": .float(0.01)]
    )
    .outputs(.runtime(x0), .runtime(x1), .runtime(x2), .runtime(x3), .runtime(x4))
    expectClose(
      y[0], [2, 3, 2, 2],
      [
        0.611624, -3.968756, -2.624812, -1.911699, -0.47483, -0.836266, -0.496902, -0.369986,
        -0.678939, -1.13976, -0.877569, -0.885514, -0.224912, -1.143731, -0.746033, -2.391679,
        0.019041, -0.301009, -0.861098, -0.35895, -1.64428, -1.620445, -1.691951, -1.461541,
      ])
    expectClose(y[1], [3], [-1.188437, 0.259062, 0.021875])
    expectClose(y[2], [3], [1.143156, 1.324412, 1.006248])
  }

  @Test func `drops the share that is asked for, and scales the rest`() throws {
    let x = TensorBuffer([10_000], [Float](repeating: 2, count: 10_000))
    let made = try OperatorRunner(Dropout.self, version: 13, outputs: 2, ["seed": .int(3)]).outputs(
      .runtime(x), .constant(TensorBuffer([], [0.25])),
      .constant(TensorBuffer(.bool, [], [UInt8(1)])))
    let kept = try #require(made[1].integers())
    // Five deviations of a binomial distribution around three quarters.
    #expect(abs(kept.reduce(0, +) - 7500) < 217)
    #expect(zip(made[0].contents, kept).allSatisfy { abs($0 - Float($1) * 8 / 3) < 1e-5 })
    let whole = try OperatorRunner(Dropout.self, version: 13)(
      .runtime(x), .constant(TensorBuffer([], [0.25])),
      .constant(TensorBuffer(.bool, [], [UInt8(0)])))
    #expect(whole.contents == x.contents)
    #expect(throws: GraphError.self) {
      try OperatorRunner(Dropout.self, version: 13)(
        .runtime(x), .constant(TensorBuffer([], [1])),
        .constant(TensorBuffer(.bool, [], [UInt8(1)])))
    }
  }

  @Test func `old versions align operands at an axis`() throws {
    let a = TensorBuffer.counting([2, 3, 2])
    let b = TensorBuffer([3], [10, 20, 30])
    let add = BinaryOperator<Elementwise.Add>.self
    let old: [String: Attribute] = ["broadcast": .int(1), "axis": .int(1)]
    for input in [OperatorRunner.Input.runtime(a), .channelsLast(a)] {
      let y = try OperatorRunner(add, version: 6, old)(input, .runtime(b))
      #expect(y.contents == [10, 11, 22, 23, 34, 35, 16, 17, 28, 29, 40, 41])
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(add, version: 6, ["broadcast": .int(1), "axis": .int(3)])(
        .runtime(a), .runtime(b))
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(add, version: 7, old)(.runtime(a), .runtime(b))
    }
    let slopes = try OperatorRunner(PRelu.self, version: 6)(
      .runtime(TensorBuffer([1, 2, 2], [-1, 2, -3, -4])), .runtime(TensorBuffer([2], [2, 10])))
    #expect(slopes.contents == [-2, 2, -30, -40])
  }

  @Test func `old versions say when they train`() throws {
    let x = TensorBuffer([2, 1], [1, 3])
    let one = TensorBuffer([1], [1])
    let zero = TensorBuffer([1], [0])
    func normalised(_ version: Int, _ attributes: [String: Attribute]) throws -> [Float] {
      try OperatorRunner(BatchNormalization.self, version: version, attributes)(
        .runtime(x), .constant(one), .constant(zero), .constant(zero), .constant(one)
      ).contents.map { $0.rounded() }
    }
    #expect(try normalised(6, ["is_test": .int(1)]) == [1, 3])
    #expect(try normalised(6, [:]) == [-1, 1])
    #expect(try normalised(7, [:]) == [1, 3])
    let dropout = OperatorRunner(Dropout.self, version: 6, ["is_test": .int(1)])
    #expect(try dropout(.runtime(x)).contents == [1, 3])
    #expect(throws: ImportError.self) {
      try OperatorRunner(Dropout.self, version: 6)(.runtime(x))
    }
  }
}
