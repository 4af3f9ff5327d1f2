import Graphs
import Instructions
import Tensors

/// Moves b × b blocks of pixels into channels: [N, C, H, W] to [N, C·b², H/b, W/b].
///
/// `mode` DCR (the only one before version 26): channel = (row · b + column) · C + c; CRD: channel
/// = (c · b + row) · b + column. ONNX versions 1 to 26.
package struct SpaceToDepth: MovesElements {
  package static let name = "SpaceToDepth"
  package var block: Int
  package var isColumnRowDepth: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    guard let size = try node.int("blocksize"), size > 0, size < 1 << 16 else {
      throw node.invalid("blocksize must be a positive number")
    }
    block = size
    let mode = try node.string("mode", default: "DCR")
    guard mode == "DCR" || mode == "CRD" else {
      throw node.unsupported("mode \"\(mode)\" is not known")
    }
    isColumnRowDepth = mode == "CRD"
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "input")
    guard x.shape.rank == 4, x.shape[2] % block == 0, x.shape[3] % block == 0 else {
      throw GraphError("the pixels of \(x.shape) are no multiple of \(block)")
    }
    let (channels, overflow) = x.shape[1].multipliedReportingOverflow(by: block * block)
    guard !overflow else { throw GraphError("the result is too large") }
    return [
      ValueInfo(
        type: x.type,
        shape: try Shape(
          checking: [x.shape[0], channels, x.shape[2] / block, x.shape[3] / block]))
    ]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let layout = lowering.keptLayout(rank: 4)
    let x = try lowering.operand(0, layout)
    let y = try lowering.result(0, layout, type: lowering[x].type)
    let blocks = BlockStrides(
      lowering[y].shape, lowering[x].shape, layout, block: block, channelOuter: isColumnRowDepth)
    lowering.emit(
      Copy(
        x, to: y, extents: blocks.extents, sourceStrides: blocks.wide, targetStrides: blocks.deep))
  }
}
