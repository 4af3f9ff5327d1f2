import Tensors

/// Samples a picture (or volume) where a grid says: y[n, c, …] = x[n, c, grid[n, …, :]] by
/// interpolation.
///
/// x: [N, C, H, W] or [N, C, D, H, W]; grid: [N, …, 2 or 3], coordinates in -1...1, the last axis
/// of x first; y: [N, C, …]; all float32, as declared. The cubic filter is for pictures only.
package struct SampleGrid: Instruction {
  package static let opcode = "sample_grid"

  /// What lies outside.
  package enum Padding: UInt8, Sendable {
    case zeros = 0
    /// The nearest element.
    case border = 1
    /// Mirrored, again and again.
    case reflection = 2
  }

  package var input = Operand.none
  package var grid = Operand.none
  package var output = Operand.none
  package var filter = Interpolation.Filter.linear
  package var padding = Padding.zeros
  /// -1 and 1 are the centres of the outermost elements, not their edges.
  package var alignsCorners = false

  private var batches = 0
  private var channels = 0
  /// The spatial extents of x, outermost first.
  private var extents: [Int] = []
  private var sourceCount = 0
  private var points = 0

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("grid", &grid)
    visitor.output("y", &output)
    visitor.field("filter", &filter)
    visitor.field("padding", &padding)
    visitor.field("aligns_corners", &alignsCorners)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    let place = preparation[grid]
    let rank = x.shape.rank
    try preparation.require(
      x.type == .float32 && y.type == .float32 && place.type == .float32
        && (rank == 4 || rank == 5 && filter != .cubic) && y.shape.rank == rank
        && place.shape.rank == rank, self, "\(x.shape) at \(place.shape) into \(y.shape)")
    try preparation.require(
      place.shape.dimensions == [y.shape[0]] + y.shape.dimensions[2...] + [rank - 2]
        && x.shape[0] == y.shape[0] && x.shape[1] == y.shape[1]
        && (x.shape.elementCount > 0 || y.shape.elementCount == 0)
        && x.shape.dimensions.allSatisfy { $0 < 1 << 24 }, self,
      "\(x.shape) at \(place.shape) into \(y.shape)")
    batches = x.shape[0]
    channels = x.shape[1]
    extents = Array(x.shape.dimensions[2...])
    sourceCount = extents.reduce(1, *)
    points = y.shape.dimensions[2...].reduce(1, *)
    if y.shape.elementCount == 0 { points = 0 }
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let places = context.pointer(grid, as: Float.self)
    let rank = extents.count
    for point in context.share(of: batches * points) {
      let at = places + point * rank
      switch (filter, rank) {
      case (.cubic, _): cubic(point, coordinate(at[1], 0), coordinate(at[0], 1), context)
      case (_, 2):
        blend(point, coordinate(at[1], 0), coordinate(at[0], 1), nil, context)
      default:
        blend(point, coordinate(at[2], 0), coordinate(at[1], 1), coordinate(at[0], 2), context)
      }
    }
  }

  /// The coordinate in elements along a spatial axis; not a number becomes far outside.
  private func coordinate(_ value: Float, _ axis: Int) -> Float {
    let extent = Float(extents[axis])
    let x = alignsCorners ? (value + 1) / 2 * (extent - 1) : ((value + 1) * extent - 1) / 2
    return x.isNaN ? -1e6 : min(max(settled(x, axis), -1e6), 0x1p25)
  }

  /// Moves a coordinate inside, if the padding says so.
  private func settled(_ x: Float, _ axis: Int) -> Float {
    let last = Float(extents[axis] - 1)
    guard filter != .cubic else { return x }
    switch padding {
    case .zeros: return x
    case .border: return min(max(x, 0), last)
    case .reflection: return min(max(reflected(x, last), 0), last)
    }
  }

  private func reflected(_ x: Float, _ last: Float) -> Float {
    let low: Float = alignsCorners ? 0 : -0.5
    let high = alignsCorners ? last : last + 0.5
    let range = high - low
    guard range > 0, x.isFinite else { return 0 }
    if x >= low && x <= high { return x }
    let distance = x < low ? low - x : x - high
    let turns = (distance / range).rounded(.down)
    let rest = distance - turns * range
    let isEven = turns.truncatingRemainder(dividingBy: 2) == 0
    return (x < low) == isEven ? low + rest : high - rest
  }

  /// An element of a channel, 0 outside.
  @inline(__always)
  private func element(_ base: UnsafePointer<Float>, _ z: Int, _ y: Int, _ x: Int) -> Float {
    let rank = extents.count
    guard y >= 0, x >= 0, z >= 0, x < extents[rank - 1], y < extents[rank - 2],
      rank == 2 || z < extents[0]
    else { return 0 }
    return base[(z * extents[rank - 2] + y) * extents[rank - 1] + x]
  }

  /// Linear and nearest filters; coordinates outermost first.
  private func blend(
    _ point: Int, _ a: Float, _ b: Float, _ c: Float?, _ context: borrowing ExecutionContext
  ) {
    let isNearest = filter == .nearest
    // For pictures a is the row and b the column.
    let depth = c == nil ? 0 : a
    let row = c == nil ? a : b
    let column = c ?? b
    let low = { (v: Float) in isNearest ? v.rounded(.toNearestOrEven) : v.rounded(.down) }
    let (z, y, x) = (low(depth), low(row), low(column))
    let (fz, fy, fx) = (depth - z, row - y, column - x)
    let (batch, place) = point.quotientAndRemainder(dividingBy: points)
    let source = context.pointer(input, as: Float.self) + batch * channels * sourceCount
    let target = context.pointer(output, as: Float.self) + batch * channels * points + place
    let (zi, yi, xi) = (Int(z), Int(y), Int(x))
    for channel in 0..<channels {
      let base = UnsafePointer(source + channel * sourceCount)
      if isNearest {
        target[channel * points] = element(base, zi, yi, xi)
        continue
      }
      var value = plane(base, zi, yi, xi, fy, fx)
      if c != nil { value = value * (1 - fz) + plane(base, zi + 1, yi, xi, fy, fx) * fz }
      target[channel * points] = value
    }
  }

  private func plane(
    _ base: UnsafePointer<Float>, _ z: Int, _ y: Int, _ x: Int, _ fy: Float, _ fx: Float
  ) -> Float {
    let top = element(base, z, y, x) * (1 - fx) + element(base, z, y, x + 1) * fx
    let bottom = element(base, z, y + 1, x) * (1 - fx) + element(base, z, y + 1, x + 1) * fx
    return top * (1 - fy) + bottom * fy
  }

  private func cubic(
    _ point: Int, _ row: Float, _ column: Float, _ context: borrowing ExecutionContext
  ) {
    let (y, x) = (row.rounded(.down), column.rounded(.down))
    let rows = SampleGrid.cubicWeights(row - y)
    let columns = SampleGrid.cubicWeights(column - x)
    let (batch, place) = point.quotientAndRemainder(dividingBy: points)
    let source = context.pointer(input, as: Float.self) + batch * channels * sourceCount
    let target = context.pointer(output, as: Float.self) + batch * channels * points + place
    for channel in 0..<channels {
      let base = UnsafePointer(source + channel * sourceCount)
      var sum: Float = 0
      for i in 0..<4 {
        var line: Float = 0
        for j in 0..<4 {
          line += columns[j] * element(base, 0, tap(y, i, 0), tap(x, j, 1))
        }
        sum += rows[i] * line
      }
      target[channel * points] = sum
    }
  }

  /// The position of one of four taps about a coordinate, moved inside as the padding says.
  private func tap(_ base: Float, _ index: Int, _ axis: Int) -> Int {
    let place = base + Float(index - 1)
    let last = Float(extents[axis] - 1)
    switch padding {
    case .zeros: return Int(place)
    case .border: return Int(min(max(place, 0), last))
    case .reflection: return Int(min(max(reflected(place, last), 0), last))
    }
  }

  /// Keys' kernel with the coefficient -0.75 at the four taps about a fraction.
  private static func cubicWeights(_ f: Float) -> SIMD4<Float> {
    let a: Float = -0.75
    let near = { (d: Float) in ((a + 2) * d - (a + 3)) * d * d + 1 }
    let far = { (d: Float) in ((a * d - 5 * a) * d + 8 * a) * d - 4 * a }
    return SIMD4(far(1 + f), near(f), near(1 - f), far(2 - f))
  }
}
