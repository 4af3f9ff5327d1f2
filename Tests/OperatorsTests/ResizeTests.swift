import Graphs
import Kernels
import Tensors
import Testing

@testable import Operators

@Suite struct ResizeTests {
  /// The plain formula: every output position is the sum over all taps of all axes.
  static func reference(
    _ x: TensorBuffer, _ shape: Shape, coordinate: (Int, Int) -> Float,
    weights: (Float) -> [(offset: Int, weight: Float)]
  ) -> TensorBuffer {
    TensorBuffer.computed(shape) { index in
      var sum: Float = 0
      let axes = index.indices.map { axis in
        let c = coordinate(axis, index[axis])
        return weights(c).map {
          (min(max(Int(c.rounded(.down)) + $0.offset, 0), x.shape[axis] - 1), $0.weight)
        }
      }
      func add(_ axis: Int, _ at: [Int], _ weight: Float) {
        if axis == axes.count {
          sum += weight * x.value(at)
          return
        }
        for (place, w) in axes[axis] where w != 0 { add(axis + 1, at + [place], weight * w) }
      }
      add(0, [], 1)
      return sum
    }
  }

  static func linear(_ c: Float) -> [(offset: Int, weight: Float)] {
    let f = c - c.rounded(.down)
    return [(0, 1 - f), (1, f)]
  }

  static func scales(_ values: [Float]) -> OperatorRunner.Input {
    .constant(TensorBuffer([values.count], values))
  }

  @Test(arguments: ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
  func `interpolates linearly in every layout`(_ mode: String) throws {
    let x = TensorBuffer.random([2, 3, 4, 5], seed: 7)
    for size in [[8, 10], [3, 2], [1, 7], [4, 9]] {
      let shape = Shape([2, 3] + size)
      let expected = Self.reference(x, shape) { axis, index in
        if axis < 2 { return Float(index) }
        let scale = Float(shape[axis]) / Float(x.shape[axis])
        let c: Float =
          switch mode {
          case "asymmetric": Float(index) / scale
          case "align_corners":
            shape[axis] == 1 ? 0 : Float(index * (x.shape[axis] - 1)) / Float(shape[axis] - 1)
          case "pytorch_half_pixel" where shape[axis] == 1: 0
          default: (Float(index) + 0.5) / scale - 0.5
          }
        return min(max(c, 0), Float(x.shape[axis] - 1))
      } weights: {
        Self.linear($0)
      }
      for parts in [1, 3] {
        for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
          var runner = OperatorRunner(
            Resize.self,
            ["mode": .string("linear"), "coordinate_transformation_mode": .string(mode)])
          runner.parts = parts
          let y = try runner(
            input, .absent, .absent, .constant(TensorBuffer(shape.dimensions)))
          #expect(y.difference(to: expected) < 1e-6)
        }
      }
    }
  }

  @Test func `rounds to the nearest as asked`() throws {
    let x = TensorBuffer.counting([1, 1, 1, 4])
    let expected: [(String, [Float])] = [
      ("round_prefer_floor", [0, 1, 2, 3, 3]), ("floor", [0, 0, 1, 2, 3]),
      ("ceil", [0, 1, 2, 3, 3]), ("round_prefer_ceil", [0, 1, 2, 2, 3]),
    ]
    // Coordinates: -0.1, 0.7, 1.5, 2.3, 3.1
    for (mode, places) in expected {
      let y = try OperatorRunner(Resize.self, ["nearest_mode": .string(mode)])(
        .runtime(x), .absent, .absent, .constant(TensorBuffer([1, 1, 1, 5])))
      let c: [Float] = [-0.1, 0.7, 1.5, 2.3, 3.1]
      let want = c.map { value -> Float in
        let r: Float =
          switch mode {
          case "floor": value.rounded(.down)
          case "ceil": value.rounded(.up)
          case "round_prefer_floor": (value - 0.5).rounded(.up)
          default: (value + 0.5).rounded(.down)
          }
        return min(max(r, 0), 3)
      }
      #expect(y.contents == want)
      #expect(places.count == want.count)
    }
  }

  @Test func `doubles pixels in every layout and type`() throws {
    for type in [ElementType.float32, .uint8, .int64, .bfloat16] {
      let x = try #require(TensorBuffer.counting([1, 5, 3, 2]).converted(to: type))
      let expected = TensorBuffer.computed([1, 5, 6, 4]) {
        x.value([$0[0], $0[1], $0[2] / 2, $0[3] / 2])
      }
      for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
        for version in [10, 13] {
          let runner = OperatorRunner(
            Resize.self, version: version,
            version == 10
              ? [:]
              : [
                "coordinate_transformation_mode": .string("asymmetric"),
                "nearest_mode": .string("floor"),
              ])
          let scales = Self.scales([1, 1, 2, 2])
          let y = try version == 10 ? runner(input, scales) : runner(input, .absent, scales)
          #expect(y.type == type)
          #expect(y.contents == expected.contents)
        }
        let old = OperatorRunner(Upsample.self, version: 7, ["scales": .floats([1, 1, 2, 2])])
        #expect(try old(input).contents == expected.contents)
        #expect(
          try OperatorRunner(Upsample.self, version: 9)(input, Self.scales([1, 1, 2, 2])).contents
            == expected.contents)
      }
    }
  }

  @Test func `version 10 rounds up where it shrinks`() throws {
    let x = TensorBuffer.counting([1, 1, 2, 4])
    let y = try OperatorRunner(Resize.self, version: 10)(
      .runtime(x), Self.scales([1, 1, 0.6, 0.6]))
    #expect(y.shape == [1, 1, 1, 2])
    #expect(y.contents == [0, 2])
  }

  @Test func `interpolates cubically`() throws {
    let x = TensorBuffer.random([1, 2, 5, 4], seed: 11)
    let shape = Shape([1, 2, 8, 9])
    let a: Float = -0.5
    let expected = Self.reference(x, shape) { axis, index in
      axis < 2
        ? Float(index)
        : (Float(index) + 0.5) * Float(x.shape[axis]) / Float(shape[axis]) - 0.5
    } weights: { c in
      let f = c - c.rounded(.down)
      let near = { (d: Float) in ((a + 2) * d - (a + 3)) * d * d + 1 }
      let far = { (d: Float) in ((a * d - 5 * a) * d + 8 * a) * d - 4 * a }
      return [(-1, far(1 + f)), (0, near(f)), (1, near(1 - f)), (2, far(2 - f))]
    }
    for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
      let y = try OperatorRunner(
        Resize.self, ["mode": .string("cubic"), "cubic_coeff_a": .float(a)])(
          input, .absent, .absent, .constant(TensorBuffer(shape.dimensions)))
      #expect(y.difference(to: expected) < 1e-5)
    }
  }

  @Test func `crops and extrapolates`() throws {
    let x = TensorBuffer.counting([1, 1, 4, 4])
    let y = try OperatorRunner(
      Resize.self,
      [
        "mode": .string("linear"), "extrapolation_value": .float(10),
        "coordinate_transformation_mode": .string("tf_crop_and_resize"),
      ])(
        .runtime(x), .constant(TensorBuffer([8], [0, 0, 0.4, 0.6, 1, 1, 1.2, 1.7])), .absent,
        .constant(TensorBuffer([1, 1, 3, 3])))
    let want: [Float] = [6.6, 10, 10, 11.4, 10, 10, 10, 10, 10]
    #expect(zip(y.contents, want).allSatisfy { abs($0 - $1) < 1e-4 }, "\(y.contents)")
    // Row 2 lies at 3.6: outside.
    #expect(y.contents.count == want.count)
  }

  @Test func `keeps the aspect ratio as asked`() throws {
    let x = TensorBuffer.counting([1, 1, 2, 4])
    let axes: [String: Attribute] = ["axes": .ints([2, 3])]
    for (policy, extents) in [("not_larger", [4, 7]), ("not_smaller", [4, 8])] {
      let runner = OperatorRunner(
        Resize.self,
        axes.merging(["keep_aspect_ratio_policy": .string(policy)]) { a, _ in a })
      let y = try runner(
        .runtime(x), .absent, .absent,
        .constant(TensorBuffer(policy == "not_larger" ? [4, 7] : [3, 8])))
      #expect(y.shape.dimensions[2...] == extents[...])
    }
  }

  @Test func `refuses impossible scales`() {
    for scale in [0, -1, Float.nan, .infinity, 1e30] {
      #expect(throws: GraphError.self) {
        try OperatorRunner(Resize.self)(
          .runtime(.counting([1, 1, 2, 2])), .absent, Self.scales([1, 1, 1, scale]))
      }
    }
  }

  @Test(arguments: ["linear", "cubic"])
  func `every instruction set gives the same bits, in bfloat16 too`(_ mode: String) throws {
    let available = [ISA.portable, .avx2, .avx512].filter(\.isAvailable)
    print("resize: seed 5, instruction sets \(available)")
    for shape in [Shape([1, 1, 5, 7]), [2, 21, 4, 3], [1, 64, 3, 3]] {
      let x = TensorBuffer.random(shape, seed: 5)
      let narrow = try #require(x.converted(to: .bfloat16))
      let wide = try #require(narrow.converted(to: .float32))
      let size = OperatorRunner.Input.constant(TensorBuffer([shape[0], shape[1], 9, 11]))
      for last in [false, true] {
        let input = { (tensor: TensorBuffer) in
          last ? OperatorRunner.Input.channelsLast(tensor) : .runtime(tensor)
        }
        var runner = OperatorRunner(Resize.self, ["mode": .string(mode)])
        runner.isas = ISA.portable.included
        let expected = try runner(input(x), .absent, .absent, size)
        let rounded = try #require(
          try runner(input(wide), .absent, .absent, size).converted(to: .bfloat16))
        for isa in available {
          runner.isas = isa.included
          #expect(try runner(input(x), .absent, .absent, size).contents == expected.contents)
          let y = try runner(input(narrow), .absent, .absent, size)
          #expect(y.type == .bfloat16)
          #expect(y.contents == rounded.contents)
        }
      }
    }
  }
}
