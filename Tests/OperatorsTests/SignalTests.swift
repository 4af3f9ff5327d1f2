import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct SignalTests {
  @Test func `transforms real signals along an inner axis`() throws {
    let x0 = TensorBuffer(
      [1, 5, 3, 1],
      [
        -0.8, -1.32, -0.25, 0.42, 1.14, 0.11, -0.55, -0.78, 0.75, 1.63, 0.27, -1.23, -0.96, 1.6,
        0.2,
      ])
    let y = try OperatorRunner(DFT.self, version: 19, outputs: 1, ["axis": .int(1)])
      .outputs(.runtime(x0))
    expectClose(
      y[0], [1, 5, 3, 2],
      [
        -0.26, 0, 0.91, 0, -0.42, 0, -1.840608, -0.031086, -0.060695, 1.054661, 0.234123, -1.07822,
        -0.029392, -2.884447, -3.694305, -0.728228, -0.649123, 1.935993, -0.029392, 2.884447,
        -3.694305, 0.728228, -0.649123, -1.935993, -1.840608, 0.031086, -0.060695, -1.054661,
        0.234123, 1.07822,
      ])
  }

  @Test func `transforms complex signals, and back`() throws {
    let x0 = TensorBuffer(
      [1, 6, 2],
      [
        -1.29, 0.02, -0.04, -0.3, -1.05, -0.4, -1.09, -1.36, 0.22, -1.11, 1.17, 0.72,
      ])
    let y = try OperatorRunner(DFT.self, version: 20, outputs: 1, ["inverse": .int(1)])
      .outputs(.runtime(x0))
    expectClose(
      y[0], [1, 6, 2],
      [
        -0.346667, -0.405, 0.174745, 0.032876, -0.171963, -0.12384, -0.36, -0.091667, -0.671371,
        -0.14116, 0.085255, 0.74879,
      ])
  }

  @Test func `fills a short signal with zeros`() throws {
    let x0 = TensorBuffer([1, 3, 1], [-2, 0.27, -1.1])
    let x1 = TensorBuffer(.int64, [], [Int64(7)])
    let y = try OperatorRunner(DFT.self, version: 20, outputs: 1)
      .outputs(.runtime(x0), .constant(x1))
    expectClose(
      y[0], [1, 7, 2],
      [
        -2.83, 0, -1.586885, 0.861326, -1.069015, -0.740503, -2.929101, -0.977163, -2.929101,
        0.977163, -1.069015, 0.740503, -1.586885, -0.861326,
      ])
  }

  @Test func `cuts a long signal, along the axis of an input`() throws {
    let x0 = TensorBuffer(
      [7, 2, 1],
      [
        0.03, 0.04, -1.99, -0.23, -0.26, 0.96, -1.18, 0.74, -1.1, -0.33, -0.84, 1.45, 0.57, 2.43,
      ])
    let x1 = TensorBuffer(.int64, [], [Int64(4)])
    let x2 = TensorBuffer(.int64, [], [Int64(0)])
    let y = try OperatorRunner(DFT.self, version: 20, outputs: 1)
      .outputs(.runtime(x0), .constant(x1), .constant(x2))
    expectClose(
      y[0], [4, 2, 2],
      [
        -3.4, 0, 1.51, 0, 0.29, 0.81, -0.92, 0.97, 2.94, 0, 0.49, 0, 0.29, -0.81, -0.92, -0.97,
      ])
  }

  @Test func `gives half of the frequencies of a real signal`() throws {
    let x0 = TensorBuffer(
      [1, 12, 1],
      [
        0.64, 0.84, 0.84, -0.61, -0.07, 1.35, -0.4, 0.19, -0.02, 0.61, -0.36, -0.15,
      ])
    let y = try OperatorRunner(DFT.self, version: 20, outputs: 1, ["onesided": .int(1)])
      .outputs(.runtime(x0))
    expectClose(
      y[0], [1, 7, 2],
      [
        2.86, 0, 0.588878, -0.850929, 1.16, -0.935307, 0.47, -3.37, -1.07, 1.229756, 2.061122,
        1.140929, -1.6, 0,
      ])
  }

  @Test func `makes a real signal of half of the frequencies`() throws {
    let x0 = TensorBuffer([1, 4, 2], [0.24, 0.1, -0.86, 0.9, -1.3, -1.2, -1.28, 0.97])
    let y = try OperatorRunner(
      DFT.self, version: 20, outputs: 1,
      ["onesided": .int(1), "inverse": .int(1)]
    )
    .outputs(.runtime(x0))
    expectClose(y[0], [1, 6, 1], [-0.893333, 0.413269, -0.419551, 0.106667, 0.792884, 0.240064])
  }

  @Test func `makes a real signal of odd length`() throws {
    let x0 = TensorBuffer([1, 4, 2], [-0.36, -0.97, -1.14, 0.42, -1.05, -1.27, 0.61, -1.2])
    let x1 = TensorBuffer(.int64, [], [Int64(7)])
    let y = try OperatorRunner(
      DFT.self, version: 20, outputs: 1,
      ["onesided": .int(1), "inverse": .int(1)]
    )
    .outputs(.runtime(x0), .constant(x1))
    expectClose(
      y[0], [1, 7, 1],
      [
        -0.502857, 0.063922, -0.14248, 0.014703, 0.017699, 0.942491, -0.753478,
      ])
  }

  @Test func `transforms pieces under a window`() throws {
    let x0 = TensorBuffer(
      [1, 10, 1], [-0.32, -0.01, -0.45, -0.05, 1.34, -0.52, -1.26, -1.84, -0.2, -0.35])
    let x1 = TensorBuffer(.int64, [], [Int64(3)])
    let x2 = TensorBuffer([4], [0.5, 1, 1, 0.5])
    let x3 = TensorBuffer(.int64, [], [Int64(4)])
    let y = try OperatorRunner(STFT.self, version: 17, outputs: 1)
      .outputs(.runtime(x0), .constant(x1), .runtime(x2), .constant(x3))
    expectClose(
      y[0], [1, 3, 3, 2],
      [
        -0.645, 0, 0.29, -0.015, -0.575, 0, 0.165, 0, 0.495, -1.97, -1.255, 0, -2.845, 0, -0.43,
        1.665, 1.185, 0,
      ])
  }

  @Test func `transforms complex pieces to all frequencies`() throws {
    let x0 = TensorBuffer(
      [1, 6, 2],
      [
        0.27, -0.46, -0.48, -0.72, -0.52, 0.16, -0.38, 0.1, 1.9, 0.48, -1.58, 1.73,
      ])
    let x1 = TensorBuffer(.int64, [], [Int64(2)])
    let x3 = TensorBuffer(.int64, [], [Int64(3)])
    let y = try OperatorRunner(STFT.self, version: 17, outputs: 1, ["onesided": .int(0)])
      .outputs(.runtime(x0), .constant(x1), .absent, .constant(x3))
    expectClose(
      y[0], [1, 2, 3, 2],
      [
        -0.73, -1.02, 0.007898, -0.214641, 1.532102, -0.145359, 1, 0.74, -1.60909, 1.844538,
        -0.95091, -2.104538,
      ])
  }

  @Test func `makes the mel scale`() throws {
    let x0 = TensorBuffer(.int64, [], [Int64(4)])
    let x1 = TensorBuffer(.int64, [], [Int64(16)])
    let x2 = TensorBuffer(.int64, [], [Int64(8192)])
    let x3 = TensorBuffer([], [100])
    let x4 = TensorBuffer([], [3000])
    let y = try OperatorRunner(MelWeightMatrix.self, version: 17, outputs: 1)
      .outputs(.constant(x0), .constant(x1), .constant(x2), .constant(x3), .constant(x4))
    expectClose(
      y[0], [9, 4],
      [
        1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0,
      ])
  }

  @Test func `makes a periodic Hamming window`() throws {
    let x0 = TensorBuffer(.int32, [], [Int32(7)])
    let y = try OperatorRunner(
      WindowFunction<Elementwise.HammingWindow>.self, version: 17, outputs: 1,
      ["periodic": .int(1)]
    )
    .outputs(.constant(x0))
    expectClose(y[0], [7], [0.086957, 0.258842, 0.645064, 0.95479, 0.95479, 0.645064, 0.258842])
  }

  @Test func `makes a symmetric Hamming window`() throws {
    let x0 = TensorBuffer(.int32, [], [Int32(7)])
    let y = try OperatorRunner(
      WindowFunction<Elementwise.HammingWindow>.self, version: 17, outputs: 1,
      ["periodic": .int(0)]
    )
    .outputs(.constant(x0))
    expectClose(y[0], [7], [0.086957, 0.315217, 0.771739, 1, 0.771739, 0.315217, 0.086957])
  }

  @Test func `makes a periodic Blackman window`() throws {
    let x0 = TensorBuffer(.int32, [], [Int32(7)])
    let y = try OperatorRunner(
      WindowFunction<Elementwise.BlackmanWindow>.self, version: 17, outputs: 1,
      ["periodic": .int(1)]
    )
    .outputs(.constant(x0))
    expectClose(y[0], [7], [0, 0.090453, 0.459183, 0.920364, 0.920364, 0.459183, 0.090453])
  }

  @Test func `makes a symmetric Blackman window`() throws {
    let x0 = TensorBuffer(.int32, [], [Int32(7)])
    let y = try OperatorRunner(
      WindowFunction<Elementwise.BlackmanWindow>.self, version: 17, outputs: 1,
      ["periodic": .int(0)]
    )
    .outputs(.constant(x0))
    expectClose(y[0], [7], [0, 0.13, 0.63, 1, 0.63, 0.13, 0])
  }

  @Test func `makes a periodic Hann window`() throws {
    let x0 = TensorBuffer(.int32, [], [Int32(7)])
    let y = try OperatorRunner(
      WindowFunction<Elementwise.HannWindow>.self, version: 17, outputs: 1,
      ["periodic": .int(1)]
    )
    .outputs(.constant(x0))
    expectClose(y[0], [7], [0, 0.188255, 0.61126, 0.950484, 0.950484, 0.61126, 0.188255])
  }

  @Test func `makes a symmetric Hann window`() throws {
    let x0 = TensorBuffer(.int32, [], [Int32(7)])
    let y = try OperatorRunner(
      WindowFunction<Elementwise.HannWindow>.self, version: 17, outputs: 1,
      ["periodic": .int(0)]
    )
    .outputs(.constant(x0))
    expectClose(y[0], [7], [0, 0.25, 0.75, 1, 0.75, 0.25, 0])
  }

  @Test func `inverts what it transformed, for every length`() throws {
    for length in [1, 2, 3, 4, 5, 8, 9, 12, 17, 30, 64, 97, 128] {
      let x = TensorBuffer.random([1, length, 2], seed: UInt64(length))
      let y = try OperatorRunner(DFT.self, version: 20)(.runtime(x))
      let back = try OperatorRunner(DFT.self, version: 20, ["inverse": .int(1)])(.runtime(y))
      #expect(back.difference(to: x) < 1e-5, "length \(length)")
    }
  }

  @Test func `refuses what makes no sense`() {
    let x = TensorBuffer.counting([1, 4, 3])
    #expect(throws: GraphError.self) { try OperatorRunner(DFT.self, version: 20)(.runtime(x)) }
    let complex = TensorBuffer.counting([1, 4, 2])
    #expect(throws: GraphError.self) {
      try OperatorRunner(DFT.self, version: 20, ["onesided": .int(1)])(.runtime(complex))
    }
    for length in [0, -1, 1 << 40] {
      #expect(throws: GraphError.self) {
        try OperatorRunner(DFT.self, version: 20)(
          .runtime(complex), .constant(TensorBuffer([length])))
      }
    }
    for axis in [2, -1, 7] {
      #expect(throws: GraphError.self) {
        try OperatorRunner(DFT.self, version: 19, ["axis": .int(axis)])(.runtime(complex))
      }
    }
    let signal = TensorBuffer.counting([1, 8, 1])
    for (step, frame) in [(0, 4), (2, 9), (2, 0)] {
      #expect(throws: GraphError.self) {
        try OperatorRunner(STFT.self)(
          .runtime(signal), .constant(TensorBuffer([step])), .absent,
          .constant(TensorBuffer([frame])))
      }
    }
    for wrong in [TensorBuffer([-1]), TensorBuffer([1 << 40]), TensorBuffer([1, 2])] {
      #expect(throws: GraphError.self) {
        try OperatorRunner(WindowFunction<Elementwise.HannWindow>.self)(.constant(wrong))
      }
    }
  }
}
