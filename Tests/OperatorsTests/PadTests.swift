import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct PadTests {
  /// The source position of a padded one; nil outside under `constant`.
  static func source(_ place: Int, _ extent: Int, _ mode: String) -> Int? {
    if place >= 0 && place < extent { return place }
    switch mode {
    case "edge": return min(max(place, 0), extent - 1)
    case "wrap": return (place % extent + extent) % extent
    case "reflect":
      var p = place
      while p < 0 || p >= extent { p = p < 0 ? -p : 2 * (extent - 1) - p }
      return p
    default: return nil
    }
  }

  @Test(arguments: ["constant", "edge", "reflect", "wrap"])
  func `surrounds in every mode and layout`(_ mode: String) throws {
    let x = TensorBuffer.counting([2, 3, 4, 5])
    for pads in [[0, 0, 1, 2, 0, 0, 3, 0], [1, 1, 0, 0, 0, 1, 0, 0], [0, 1, -1, 2, 0, 0, 2, -3]] {
      let shape = Shape((0..<4).map { pads[$0] + x.shape[$0] + pads[4 + $0] })
      let expected = TensorBuffer.computed(shape) { index in
        var from: [Int] = []
        for axis in 0..<4 {
          guard let place = Self.source(index[axis] - pads[axis], x.shape[axis], mode) else {
            return 9
          }
          from.append(place)
        }
        return x.value(from)
      }
      let runner = OperatorRunner(Pad.self, ["mode": .string(mode)])
      for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
        let y = try runner(input, .constant(TensorBuffer(pads)), .constant(TensorBuffer([], [9])))
        #expect(y.shape == shape)
        #expect(y.contents == expected.contents)
      }
      let old = OperatorRunner(
        Pad.self, version: 2,
        ["mode": .string(mode), "pads": .ints(pads), "value": .float(9)])
      #expect(try old(.runtime(x)).contents == expected.contents)
    }
  }

  @Test func `pads named axes only, with zero by default`() throws {
    let x = TensorBuffer.counting([2, 2], from: 1)
    let y = try OperatorRunner(Pad.self)(
      .runtime(x), .constant(TensorBuffer([1, 0])), .absent, .constant(TensorBuffer([-1])))
    #expect(y.contents == [0, 1, 2, 0, 3, 4])
  }

  @Test func `refuses impossible pads`() {
    let x = TensorBuffer.counting([2, 2])
    for pads in [[1], [-3, 0, 0, 0], [Int.min, 0, 0, 0], [Int.max, 0, Int.max, 0]] {
      #expect(throws: GraphError.self) {
        try OperatorRunner(Pad.self)(.runtime(x), .constant(TensorBuffer(pads)))
      }
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(Pad.self, ["mode": .string("edge")])(
        .runtime(TensorBuffer(zeros: .float32, [0, 2])), .constant(TensorBuffer([1, 0, 0, 0])))
    }
  }

  @Test func `crops and pads about the centre`() throws {
    let x = TensorBuffer.counting([5, 2])
    let y = try OperatorRunner(CenterCropPad.self)(.runtime(x), .constant(TensorBuffer([2, 5])))
    // Rows 1 and 2; one column in front, two behind.
    #expect(y.contents == [0, 2, 3, 0, 0, 0, 4, 5, 0, 0])
  }
}
