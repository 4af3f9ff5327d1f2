import Graphs
import Instructions
import Tensors

/// What the pools share: their window and its checks.
struct PoolWindow: Sendable {
  var window: Window

  init(importing node: NodeReader) throws(ImportError) {
    window = try Window(importing: node)
    window.ceilMode = try node.bool("ceil_mode", default: false)
    guard !window.kernel.isEmpty else { throw node.invalid("attribute kernel_shape is missing") }
  }

  /// The window with everything filled in, and the output's shape.
  func resolved(
    _ x: ValueInfo
  ) throws(GraphError) -> (window: Window.Resolved, shape: Shape) {
    guard (3...5).contains(x.shape.rank) else {
      throw GraphError("x is \(x.shape); pools take rank 3 to 5")
    }
    let resolved = try window.resolved(input: Array(x.shape.dimensions[2...]))
    for axis in resolved.kernel.indices
    where resolved.padsBegin[axis] >= resolved.kernel[axis] * resolved.dilations[axis] {
      throw GraphError("pads \(resolved.padsBegin) are not smaller than kernel \(resolved.kernel)")
    }
    return (resolved, try Shape(checking: [x.shape[0], x.shape[1]] + resolved.output))
  }

  /// The instruction from input 0 to output 0, channels-last.
  func instruction(_ function: Pool.Function, _ lowering: Lowering) throws(GraphError) -> Pool {
    let (window, _) = try resolved(lowering.required(0))
    let x = try lowering.operand(0, .channelsLast)
    return Pool(
      function, x, to: try lowering.result(0, .channelsLast), kernel: window.kernel,
      strides: window.strides, dilations: window.dilations, padsBegin: window.padsBegin,
      padsEnd: window.padsEnd)
  }
}
