import Graphs
import Instructions
import Tensors

/// Makes the grid of an affine map, for `GridSample`: grid[n, p] = theta[n] · (p, 1).
///
/// theta: [N, 2, 3] or [N, 3, 4] float; size: constant, [N, C, H, W] or [N, C, D, H, W]; grid:
/// [N, H, W, 2] or [N, D, H, W, 3]. Points p run from -1 to 1 along every axis, x first: over the
/// corners' centres with `align_corners`, else over the edges (0, the default). ONNX version 20.
package struct AffineGrid: LoweredOperator {
  package static let name = "AffineGrid"
  package static let sinceVersion = 20

  package var alignsCorners: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    alignsCorners = try node.bool("align_corners", default: false)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let theta = try inputs.required(0, "theta")
    let extents = try extents(inputs)
    let shape = [theta.shape[0]] + extents + [extents.count]
    return [ValueInfo(type: theta.type, shape: try Shape(checking: shape))]
  }

  /// The spatial extents, outermost first.
  private func extents(_ inputs: [ValueInfo?]) throws(GraphError) -> [Int] {
    let theta = try inputs.required(0, "theta")
    guard theta.type.isFloat, theta.shape.rank == 3, 2...3 ~= theta.shape[1],
      theta.shape[2] == theta.shape[1] + 1
    else { throw GraphError("theta is \(theta.type) \(theta.shape), no affine maps") }
    guard let size = try inputs.constantIntegers(1, "size"), size.count == theta.shape[1] + 2,
      size[0] == theta.shape[0], size.allSatisfy({ 0...(1 << 24) ~= $0 })
    else {
      throw GraphError(
        "size must be [\(theta.shape[0]), C, …] with \(theta.shape[1]) spatial extents")
    }
    guard let count = Shape(Array(size[2...])).checkedElementCount, count <= Limits.shapeElements
    else { throw GraphError("a grid of \(size) points is too large") }
    return Array(size[2...])
  }

  /// The coordinate of each position along an axis.
  private func coordinates(_ extent: Int) -> [Double] {
    (0..<extent).map { index in
      alignsCorners
        ? (extent == 1 ? -1 : -1 + 2 * Double(index) / Double(extent - 1))
        : (2 * Double(index) + 1) / Double(extent) - 1
    }
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let extents = try extents(lowering.inputInfos)
    let rank = extents.count
    let axes = extents.map { coordinates($0) }
    let shape = Shape(extents)
    let strides = shape.denseStrides
    var points: [Double] = []
    points.reserveCapacity(shape.elementCount * (rank + 1))
    for place in 0..<shape.elementCount {
      for axis in (0..<rank).reversed() {
        points.append(axes[axis][place / strides[axis] % extents[axis]])
      }
      points.append(1)
    }
    let y = try lowering.result(0)
    let type = lowering[y].type
    let dense = TensorBuffer(.float64, [shape.elementCount, rank + 1], points)
    guard let grid = dense.rounded(to: type) else { throw GraphError("\(type) is not supported") }
    // y[n, p, i] = Σ points[p, k] · theta[n, i, k]
    var sum = SumProducts()
    sum.inputs = [lowering.constant(grid), try lowering.operand(0, type: type)]
    sum.extents = [try lowering.required(0).shape[0], shape.elementCount, rank, rank + 1]
    sum.outputRank = 3
    sum.strides = [0, rank + 1, 0, 1] + [rank * (rank + 1), 0, rank + 1, 1]
    sum.output = lowering.reshaped(y, Shape(Array(sum.extents[..<3])))
    lowering.emit(sum)
  }
}
