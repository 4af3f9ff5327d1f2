import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct ConcatSplitTests {
  @Test(arguments: [0, 1, 2, 3, -1, -3])
  func `joins and cuts along every axis and layout`(_ axis: Int) throws {
    let place = axis < 0 ? axis + 4 : axis
    var shapes = [Shape]()
    for extent in [2, 0, 3] {
      var shape = Shape([2, 3, 4, 5])
      shape[place] = extent
      shapes.append(shape)
    }
    let parts = shapes.enumerated().map { TensorBuffer.counting($1, from: $0 * 1000) }
    var whole = shapes[0]
    whole[place] = 5
    let expected = TensorBuffer.computed(whole) { index in
      var inner = index
      if index[place] < 2 { return parts[0].value(inner) }
      inner[place] -= 2
      return parts[2].value(inner)
    }
    let concat = OperatorRunner(Concat.self, ["axis": .int(axis)])
    let plain = try concat(.runtime(parts[0]), .runtime(parts[1]), .runtime(parts[2]))
    let last = try concat(.channelsLast(parts[0]), .runtime(parts[1]), .constant(parts[2]))
    #expect(plain.shape == whole && plain.contents == expected.contents)
    #expect(last.shape == whole && last.contents == expected.contents)

    let split = OperatorRunner(Split.self, version: 13, outputs: 3, ["axis": .int(axis)])
    for input in [OperatorRunner.Input.runtime(expected), .channelsLast(expected)] {
      let pieces = try split.outputs(input, .constant(TensorBuffer([2, 0, 3])))
      #expect(pieces.map(\.shape) == shapes)
      #expect(pieces.map(\.contents) == parts.map(\.contents))
    }
  }

  @Test func `refuses what does not fit together`() {
    let concat = OperatorRunner(Concat.self, ["axis": .int(1)])
    let x = TensorBuffer.counting([2, 3])
    #expect(throws: GraphError.self) {
      try concat(.runtime(x), .runtime(.counting([3, 3])))
    }
    #expect(throws: GraphError.self) {
      try concat(.runtime(x), .runtime(TensorBuffer(zeros: .int32, [2, 3])))
    }
    #expect(throws: GraphError.self) { try concat(.runtime(x), .runtime(.counting([2]))) }
    let split = OperatorRunner(Split.self, version: 13, outputs: 2, ["axis": .int(1)])
    #expect(throws: GraphError.self) { try split.outputs(.runtime(x)) }
    for lengths in [[1, 1], [4, -1], [3], [1, 1, 1]] {
      #expect(throws: GraphError.self) {
        try split.outputs(.runtime(x), .constant(TensorBuffer(lengths)))
      }
    }
  }

  @Test func `cuts equal parts, and unequal ones from version 18`() throws {
    let x = TensorBuffer.counting([7])
    let old = OperatorRunner(Split.self, version: 11, outputs: 2, ["split": .ints([3, 4])])
    #expect(try old.outputs(.runtime(x)).map(\.contents) == [[0, 1, 2], [3, 4, 5, 6]])
    let new = OperatorRunner(Split.self, version: 18, outputs: 2, ["num_outputs": .int(2)])
    #expect(try new.outputs(.runtime(x)).map(\.contents) == [[0, 1, 2, 3], [4, 5, 6]])
    let equal = OperatorRunner(Split.self, version: 13, outputs: 7)
    #expect(try equal.outputs(.runtime(x)).map(\.contents) == (0..<7).map { [Float($0)] })
  }

  @Test func `bfloat16 programs keep the storage type`() throws {
    var concat = OperatorRunner(Concat.self, ["axis": .int(1)])
    concat.storage = .bfloat16
    let x = TensorBuffer.counting([2, 3])
    let y = try concat(.runtime(x), .constant(x))
    #expect(y.contents == [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5])
  }
}
