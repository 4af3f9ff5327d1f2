import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct SamplingTests {
  private struct Tap {
    var place: Int
    var weight: Float
  }

  /// Folds a coordinate back about `low` and `high` until it lies between them.
  static func mirrored(_ x: Float, _ low: Float, _ high: Float) -> Float {
    guard high > low else { return 0 }
    var x = x
    while x < low || x > high { x = x < low ? 2 * low - x : 2 * high - x }
    return x
  }

  /// One value by the definition: a sum over all elements, weighted per axis.
  static func reference(
    _ x: TensorBuffer, _ n: Int, _ c: Int, _ at: [Float], _ padding: String, _ aligned: Bool,
    nearest: Bool
  ) -> Float {
    let extents = Array(x.shape.dimensions[2...])
    var taps: [[Tap]] = []
    for (axis, extent) in extents.enumerated() {
      let last = Float(extent - 1)
      let value = at[extents.count - 1 - axis]
      var p = aligned ? (value + 1) / 2 * last : ((value + 1) * Float(extent) - 1) / 2
      if padding == "border" { p = min(max(p, 0), last) }
      if padding == "reflection" {
        p = aligned ? mirrored(p, 0, last) : mirrored(p, -0.5, last + 0.5)
        p = min(max(p, 0), last)
      }
      let low = nearest ? p.rounded(.toNearestOrEven) : p.rounded(.down)
      let f = p - low
      let first = Tap(place: Int(low), weight: nearest ? 1 : 1 - f)
      taps.append(nearest ? [first] : [first, Tap(place: Int(low) + 1, weight: f)])
    }
    let inside = { (place: [Int]) in zip(place, extents).allSatisfy { $0 >= 0 && $0 < $1 } }
    var sum: Float = 0
    for choice in TensorBuffer.indices(Shape(taps.map(\.count))) {
      let chosen: [Tap] = zip(taps, choice).map { $0[$1] }
      let place = chosen.map(\.place)
      guard inside(place) else { continue }
      let weight = chosen.reduce(Float(1)) { $0 * $1.weight }
      sum += weight * x.value([n, c] + place)
    }
    return sum
  }

  @Test(arguments: ["zeros", "border", "reflection"], [false, true])
  func `samples pictures and volumes`(_ padding: String, _ aligned: Bool) throws {
    print("grid samples: seeds 1 and 2")
    for (shape, points) in [(Shape([2, 3, 4, 5]), [3, 2]), ([1, 2, 3, 4, 5], [2, 2, 3])] {
      let x = TensorBuffer.random(shape, seed: 1)
      let rank = shape.rank - 2
      let raw = TensorBuffer.random(Shape([shape[0]] + points + [rank]), seed: 2)
      let grid = TensorBuffer(raw.shape, raw.contents.map { $0 * 1.7 })
      for nearest in [false, true] {
        let y = try OperatorRunner(
          GridSample.self,
          [
            "mode": .string(nearest ? "nearest" : "linear"), "padding_mode": .string(padding),
            "align_corners": .int(aligned ? 1 : 0),
          ])(.runtime(x), .runtime(grid))
        let expected = TensorBuffer.computed(Shape([shape[0], shape[1]] + points)) { index in
          let at = (0..<rank).map { grid.value([index[0]] + index[2...] + [$0]) }
          return Self.reference(x, index[0], index[1], at, padding, aligned, nearest: nearest)
        }
        #expect(y.shape == expected.shape)
        #expect(y.difference(to: expected) < 1e-5)
      }
    }
  }

  @Test func `a cubic filter keeps what lies on the grid, and hostile coordinates are harmless`()
    throws
  {
    let x = TensorBuffer.random([1, 1, 3, 3], seed: 4)
    let places: [Float] = [-1, -1, 0, 0, 1, 1, .nan, .infinity, 1e30, -1e30]
    for padding in ["zeros", "border", "reflection"] {
      for mode in ["cubic", "linear", "nearest"] {
        let y = try OperatorRunner(
          GridSample.self,
          [
            "mode": .string(mode), "align_corners": .int(1), "padding_mode": .string(padding),
          ])(.runtime(x), .runtime(TensorBuffer([1, 1, 5, 2], places)))
        #expect(abs(y.contents[0] - x.contents[0]) < 1e-6)
        #expect(abs(y.contents[1] - x.contents[4]) < 1e-6)
        #expect(abs(y.contents[2] - x.contents[8]) < 1e-6)
      }
    }
  }

  @Test func `refuses grids that do not fit`() {
    for shape in [Shape([2, 2, 2, 2]), [1, 2, 2, 3], [1, 2, 2]] {
      #expect(throws: GraphError.self) {
        try OperatorRunner(GridSample.self)(
          .runtime(.counting([1, 1, 3, 3])), .runtime(.counting(shape)))
      }
    }
  }

  @Test func `folding adds up what cutting had doubled`() throws {
    // Every element counts as often as blocks cover it.
    let (height, width, block, stride, pad) = (5, 6, 3, 2, 1)
    let rows = (height + 2 * pad - block) / stride + 1
    let columns = (width + 2 * pad - block) / stride + 1
    let picture = TensorBuffer.counting([1, 2, height, width], from: 1)
    let inside = { (y: Int, x: Int) in y >= 0 && y < height && x >= 0 && x < width }
    var cover = [Float](repeating: 0, count: height * width)
    let cut = TensorBuffer.computed([1, 2 * block * block, rows * columns]) { index in
      let (c, k) = index[1].quotientAndRemainder(dividingBy: block * block)
      let y = index[2] / columns * stride + k / block - pad
      let x = index[2] % columns * stride + k % block - pad
      guard inside(y, x) else { return 99 }
      if c == 0 { cover[y * width + x] += 1 }
      return picture.value([0, c, y, x])
    }
    let y = try OperatorRunner(
      Col2Im.self, ["pads": .ints([pad, pad, pad, pad]), "strides": .ints([stride, stride])])(
        .runtime(cut), .constant(TensorBuffer([height, width])),
        .constant(TensorBuffer([block, block])))
    let expected = TensorBuffer.computed(picture.shape) {
      picture.value($0) * cover[$0[2] * width + $0[3]]
    }
    #expect(y.shape == picture.shape)
    #expect(y.contents == expected.contents)
    #expect(throws: GraphError.self) {
      try OperatorRunner(Col2Im.self)(
        .runtime(cut), .constant(TensorBuffer([height, width])),
        .constant(TensorBuffer([block, block])))
    }
  }
}
