import Tensors
import Testing

/// Checks the shape of a tensor, and every element up to a relative (and absolute) difference.
func expectClose(
  _ tensor: TensorBuffer, _ shape: Shape, _ values: [Float], tolerance: Float = 1e-4,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(tensor.shape == shape, sourceLocation: sourceLocation)
  let found = tensor.contents
  #expect(found.count == values.count, sourceLocation: sourceLocation)
  for (index, (x, y)) in zip(found, values).enumerated() {
    let isClose = x == y || x.isNaN && y.isNaN || abs(x - y) <= tolerance * (1 + abs(y))
    #expect(isClose, "element \(index) is \(x), not \(y)", sourceLocation: sourceLocation)
  }
}
