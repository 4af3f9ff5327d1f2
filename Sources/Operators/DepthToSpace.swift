import Graphs
import Instructions
import Tensors

/// Moves channels into b × b blocks of pixels: [N, C, H, W] to [N, C/b², H·b, W·b].
///
/// `mode` DCR: channel = (row · b + column) · C/b² + c; CRD (from version 11): channel = (c · b +
/// row) · b + column. ONNX versions 1 to 13.
package struct DepthToSpace: MovesElements {
  package static let name = "DepthToSpace"
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
    guard x.shape.rank == 4, x.shape[1] % (block * block) == 0 else {
      throw GraphError("the channels of \(x.shape) are no multiple of \(block * block)")
    }
    return [
      ValueInfo(
        type: x.type,
        shape: try Shape(
          checking: [
            x.shape[0], x.shape[1] / (block * block), x.shape[2] * block, x.shape[3] * block,
          ]))
    ]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let layout = lowering.keptLayout(rank: 4)
    let x = try lowering.operand(0, layout)
    let y = try lowering.result(0, layout, type: lowering[x].type)
    let blocks = BlockStrides(
      lowering[x].shape, lowering[y].shape, layout, block: block, channelOuter: isColumnRowDepth)
    lowering.emit(
      Copy(
        x, to: y, extents: blocks.extents, sourceStrides: blocks.deep, targetStrides: blocks.wide))
  }
}

/// The strides of a tensor with blocks in its channels (`deep`) and of one with blocks in its
/// pixels (`wide`), over the extents [N, h, row, w, column, c], or [N, c, h, row, w, column] as
/// declared.
struct BlockStrides {
  var extents: [Int]
  var deep: [Int]
  var wide: [Int]

  /// - Parameter channelOuter: the channel is c · b² + row · b + column, else
  ///   (row · b + column) · C + c.
  init(_ deep: Shape, _ wide: Shape, _ layout: Layout, block: Int, channelOuter: Bool) {
    let at = { (axis: Int) in layout.position(ofAxis: axis, rank: 4) }
    let d = deep.denseStrides
    let w = wide.denseStrides
    let channels = wide[at(1)]
    let step = d[at(1)]
    let rowStep = channelOuter ? step * block : step * block * channels
    let columnStep = channelOuter ? step : step * channels
    let channelStep = channelOuter ? step * block * block : step
    extents = [deep[0], deep[at(2)], block, deep[at(3)], block]
    self.deep = [d[0], d[at(2)], rowStep, d[at(3)], columnStep]
    self.wide = [w[0], w[at(2)] * block, w[at(2)], w[at(3)] * block, w[at(3)]]
    let place = layout == .channelsLast ? 5 : 1
    extents.insert(channels, at: place)
    self.deep.insert(channelStep, at: place)
    self.wide.insert(w[at(1)], at: place)
  }
}
