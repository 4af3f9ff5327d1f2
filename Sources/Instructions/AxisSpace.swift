import Tensors

/// A dense tensor seen along one axis, or several adjacent ones as if they were one:
/// [outer, extent, inner].
struct AxisSpace: Sendable {
  private(set) var outer = 0
  private(set) var extent = 0
  private(set) var inner = 0

  init() {}

  /// - Returns: nil where the tensor has no such axis.
  init?(_ shape: Shape, axis: Int, count: Int = 1) {
    guard axis >= 0, count >= 0, axis <= shape.rank, count <= shape.rank - axis else { return nil }
    outer = shape.dimensions[..<axis].reduce(1, *)
    extent = shape.dimensions[axis..<axis + count].reduce(1, *)
    inner = shape.dimensions[(axis + count)...].reduce(1, *)
  }

  /// The number of lines along the axis.
  var lineCount: Int { outer * inner }

  /// The offset of the first element of a line; the others follow `inner` apart.
  @inline(__always)
  func offset(ofLine line: Int) -> Int {
    line / inner * (extent * inner) + line % inner
  }
}
