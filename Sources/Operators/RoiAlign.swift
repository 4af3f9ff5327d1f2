import Graphs
import Instructions
import Tensors

/// Samples regions of maps on a regular grid.
///
/// X: [N, C, H, W] float; rois: [R, 4] of X's type; batch_indices: int64 [R]; Y: [R, C,
/// output_height, output_width]. Attributes `mode` (avg, max), `sampling_ratio` (0: as needed),
/// `spatial_scale` (1), `coordinate_transformation_mode` (half_pixel from version 16 on, before:
/// output_half_pixel). ONNX versions 10 to 22.
package struct RoiAlign: LoweredOperator {
  package static let name = "RoiAlign"
  package static let sinceVersion = 10

  package var extent: (height: Int, width: Int)
  package var samplingRatio: Int
  package var spatialScale: Float
  package var isHalfPixel: Bool
  package var isMaximum: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    extent = (try node.int("output_height", default: 1), try node.int("output_width", default: 1))
    samplingRatio = try node.int("sampling_ratio", default: 0)
    spatialScale = try node.float("spatial_scale", default: 1)
    let mode = try node.string("mode", default: "avg")
    let coordinates = try node.string(
      "coordinate_transformation_mode",
      default: node.version < 16 ? "output_half_pixel" : "half_pixel")
    guard ["avg", "max"].contains(mode), ["half_pixel", "output_half_pixel"].contains(coordinates)
    else {
      throw node.invalid(
        "mode is \"\(mode)\" (known: avg, max), coordinate_transformation_mode \"\(coordinates)\" "
          + "(known: half_pixel, output_half_pixel)")
    }
    guard extent.height > 0, extent.width > 0, 0...1024 ~= samplingRatio else {
      throw node.invalid("output \(extent), sampling_ratio \(samplingRatio)")
    }
    isMaximum = mode == "max"
    isHalfPixel = coordinates == "half_pixel"
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "X")
    let rois = try inputs.required(1, "rois")
    let batches = try inputs.required(2, "batch_indices")
    guard x.type.isFloat, rois.type == x.type, x.shape.rank == 4, rois.shape.rank == 2,
      rois.shape[1] == 4, batches.type == .int64, batches.shape == [rois.shape[0]]
    else {
      throw GraphError(
        "X \(x.type) \(x.shape), rois \(rois.type) \(rois.shape), batch_indices \(batches.type) "
          + "\(batches.shape) do not belong together")
    }
    let shape = [rois.shape[0], x.shape[1], extent.height, extent.width]
    return [ValueInfo(type: x.type, shape: try Shape(checking: shape))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var align = AlignRegions()
    align.input = try lowering.operand(0)
    align.regions = try lowering.wideOperand(1)
    align.batches = try lowering.operand(2, type: .int64)
    align.output = try lowering.result(0)
    align.samplingRatio = samplingRatio
    align.spatialScale = spatialScale
    align.isHalfPixel = isHalfPixel
    align.isMaximum = isMaximum
    lowering.emit(align)
  }
}

/// Takes the maximum of every cell of regions of maps.
///
/// X: [N, C, H, W] float; rois: [R, 5] of X's type, the first number the batch; Y: [R, C,
/// pooled_shape...]. Attributes `pooled_shape`, `spatial_scale` (1). ONNX versions 1 and 22.
package struct MaxRoiPool: LoweredOperator {
  package static let name = "MaxRoiPool"

  package var pooled: [Int]
  package var spatialScale: Float

  package init(importing node: NodeReader) throws(ImportError) {
    pooled = try node.ints("pooled_shape") ?? []
    spatialScale = try node.float("spatial_scale", default: 1)
    guard pooled.count == 2, pooled.allSatisfy({ $0 > 0 }) else {
      throw node.invalid("pooled_shape is \(pooled); it must be two positive numbers")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "X")
    let rois = try inputs.required(1, "rois")
    guard x.type.isFloat, rois.type == x.type, x.shape.rank == 4, rois.shape.rank == 2,
      rois.shape[1] == 5
    else {
      throw GraphError(
        "X \(x.type) \(x.shape) and rois \(rois.type) \(rois.shape) do not belong together")
    }
    let shape = try Shape(checking: [rois.shape[0], x.shape[1]] + pooled)
    return [ValueInfo(type: x.type, shape: shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var pool = PoolRegions()
    pool.input = try lowering.operand(0)
    pool.regions = try lowering.wideOperand(1)
    pool.output = try lowering.result(0)
    pool.spatialScale = spatialScale
    lowering.emit(pool)
  }
}

extension Lowering {
  /// A float input whose numbers are positions: never in 16 bits.
  fileprivate func wideOperand(_ index: Int) throws(GraphError) -> Operand {
    try operand(index, type: try required(index).type == .float64 ? .float64 : .float32)
  }
}
