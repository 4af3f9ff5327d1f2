import Graphs
import Instructions
import Tensors

/// Convolves with taps that data moves: y[m, o] = b[m] + Σ mask · x[c, o·stride + k·dilation − pad
/// + offset] · w[m, c, k], read bilinearly, zero outside.
///
/// x: [N, C, H, W]; w: [M, C / group, kh, kw]; offset: [N, O · kh · kw · 2, Ho, Wo]; b: [M] and
/// mask: [N, O · kh · kw, Ho, Wo] optional; y: [N, M, Ho, Wo]; float, O = `offset_group`. ONNX
/// versions 19 and 22. Other than two spatial axes are refused.
package struct DeformConv: LoweredOperator {
  package static let name = "DeformConv"
  package static let sinceVersion = 19

  var window: Window
  var groupCount: Int
  var offsetGroups: Int

  package init(importing node: NodeReader) throws(ImportError) {
    window = try Window(importing: node)
    groupCount = try node.int("group", default: 1)
    offsetGroups = try node.int("offset_group", default: 1)
    guard groupCount >= 1, offsetGroups >= 1 else {
      throw node.invalid("group \(groupCount) and offset_group \(offsetGroups) must be positive")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let (x, w) = try convolutionOperands(inputs)
    let offset = try inputs.required(2, "offset")
    guard x.shape.rank == 4 else {
      throw GraphError("x is \(x.shape); only two spatial axes are supported")
    }
    guard x.type != .float64 else { throw GraphError("float64 is not supported; use float32") }
    guard w.shape[1] * groupCount == x.shape[1], w.shape[0] % groupCount == 0,
      x.shape[1] % offsetGroups == 0
    else {
      throw GraphError(
        "weights \(w.shape) in \(groupCount) groups and \(offsetGroups) groups of offsets do not "
          + "fit to x \(x.shape)")
    }
    let resolved = try resolvedWindow(x.shape, w.shape)
    let taps = offsetGroups * resolved.kernel.reduce(1, *)
    let expected = Shape([x.shape[0], 2 * taps] + resolved.output)
    guard offset.shape == expected else {
      throw GraphError("offset is \(offset.shape), but must be \(expected)")
    }
    if let bias = inputs.optional(3), bias.shape != [w.shape[0]] {
      throw GraphError("the bias is \(bias.shape), but there are \(w.shape[0]) output channels")
    }
    if let mask = inputs.optional(4), mask.shape != Shape([x.shape[0], taps] + resolved.output) {
      throw GraphError("mask is \(mask.shape), but must be half of offset, \(expected)")
    }
    return [ValueInfo(type: x.type, shape: Shape([x.shape[0], w.shape[0]] + resolved.output))]
  }

  private func resolvedWindow(_ x: Shape, _ w: Shape) throws(GraphError) -> Window.Resolved {
    try window.resolved(
      input: Array(x.dimensions.dropFirst(2)), kernel: Array(w.dimensions.dropFirst(2)))
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let window = try resolvedWindow(lowering.required(0).shape, lowering.required(1).shape)
    var convolution = DeformedConvolution()
    convolution.x = try lowering.operand(0, type: .float32)
    convolution.weights = try lowering.operand(1, type: .float32)
    convolution.offset = try lowering.operand(2, type: .float32)
    if lowering.info(3) != nil { convolution.bias = try lowering.operand(3, type: .float32) }
    if lowering.info(4) != nil { convolution.mask = try lowering.operand(4, type: .float32) }
    convolution.strides = window.strides
    convolution.pads = window.padsBegin
    convolution.dilations = window.dilations
    convolution.groups = groupCount
    convolution.offsetGroups = offsetGroups
    convolution.y = try lowering.result(0, type: .float32)
    lowering.emit(convolution)
  }
}
