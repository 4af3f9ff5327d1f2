import Graphs
import Instructions
import Tensors

/// Puts pooled maxima back where they came from; everything else is zero.
///
/// X: [N, C, ...]; I: int64 of X's shape, positions in the flattened unpooled tensor; output_shape:
/// constant, or absent: (x - 1) · stride - pads + kernel on every spatial axis. A larger output
/// keeps the unpooled tensor at its beginning. Attributes `kernel_shape`, `strides`, `pads`. ONNX
/// versions 9 to 22. A position out of range is an error at run time.
package struct MaxUnpool: LoweredOperator {
  package static let name = "MaxUnpool"
  package static let sinceVersion = 9

  package var window: Window

  package init(importing node: NodeReader) throws(ImportError) {
    window = Window(
      kernel: try node.ints("kernel_shape") ?? [], strides: try node.ints("strides") ?? [],
      pads: try node.ints("pads") ?? [])
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "X")
    let indices = try inputs.required(1, "I")
    guard indices.type == .int64, indices.shape == x.shape else {
      throw GraphError("I is \(indices.type) \(indices.shape), but must be int64 \(x.shape)")
    }
    let natural = try unpooled(x.shape)
    guard let given = try inputs.constantIntegers(2, "output_shape") else {
      return [ValueInfo(type: x.type, shape: natural)]
    }
    guard given.count == natural.rank, zip(given, natural.dimensions).allSatisfy({ $0 >= $1 })
    else { throw GraphError("output_shape is \(given), but must be at least \(natural)") }
    return [ValueInfo(type: x.type, shape: try Shape(checking: given))]
  }

  /// The shape of the tensor that was pooled, as far as the attributes tell.
  private func unpooled(_ x: Shape) throws(GraphError) -> Shape {
    let rank = x.rank - 2
    let kernel = window.kernel
    let strides = window.strides.isEmpty ? kernel.map { _ in 1 } : window.strides
    let pads = window.pads.isEmpty ? kernel.flatMap { _ in [0, 0] } : window.pads
    let limit = 1 << 24
    guard rank > 0, kernel.count == rank, strides.count == rank, pads.count == 2 * rank,
      (kernel + strides).allSatisfy({ 1...limit ~= $0 }), pads.allSatisfy({ 0...limit ~= $0 })
    else {
      throw GraphError("\(x) does not fit to kernel \(kernel), strides \(strides), pads \(pads)")
    }
    var result = x.dimensions
    for axis in 0..<rank {
      let (span, overflow) = (x[axis + 2] - 1).multipliedReportingOverflow(by: strides[axis])
      guard !overflow, span < Limits.elements else { throw GraphError("\(x) is too large") }
      result[axis + 2] = span - pads[axis] - pads[rank + axis] + kernel[axis]
    }
    return try Shape(checking: result)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let natural = try unpooled(shape)
    let updates = lowering.reshaped(try lowering.operand(0), [shape.elementCount])
    let indices = lowering.reshaped(
      try lowering.operand(1, type: .int64), [shape.elementCount])
    let type = lowering[updates].type
    let y = try lowering.result(0, type: type)
    let isWhole = lowering[y].shape == natural
    let flat: Shape = [natural.elementCount]
    let target = isWhole ? lowering.reshaped(y, flat) : lowering.temporary(type, flat)
    lowering.emit(Fill(target, bits: 0))
    if shape.elementCount > 0 {
      lowering.emit(ScatterAlongAxis(updates, at: indices, axis: 0, .none, into: target))
    }
    if !isWhole {
      lowering.emit(Fill(y, bits: 0))
      lowering.emit(
        Copy(
          target, to: y, extents: natural.dimensions, sourceStrides: natural.denseStrides,
          targetStrides: lowering[y].shape.denseStrides))
    }
  }
}
