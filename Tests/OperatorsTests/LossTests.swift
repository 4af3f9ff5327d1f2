import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct LossTests {
  @Test func `means of likelihoods`() throws {
    let x0 = TensorBuffer(
      [3, 4],
      [
        0.16, 0.75, -0.6, -1.51, 1.06, -1.07, 1.19, -0.05, -0.7, -0.64, 0.46, 0.89,
      ])
    let x1 = TensorBuffer(.int64, [3], [Int64(1), 0, 3])
    let y = try OperatorRunner(NegativeLogLikelihoodLoss.self, version: 22, outputs: 1)
      .outputs(.runtime(x0), .runtime(x1))
    expectClose(y[0], [], [-0.9])
  }

  @Test func `sums of weighted likelihoods`() throws {
    let x0 = TensorBuffer(
      [2, 3, 2],
      [
        -0.2, 0.95, 2.09, -0.21, -1.15, -1.05, -1.39, -0.64, -0.72, -1.33, 0.53, -2.61,
      ])
    let x1 = TensorBuffer(.int64, [2, 2], [Int64(0), 2, 1, 1])
    let x2 = TensorBuffer([3], [0.2, 0.3, 0.1])
    let y = try OperatorRunner(
      NegativeLogLikelihoodLoss.self, version: 22, outputs: 1,
      ["reduction": .string("sum")]
    )
    .outputs(.runtime(x0), .runtime(x1), .runtime(x2))
    expectClose(y[0], [], [0.76])
  }

  @Test func `weighted means without ignored elements`() throws {
    let x0 = TensorBuffer(
      [2, 3, 2],
      [
        -0.2, 0.95, 2.09, -0.21, -1.15, -1.05, -1.39, -0.64, -0.72, -1.33, 0.53, -2.61,
      ])
    let x1 = TensorBuffer(.int64, [2, 2], [Int64(0), 2, 1, 1])
    let x2 = TensorBuffer([3], [0.2, 0.3, 0.1])
    let y = try OperatorRunner(
      NegativeLogLikelihoodLoss.self, version: 22, outputs: 1,
      ["ignore_index": .int(1)]
    )
    .outputs(.runtime(x0), .runtime(x1), .runtime(x2))
    expectClose(y[0], [], [0.483333])
  }

  @Test func `likelihoods element by element`() throws {
    let x0 = TensorBuffer(
      [2, 3, 2],
      [
        -0.2, 0.95, 2.09, -0.21, -1.15, -1.05, -1.39, -0.64, -0.72, -1.33, 0.53, -2.61,
      ])
    let x1 = TensorBuffer(.int32, [2, 2], [Int32(0), 2, 1, 1])
    let y = try OperatorRunner(
      NegativeLogLikelihoodLoss.self, version: 22, outputs: 1,
      ["reduction": .string("none"), "ignore_index": .int(2)]
    )
    .outputs(.runtime(x0), .runtime(x1))
    expectClose(y[0], [2, 2], [0.2, 0, 0.72, 1.33])
  }

  @Test func `cross entropy and its logarithms`() throws {
    let x0 = TensorBuffer(
      [3, 4],
      [
        0.16, 0.75, -0.6, -1.51, 1.06, -1.07, 1.19, -0.05, -0.7, -0.64, 0.46, 0.89,
      ])
    let x1 = TensorBuffer(.int64, [3], [Int64(1), 0, 3])
    let x2 = TensorBuffer([4], [0.5, 1, 2, 3])
    let y = try OperatorRunner(SoftmaxCrossEntropyLoss.self, version: 13, outputs: 2)
      .outputs(.runtime(x0), .runtime(x1), .runtime(x2))
    expectClose(y[0], [], [0.735686])
    expectClose(
      y[1], [3, 4],
      [
        -1.24124, -0.65124, -2.00124, -2.91124, -0.950586, -3.080586, -0.820586, -2.060585,
        -2.318017, -2.258017, -1.158017, -0.728017,
      ])
  }

  @Test func `cross entropy element by element`() throws {
    let x0 = TensorBuffer(
      [2, 3, 2],
      [
        -0.2, 0.95, 2.09, -0.21, -1.15, -1.05, -1.39, -0.64, -0.72, -1.33, 0.53, -2.61,
      ])
    let x1 = TensorBuffer(.int64, [2, 2], [Int64(0), 2, 1, 1])
    let y = try OperatorRunner(
      SoftmaxCrossEntropyLoss.self, version: 13, outputs: 1,
      ["reduction": .string("none"), "ignore_index": .int(0)]
    )
    .outputs(.runtime(x0), .runtime(x1))
    expectClose(y[0], [2, 2], [0, 2.37075, 1.609848, 1.185326])
  }

  @Test func `the sum of cross entropies`() throws {
    let x0 = TensorBuffer(
      .float64, [2, 3, 2],
      [
        Double(-0.2), 0.95, 2.09, -0.21, -1.15, -1.05, -1.39, -0.64, -0.72, -1.33, 0.53, -2.61,
      ])
    let x1 = TensorBuffer(.int64, [2, 2], [Int64(0), 2, 1, 1])
    let y = try OperatorRunner(
      SoftmaxCrossEntropyLoss.self, version: 13, outputs: 1,
      ["reduction": .string("sum")]
    )
    .outputs(.runtime(x0), .runtime(x1))
    expectClose(y[0], [], [7.58733])
  }

  @Test func `refuses wrong shapes, and reports classes that do not exist`() throws {
    let x = TensorBuffer.counting([2, 3])
    #expect(throws: GraphError.self) {
      try OperatorRunner(NegativeLogLikelihoodLoss.self)(
        .runtime(x), .runtime(TensorBuffer([0, 1, 2])))
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(SoftmaxCrossEntropyLoss.self)(
        .runtime(x), .runtime(TensorBuffer([0, 1])), .runtime(TensorBuffer.counting([2])))
    }
    #expect(throws: ImportError.self) {
      try OperatorRunner(SoftmaxCrossEntropyLoss.self, ["reduction": .string("max")])(
        .runtime(x), .runtime(TensorBuffer([0, 1])))
    }
    for label in [3, -1] {
      let outcome = try OperatorRunner(NegativeLogLikelihoodLoss.self).outcome(
        .runtime(x), .runtime(TensorBuffer([0, label])))
      #expect(outcome.fault != 0)
    }
  }
}
