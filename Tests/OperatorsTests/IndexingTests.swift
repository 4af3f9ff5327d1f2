import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct IndexingTests {
  static func int64(_ shape: Shape, _ values: [Int]) -> TensorBuffer {
    TensorBuffer(.int64, shape, values.map(Int64.init))
  }

  @Test func `takes single elements along an axis`() throws {
    let x = TensorBuffer.counting([3, 3])
    let indices = Self.int64([2, 3], [1, 2, 0, -1, 0, 0])
    let down = try OperatorRunner(GatherElements.self)(.runtime(x), .runtime(indices))
    #expect(down.contents == [3, 7, 2, 6, 1, 2])
    let across = try OperatorRunner(GatherElements.self, ["axis": .int(-1)])(
      .runtime(x), .runtime(indices))
    #expect(across.contents == [1, 2, 0, 5, 3, 3])
    let fault = try OperatorRunner(GatherElements.self).outcome(
      .runtime(x), .runtime(Self.int64([1, 1], [3]))
    ).fault
    #expect(fault == 1)
    #expect(throws: GraphError.self) {
      try OperatorRunner(GatherElements.self)(
        .runtime(x), .runtime(Self.int64([3, 4], .init(repeating: 0, count: 12))))
    }
  }

  @Test func `takes slices by tuples`() throws {
    let x = TensorBuffer.counting([2, 2, 2])
    let runner = OperatorRunner(GatherND.self)
    #expect(
      try runner(.runtime(x), .runtime(Self.int64([2, 1], [1, 0]))).contents == [
        4, 5, 6, 7, 0, 1, 2, 3,
      ])
    #expect(
      try runner(.runtime(x), .runtime(Self.int64([2, 2], [0, 1, -1, 0]))).contents == [2, 3, 4, 5])
    #expect(try runner(.runtime(x), .runtime(Self.int64([1, 3], [0, 1, 1]))).contents == [3])
    let batch = OperatorRunner(GatherND.self, ["batch_dims": .int(1)])
    #expect(
      try batch(.runtime(x), .runtime(Self.int64([2, 1], [1, 0]))).contents == [2, 3, 4, 5])
    #expect(try runner.outcome(.runtime(x), .runtime(Self.int64([1, 1], [9]))).fault == 1)
    #expect(throws: GraphError.self) {
      try runner(.runtime(x), .runtime(Self.int64([1, 4], [0, 0, 0, 0])))
    }
  }

  @Test(arguments: [
    ("none", [0, 9, 8, 3, 4, 5]), ("add", [0, 10, 10, 3, 4, 5]), ("mul", [0, 9, 16, 3, 4, 5]),
    ("max", [0, 9, 8, 3, 4, 5]), ("min", [0, 1, 2, 3, 4, 5]),
  ])
  func `writes single elements, combined as asked`(_ reduction: String, _ want: [Float]) throws {
    for type in [ElementType.float32, .int64, .int32, .bfloat16, .uint8, .float64] {
      let x = try #require(TensorBuffer.counting([6]).converted(to: type))
      let updates = try #require(TensorBuffer([2], [9, 8]).converted(to: type))
      let runner = OperatorRunner(ScatterElements.self, ["reduction": .string(reduction)])
      let y = try runner(.runtime(x), .runtime(Self.int64([2], [1, -4])), .runtime(updates))
      #expect(y.type == type)
      #expect(y.contents == want)
      let tuples = OperatorRunner(ScatterND.self, ["reduction": .string(reduction)])
      let z = try tuples(.runtime(x), .runtime(Self.int64([2, 1], [1, -4])), .runtime(updates))
      #expect(z.contents == want)
    }
  }

  @Test func `writes along an axis, and slices`() throws {
    let x = TensorBuffer(zeros: .float32, [3, 3])
    let updates = TensorBuffer.counting([1, 2], from: 1)
    let y = try OperatorRunner(Scatter.self, version: 9, ["axis": .int(1)])(
      .runtime(x), .runtime(Self.int64([1, 2], [2, 0])), .runtime(updates))
    #expect(y.contents == [2, 0, 1, 0, 0, 0, 0, 0, 0])
    let rows = try OperatorRunner(ScatterND.self)(
      .runtime(x), .runtime(Self.int64([1, 1], [1])), .runtime(.counting([1, 3], from: 1)))
    #expect(rows.contents == [0, 0, 0, 1, 2, 3, 0, 0, 0])
    let fault = try OperatorRunner(ScatterND.self).outcome(
      .runtime(x), .runtime(Self.int64([1, 1], [-4])), .runtime(.counting([1, 3]))
    ).fault
    #expect(fault == 1)
    #expect(throws: GraphError.self) {
      try OperatorRunner(ScatterND.self)(
        .runtime(x), .runtime(Self.int64([1, 1], [1])), .runtime(.counting([1, 2])))
    }
  }

  @Test func `reverses sequences`() throws {
    let x = TensorBuffer.counting([3, 2])
    let lengths = Self.int64([2], [3, 2])
    let y = try OperatorRunner(ReverseSequence.self)(.runtime(x), .runtime(lengths))
    #expect(y.contents == [4, 3, 2, 1, 0, 5])
    let z = try OperatorRunner(
      ReverseSequence.self, ["time_axis": .int(1), "batch_axis": .int(0)])(
        .runtime(x.transposed([1, 0])), .runtime(lengths))
    #expect(z.contents == y.transposed([1, 0]).contents)
  }

  @Test func `keeps where a constant condition holds`() throws {
    let x = TensorBuffer.counting([3, 2])
    let condition = OperatorRunner.Input.constant(TensorBuffer(.bool, [3], [0, 1, 1] as [UInt8]))
    #expect(
      try OperatorRunner(Compress.self, ["axis": .int(0)])(.runtime(x), condition).contents == [
        2, 3, 4, 5,
      ])
    #expect(try OperatorRunner(Compress.self)(.runtime(x), condition).contents == [1, 2])
  }

  @Test(arguments: ["DCR", "CRD"])
  func `moves between depth and space`(_ mode: String) throws {
    let x = TensorBuffer.counting([2, 12, 3, 2])
    let expected = TensorBuffer.computed([2, 3, 6, 4]) { i in
      let block = i[2] % 2 * 2 + i[3] % 2
      return x.value([
        i[0], mode == "DCR" ? block * 3 + i[1] : i[1] * 4 + block, i[2] / 2, i[3] / 2,
      ])
    }
    for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
      let y = try OperatorRunner(
        DepthToSpace.self, ["blocksize": .int(2), "mode": .string(mode)])(input)
      #expect(y.shape == expected.shape)
      #expect(y.contents == expected.contents)
    }
    for input in [OperatorRunner.Input.runtime(expected), .channelsLast(expected)] {
      let y = try OperatorRunner(
        SpaceToDepth.self, ["blocksize": .int(2), "mode": .string(mode)])(input)
      #expect(y.contents == x.contents)
    }
  }
}
