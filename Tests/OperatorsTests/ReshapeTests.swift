import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct ReshapeTests {
  static let x = TensorBuffer.counting([2, 3, 4])

  @Test(arguments: [
    ([4, 6], [4, 6]), ([0, -1], [2, 12]), ([-1], [24]), ([0, 0, 4, 1], [2, 3, 4, 1]),
    ([2, -1, 2], [2, 6, 2]),
  ])
  func `fills in what the shape leaves open`(_ wanted: [Int], _ expected: [Int]) throws {
    let y = try OperatorRunner(Reshape.self)(.runtime(Self.x), .constant(TensorBuffer(wanted)))
    #expect(y.shape.dimensions == expected)
    #expect(y.contents == Self.x.contents)
  }

  @Test(arguments: [[5, 5], [-1, -1], [-2, 12], [0, 0, 0, 0], [7, -1], [Int.max, Int.max]])
  func `refuses an impossible shape`(_ wanted: [Int]) {
    #expect(throws: GraphError.self) {
      try OperatorRunner(Reshape.self)(.runtime(Self.x), .constant(TensorBuffer(wanted)))
    }
  }

  @Test func `allowzero takes zero literally`() throws {
    let empty = TensorBuffer(zeros: .float32, [0, 3])
    let runner = OperatorRunner(Reshape.self, ["allowzero": .int(1)])
    #expect(try runner(.runtime(empty), .constant(TensorBuffer([3, 0]))).shape == [3, 0])
    #expect(try runner(.runtime(empty), .constant(TensorBuffer([3, 0, 5]))).shape == [3, 0, 5])
    #expect(throws: GraphError.self) {
      try runner(.runtime(Self.x), .constant(TensorBuffer([0, -1])))
    }
  }

  @Test func `says what to do about a shape that is not constant`() {
    let error = #expect(throws: GraphError.self) {
      try OperatorRunner(Reshape.self)(.runtime(Self.x), .runtime(TensorBuffer([4, 6])))
    }
    #expect(error?.message.contains("--shape") == true)
  }

  @Test func `keeps channels last where batch and channels stay`() throws {
    let x = TensorBuffer.counting([2, 3, 4, 5])
    let y = try OperatorRunner(Reshape.self).outcome(
      .channelsLast(x), .constant(TensorBuffer([2, 3, 20])))
    // One copy: the output's own layout.
    #expect(y.opcodes == ["copy"])
    #expect(y.outputs[0].contents == x.contents)
    let flat = TensorBuffer.counting([2, 3, 1, 1])
    let z = try OperatorRunner(Flatten.self).outcome(.channelsLast(flat))
    #expect(z.outputs[0].shape == [2, 3])
    #expect(z.outputs[0].contents == flat.contents)
  }

  @Test(arguments: [(1, [2, 12]), (0, [1, 24]), (3, [24, 1]), (-1, [6, 4]), (-3, [1, 24])])
  func `flattens around an axis`(_ axis: Int, _ expected: [Int]) throws {
    let y = try OperatorRunner(Flatten.self, ["axis": .int(axis)])(.runtime(Self.x))
    #expect(y.shape.dimensions == expected)
    #expect(y.contents == Self.x.contents)
  }

  @Test func `squeezes and unsqueezes by attribute and by input`() throws {
    let x = TensorBuffer.counting([1, 3, 1, 4])
    #expect(try OperatorRunner(Squeeze.self)(.runtime(x)).shape == [3, 4])
    let axes = TensorBuffer([-2])
    #expect(try OperatorRunner(Squeeze.self)(.runtime(x), .constant(axes)).shape == [1, 3, 4])
    let old = OperatorRunner(Squeeze.self, version: 11, ["axes": .ints([0])])
    #expect(try old(.runtime(x)).shape == [3, 1, 4])
    #expect(throws: GraphError.self) {
      try OperatorRunner(Squeeze.self)(.runtime(x), .constant(TensorBuffer([1])))
    }
    let places = TensorBuffer([0, -1])
    let wide = try OperatorRunner(Unsqueeze.self)(.runtime(x), .constant(places))
    #expect(wide.shape == [1, 1, 3, 1, 4, 1])
    #expect(throws: GraphError.self) {
      try OperatorRunner(Unsqueeze.self)(.runtime(x), .constant(TensorBuffer([0, 0])))
    }
    let scalar = TensorBuffer([], [5])
    #expect(
      try OperatorRunner(Unsqueeze.self)(.runtime(scalar), .constant(TensorBuffer([0]))).shape == [
        1
      ])
  }

  @Test func `tells shapes and sizes`() throws {
    #expect(try OperatorRunner(ShapeOperator.self)(.runtime(Self.x)).integers() == [2, 3, 4])
    let part = OperatorRunner(ShapeOperator.self, ["start": .int(-2), "end": .int(-1)])
    #expect(try part(.runtime(Self.x)).integers() == [3])
    let none = OperatorRunner(ShapeOperator.self, ["start": .int(2), "end": .int(-9)])
    #expect(try none(.runtime(Self.x)).integers() == [])
    #expect(try OperatorRunner(Size.self)(.runtime(Self.x)).integers() == [24])
  }

  @Test func `reads every form of constant`() throws {
    let forms: [(String, Attribute, TensorBuffer)] = [
      ("value", .tensor(Self.x), Self.x), ("value_float", .float(2), TensorBuffer([], [2])),
      ("value_floats", .floats([1, 2]), TensorBuffer([2], [1, 2])),
      ("value_int", .int(7), TensorBuffer([7]).reshaped([])),
      ("value_ints", .ints([7, 8]), TensorBuffer([7, 8])),
    ]
    for (name, value, expected) in forms {
      let y = try OperatorRunner(Constant.self, [name: value])()
      #expect(y.type == expected.type && y.shape == expected.shape)
      #expect(y.contents == expected.contents)
    }
    #expect(throws: ImportError.self) {
      try OperatorRunner(Constant.self, ["value_string": .string("a")])()
    }
  }
}
