import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct TransposeTests {
  @Test(arguments: [[0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2], [3, 2, 1, 0], [1, 0, 3, 2]])
  func `orders axes as asked, from every layout`(_ order: [Int]) throws {
    let x = TensorBuffer.counting([2, 3, 4, 5])
    let expected = x.transposed(order)
    let runner = OperatorRunner(Transpose.self, ["perm": .ints(order)])
    for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
      let y = try runner(input)
      #expect(y.shape == expected.shape)
      #expect(y.contents == expected.contents)
    }
  }

  @Test func `reverses by default`() throws {
    let x = TensorBuffer.counting([2, 3, 4])
    let y = try OperatorRunner(Transpose.self)(.runtime(x))
    #expect(y.shape == [4, 3, 2])
    #expect(y.contents == x.transposed([2, 1, 0]).contents)
    let scalar = TensorBuffer([], [5])
    #expect(try OperatorRunner(Transpose.self)(.runtime(scalar)).contents == [5])
  }

  @Test func `moves no memory where the layout says it all`() throws {
    let x = TensorBuffer.counting([2, 3, 4, 5])
    let runner = OperatorRunner(Transpose.self, ["perm": .ints([0, 2, 3, 1])])
    let y = try runner.outcome(.channelsLast(x))
    // Only the copy that gives an output its own memory.
    #expect(y.opcodes == ["copy"])
    #expect(y.outputs[0].contents == x.transposed([0, 2, 3, 1]).contents)
  }

  @Test(arguments: [[0, 1], [0, 0, 1], [0, 1, 3], [0, 1, -1]])
  func `refuses what is no order`(_ order: [Int]) {
    let runner = OperatorRunner(Transpose.self, ["perm": .ints(order)])
    #expect(throws: GraphError.self) { try runner(.runtime(.counting([2, 3, 4]))) }
  }

  @Test(arguments: [ElementType.int64, .float64, .uint8, .bfloat16, .bool, .int32])
  func `moves every element type`(_ type: ElementType) throws {
    let x = try #require(TensorBuffer.counting([2, 3]).converted(to: type))
    let y = try OperatorRunner(Transpose.self)(.runtime(x))
    #expect(y.type == type)
    #expect(y.contents == x.transposed([1, 0]).contents)
  }
}
