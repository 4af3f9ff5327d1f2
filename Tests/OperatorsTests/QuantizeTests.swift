import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct QuantizeTests {
  @Test(arguments: [ElementType.uint8, .int8, .uint16, .int16])
  func `rounds to even and saturates`(_ type: ElementType) throws {
    let x = TensorBuffer([7], [0, 0.25, 0.75, -0.25, 1e9, -1e9, 2])
    let zero = try #require(TensorBuffer([], [3]).converted(to: type))
    let scale = TensorBuffer([], [0.5])
    let y = try OperatorRunner(QuantizeLinear.self)(
      .runtime(x), .constant(scale), .constant(zero))
    let range: (Float, Float) =
      switch type {
      case .uint8: (0, 255)
      case .int8: (-128, 127)
      case .uint16: (0, 65535)
      default: (-32768, 32767)
      }
    #expect(y.type == type)
    #expect(y.contents == [3, 3, 5, 3, range.1, range.0, 7])
    let back = try OperatorRunner(DequantizeLinear.self)(
      .runtime(y), .constant(scale), .constant(zero))
    #expect(back.contents == y.contents.map { ($0 - 3) * 0.5 })
  }

  @Test(arguments: [0, 1, 2, -1])
  func `scales each position of an axis, in every layout`(_ axis: Int) throws {
    let x = TensorBuffer.random([2, 3, 4], seed: 3)
    let place = axis < 0 ? axis + 3 : axis
    let count = x.shape[place]
    let scale = TensorBuffer([count], (0..<count).map { Float($0 + 1) / 100 })
    let zero = TensorBuffer(.int8, [count], (0..<count).map { Int8($0) })
    let expected = TensorBuffer.computed(x.shape) { index in
      let c = index[place]
      let q = (x.value(index) / (Float(c + 1) / 100)).rounded(.toNearestOrEven) + Float(c)
      return min(max(q, -128), 127)
    }
    for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
      let y = try OperatorRunner(QuantizeLinear.self, ["axis": .int(axis)])(
        input, .runtime(scale), .runtime(zero))
      #expect(y.contents == expected.contents)
    }
    let back = try OperatorRunner(DequantizeLinear.self, ["axis": .int(axis)])(
      .runtime(try #require(expected.converted(to: .int8))), .runtime(scale), .runtime(zero))
    let want = TensorBuffer.computed(x.shape) { index in
      (expected.value(index) - Float(index[place])) * (Float(index[place] + 1) / 100)
    }
    #expect(back.contents == want.contents)
  }

  @Test func `an axis without positions has no scales`() throws {
    let x = TensorBuffer([2, 0], [])
    let scale = TensorBuffer([0], [])
    let y = try OperatorRunner(QuantizeLinear.self)(.runtime(x), .constant(scale))
    #expect(y.type == .uint8 && y.shape == [2, 0])
    #expect(
      try OperatorRunner(DequantizeLinear.self)(.runtime(y), .constant(scale)).shape == [2, 0])
  }

  @Test func `dequantises biases, and refuses what contradicts`() throws {
    let bias = TensorBuffer(.int32, [2], [Int32(-7), 1 << 30])
    let y = try OperatorRunner(DequantizeLinear.self)(
      .runtime(bias), .constant(TensorBuffer([], [0.5])))
    #expect(y.contents == [-3.5, Float(1 << 29)])
    #expect(throws: GraphError.self) {
      try OperatorRunner(QuantizeLinear.self)(
        .runtime(.counting([2, 3])), .constant(TensorBuffer([2], [1, 1])))
    }
  }

  @Test func `finds the range of the data`() throws {
    let x = TensorBuffer([4], [-1, 0.5, 2, 4.1])
    let made = try OperatorRunner(DynamicQuantizeLinear.self, outputs: 3).outputs(.runtime(x))
    let scale: Float = 5.1 / 255
    #expect(abs(made[1].contents[0] - scale) < 1e-8)
    #expect(made[2].contents == [50])
    #expect(made[0].contents == [0, 75, 150, 255])
    let none = try OperatorRunner(DynamicQuantizeLinear.self, outputs: 3)
      .outputs(.runtime(TensorBuffer([2], [0, 0])))
    #expect(none[0].contents == [0, 0])
  }
}
