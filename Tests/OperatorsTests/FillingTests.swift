import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct FillingTests {
  @Test func `fills a shape with a value of any type`() throws {
    let shape = OperatorRunner.Input.constant(TensorBuffer([2, 3]))
    #expect(
      try OperatorRunner(ConstantOfShape.self)(shape).contents == .init(repeating: 0, count: 6))
    for type in [ElementType.int64, .float32, .bool, .float64, .uint8, .float16, .int16] {
      let value = try #require(TensorBuffer([1], [1]).converted(to: type))
      let y = try OperatorRunner(ConstantOfShape.self, ["value": .tensor(value)])(shape)
      #expect(y.type == type)
      #expect(y.contents == .init(repeating: 1, count: 6))
    }
    for wrong in [[-1], [1 << 40, 1 << 40]] {
      #expect(throws: GraphError.self) {
        try OperatorRunner(ConstantOfShape.self)(.constant(TensorBuffer(wrong)))
      }
    }
  }

  @Test func `counts up and down`() throws {
    let range = { (start: Float, limit: Float, delta: Float, type: ElementType) throws in
      let inputs = [start, limit, delta].compactMap { TensorBuffer([], [$0]).converted(to: type) }
      return try OperatorRunner(RangeOperator.self)(
        .constant(inputs[0]), .constant(inputs[1]), .constant(inputs[2]))
    }
    for type in [ElementType.int64, .int32, .float32, .float64, .int16] {
      #expect(try range(1, 8, 3, type).contents == [1, 4, 7])
      #expect(try range(10, 4, -2, type).contents == [10, 8, 6])
      #expect(try range(3, 3, 1, type).contents == [])
      #expect(try range(3, 4, -1, type).contents == [])
      #expect(throws: GraphError.self) { try range(0, 1, 0, type) }
    }
    #expect(try range(0, 1, 0.25, .float32).contents == [0, 0.25, 0.5, 0.75])
    let huge = TensorBuffer([Int.max]).reshaped([])
    #expect(throws: GraphError.self) {
      try OperatorRunner(RangeOperator.self)(
        .constant(TensorBuffer([Int.min]).reshaped([])), .constant(huge),
        .constant(TensorBuffer([1]).reshaped([])))
    }
  }

  @Test func `expands by broadcasting`() throws {
    let x = TensorBuffer.counting([3, 1])
    let y = try OperatorRunner(Expand.self)(.runtime(x), .constant(TensorBuffer([2, 1, 4])))
    #expect(y.shape == [2, 3, 4])
    #expect(y.contents == TensorBuffer.computed([2, 3, 4]) { Float($0[1]) }.contents)
    let map = TensorBuffer.counting([1, 3, 1, 1])
    let wide = try OperatorRunner(Expand.self)(
      .channelsLast(map), .constant(TensorBuffer([1, 1, 2, 2])))
    #expect(wide.contents == TensorBuffer.computed([1, 3, 2, 2]) { Float($0[1]) }.contents)
    #expect(throws: GraphError.self) {
      try OperatorRunner(Expand.self)(.runtime(x), .constant(TensorBuffer([2, 4])))
    }
    let none = try OperatorRunner(Expand.self)(.runtime(x), .constant(TensorBuffer([3, 0])))
    #expect(none.shape == [3, 0])
  }

  @Test(arguments: [[1, 1, 1, 1], [2, 1, 3, 1], [1, 2, 1, 2], [2, 3, 2, 3], [0, 1, 1, 1]])
  func `repeats every axis`(_ repeats: [Int]) throws {
    let x = TensorBuffer.counting([2, 3, 1, 4])
    let shape = Shape(zip(x.shape.dimensions, repeats).map { $0 * $1 })
    let expected = TensorBuffer.computed(shape) { index in
      x.value(zip(index, x.shape.dimensions).map { $0 % $1 })
    }
    for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
      let y = try OperatorRunner(Tile.self)(input, .constant(TensorBuffer(repeats)))
      #expect(y.shape == shape)
      #expect(y.contents == expected.contents)
    }
  }

  @Test func `refuses impossible repetition`() {
    for repeats in [[-1, 1], [1], [Int.max, Int.max]] {
      #expect(throws: GraphError.self) {
        try OperatorRunner(Tile.self)(
          .runtime(.counting([2, 3])), .constant(TensorBuffer(repeats)))
      }
    }
  }

  @Test func `marks positions`() throws {
    let indices = TensorBuffer(.int64, [3], [Int64(0), -1, 7])
    let values = TensorBuffer([2], [2, 5])
    let depth = OperatorRunner.Input.constant(TensorBuffer([4]).reshaped([]))
    let last = try OperatorRunner(OneHot.self)(.runtime(indices), depth, .runtime(values))
    #expect(last.shape == [3, 4])
    #expect(last.contents == [5, 2, 2, 2, 2, 2, 2, 5, 2, 2, 2, 2])
    let first = try OperatorRunner(OneHot.self, ["axis": .int(0)])(
      .runtime(indices), depth, .runtime(values))
    #expect(first.contents == last.transposed([1, 0]).contents)
  }

  @Test(arguments: [-4, -1, 0, 2, 9])
  func `draws diagonals and triangles`(_ k: Int) throws {
    let x = TensorBuffer.counting([3, 4], from: 1)
    let eye = try OperatorRunner(EyeLike.self, ["k": .int(k), "dtype": .int(7)])(.runtime(x))
    #expect(eye.type == .int64)
    #expect(eye.contents == TensorBuffer.computed([3, 4]) { $0[1] - $0[0] == k ? 1 : 0 }.contents)
    for upper in [true, false] {
      let y = try OperatorRunner(Trilu.self, ["upper": .int(upper ? 1 : 0)])(
        .runtime(x), .constant(TensorBuffer([k]).reshaped([])))
      let expected = TensorBuffer.computed([3, 4]) { index in
        let inside = upper ? index[1] - index[0] >= k : index[1] - index[0] <= k
        return inside ? x.value(index) : 0
      }
      #expect(y.contents == expected.contents)
    }
  }

  @Test func `finds what is not zero, if it is known`() throws {
    let x = TensorBuffer([2, 3], [0, 1, -0.0, 2, 0, 3])
    let y = try OperatorRunner(NonZero.self)(.constant(x))
    #expect(y.shape == [2, 3])
    #expect(y.integers() == [0, 1, 1, 1, 0, 2])
    let error = #expect(throws: GraphError.self) { try OperatorRunner(NonZero.self)(.runtime(x)) }
    #expect(error?.message.contains("--shape") == true)
  }
}
