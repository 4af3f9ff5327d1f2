import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct SliceTests {
  /// numpy's x[start:end:step] on one axis, position by position; ends beyond the tensor clamp.
  static func positions(_ start: Int, _ end: Int, _ step: Int, _ extent: Int) -> [Int] {
    var result: [Int] = []
    var from = start < 0 ? start + extent : start
    var to = end < 0 ? max(end + extent, -1) : end
    if step > 0 {
      from = max(from, 0)
      to = min(to, extent)
      while from < to {
        result.append(from)
        from += step
      }
    } else {
      from = min(max(from, 0), extent - 1)
      while from > to {
        result.append(from)
        from += step
      }
    }
    return result
  }

  @Test(arguments: [
    (0, 3, 1), (1, 100, 1), (-2, 100, 1), (0, -1, 2), (1, 6, 2), (5, 0, -1), (100, -100, -1),
    (-1, -7, -2), (3, 3, 1), (4, 2, 1), (2, 4, -1),
  ])
  func `takes the positions that numpy takes`(_ start: Int, _ end: Int, _ step: Int) throws {
    let x = TensorBuffer.counting([2, 3, 6, 6])
    for axis in 0..<4 {
      let kept = Self.positions(start, end, step, x.shape[axis])
      var shape = x.shape
      shape[axis] = kept.count
      let expected = TensorBuffer.computed(shape) { index in
        var from = index
        from[axis] = kept[index[axis]]
        return x.value(from)
      }
      for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
        let y = try OperatorRunner(Slice.self)(
          input, .constant(TensorBuffer([start])), .constant(TensorBuffer([end])),
          .constant(TensorBuffer([axis - 4])), .constant(TensorBuffer([step])))
        #expect(y.shape == shape)
        #expect(y.contents == expected.contents)
      }
    }
  }

  @Test func `cuts several axes with steps, as the focus of detectors does`() throws {
    let x = TensorBuffer.counting([1, 3, 6, 8])
    let expected = TensorBuffer.computed([1, 3, 3, 4]) {
      x.value([$0[0], $0[1], $0[2] * 2 + 1, $0[3] * 2])
    }
    for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
      let y = try OperatorRunner(Slice.self)(
        input, .constant(TensorBuffer([1, 0])), .constant(TensorBuffer([Int.max, Int.max])),
        .constant(TensorBuffer([2, 3])), .constant(TensorBuffer([2, 2])))
      #expect(y.contents == expected.contents)
    }
  }

  @Test func `reads attributes before version 10`() throws {
    let x = TensorBuffer.counting([4, 4])
    let y = try OperatorRunner(
      Slice.self, version: 9,
      ["starts": .ints([1]), "ends": .ints([-1]), "axes": .ints([0])])(.runtime(x))
    #expect(y.contents == (4..<12).map { Float($0) })
  }

  @Test(arguments: [Int.min, Int.max])
  func `survives extreme numbers`(_ extreme: Int) throws {
    let x = TensorBuffer.counting([3])
    for step in [1, -1, Int.max, Int.min + 1] {
      _ = try OperatorRunner(Slice.self)(
        .runtime(x), .constant(TensorBuffer([extreme])), .constant(TensorBuffer([-1])),
        .constant(TensorBuffer([0])), .constant(TensorBuffer([step])))
      _ = try OperatorRunner(Slice.self)(
        .runtime(x), .constant(TensorBuffer([0])), .constant(TensorBuffer([extreme])),
        .constant(TensorBuffer([0])), .constant(TensorBuffer([step])))
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(Slice.self)(
        .runtime(x), .constant(TensorBuffer([0])), .constant(TensorBuffer([3])),
        .constant(TensorBuffer([0])), .constant(TensorBuffer([0])))
    }
  }
}
