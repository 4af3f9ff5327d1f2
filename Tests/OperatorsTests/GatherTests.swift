import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct GatherTests {
  @Test(arguments: [0, 1, 2, -1])
  func `takes slices along every axis`(_ axis: Int) throws {
    let x = TensorBuffer.counting([4, 3, 5])
    let place = axis < 0 ? axis + 3 : axis
    for (shape, places) in [([2], [2, -1]), ([], [1]), ([2, 2], [0, 2, -3, 1]), ([0], [])] {
      let indices = TensorBuffer(.int64, Shape(shape), places.map(Int64.init))
      var dimensions = x.shape.dimensions
      dimensions.replaceSubrange(place...place, with: shape)
      let expected = TensorBuffer.computed(Shape(dimensions)) { index in
        let which = zip(index[place..<place + shape.count], indices.shape.denseStrides)
          .reduce(0) { $0 + $1.0 * $1.1 }
        let chosen = places[which] < 0 ? places[which] + x.shape[place] : places[which]
        return x.value(Array(index[..<place]) + [chosen] + Array(index[(place + shape.count)...]))
      }
      let runner = OperatorRunner(Gather.self, ["axis": .int(axis)])
      for data in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
        for index in [OperatorRunner.Input.runtime(indices), .constant(indices)] {
          let y = try runner(data, index)
          #expect(y.shape == expected.shape)
          #expect(y.contents == expected.contents)
        }
      }
    }
  }

  @Test func `an index out of range is a fault, not an access`() throws {
    let x = TensorBuffer.counting([3])
    let indices = TensorBuffer(.int32, [2], [Int32(3), .min])
    #expect(try OperatorRunner(Gather.self).outcome(.runtime(x), .runtime(indices)).fault == 1)
    #expect(throws: GraphError.self) {
      try OperatorRunner(Gather.self)(.runtime(x), .constant(indices))
    }
  }
}
