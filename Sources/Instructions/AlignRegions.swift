import Tensors

/// Samples regions of maps on a regular grid: RoIAlign (He et al., Mask R-CNN, 2017).
///
/// x: [N, C, H, W], rois: [R, 4] as x₁, y₁, x₂, y₂; both and y float32, bfloat16 or float64;
/// batches: int64 [R], the map of each region; y: [R, C, height, width]. Each cell of a region is
/// sampled at `samplingRatio`² points (0: as many as the cell is elements wide and high), linearly
/// between elements; y is their mean, or the greatest of all weighted elements (`isMaximum`).
/// Regions are moved by half an element with `isHalfPixel`, else at least 1 × 1. A batch out of
/// range is a fault at run time.
package struct AlignRegions: Instruction {
  package static let opcode = "align_regions"

  package var input = Operand.none
  package var regions = Operand.none
  package var batches = Operand.none
  package var output = Operand.none
  package var samplingRatio = 0
  package var spatialScale: Float = 1
  package var isHalfPixel = true
  package var isMaximum = false
  private var x = Shape([])
  private var y = Shape([])
  private var types = (ElementType.float32, ElementType.float32, ElementType.float32)

  /// The most points along a side of one cell.
  private static let limit = 1024

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("regions", &regions)
    visitor.input("batches", &batches)
    visitor.output("y", &output)
    visitor.field("sampling_ratio", &samplingRatio)
    visitor.field("spatial_scale", &spatialScale)
    visitor.field("is_half_pixel", &isHalfPixel)
    visitor.field("is_maximum", &isMaximum)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let (maps, rois) = (preparation[input], preparation[regions])
    let (index, result) = (preparation[batches], preparation[output])
    let floats: Set<ElementType> = [.float32, .bfloat16, .float64]
    x = maps.shape
    y = result.shape
    types = (maps.type, rois.type, result.type)
    try preparation.require(
      floats.isSuperset(of: [types.0, types.1, types.2]) && index.type == .int64
        && x.rank == 4 && y.rank == 4 && rois.shape == [y[0], 4] && index.shape == [y[0]]
        && x[1] == y[1] && (y.elementCount == 0 || x.elementCount > 0)
        && (0...Self.limit).contains(samplingRatio), self,
      "\(rois.type) \(rois.shape) of \(maps.type) \(x) into \(result.type) \(y)")
  }

  /// A region in elements of the map, and the points in each of its cells.
  private struct Region {
    var batch: Int
    var top: Float
    var left: Float
    var cellHeight: Float
    var cellWidth: Float
    var rows: Int
    var columns: Int
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let maps = NumericElements(context.pointer(input), types.0)
    let target = NumericElements(context.pointer(output), types.2)
    let (channels, cells) = (y[1], y[2] * y[3])
    for item in context.share(of: y[0] * channels) {
      let (number, channel) = item.quotientAndRemainder(dividingBy: channels)
      let region = region(number, context)
      let plane = (region.batch * channels + channel) * x[2] * x[3]
      for cell in 0..<cells {
        let value = pooled(maps, plane, region, row: cell / y[3], column: cell % y[3])
        target.set(Double(value), at: item * cells + cell)
      }
    }
  }

  private func region(_ number: Int, _ context: borrowing ExecutionContext) -> Region {
    let rois = NumericElements(context.pointer(regions), types.1)
    var batch = Int(context.pointer(batches, as: Int64.self)[number])
    if batch < 0 || batch >= x[0] {
      context.fail(.indexOutOfRange)
      batch = 0
    }
    let offset: Float = isHalfPixel ? 0.5 : 0
    func edge(_ index: Int) -> Float {
      Float(rois.real(4 * number + index)) * spatialScale - offset
    }
    var (width, height) = (edge(2) - edge(0), edge(3) - edge(1))
    if !isHalfPixel { (width, height) = (max(width, 1), max(height, 1)) }
    let (cellHeight, cellWidth) = (height / Float(y[2]), width / Float(y[3]))
    func points(_ extent: Float) -> Int {
      samplingRatio > 0
        ? samplingRatio : min(max(Int(saturating: extent.rounded(.up)), 0), Self.limit)
    }
    return Region(
      batch: batch, top: edge(1), left: edge(0), cellHeight: cellHeight, cellWidth: cellWidth,
      rows: points(cellHeight), columns: points(cellWidth))
  }

  /// The mean or maximum of a cell's points.
  private func pooled(
    _ maps: NumericElements, _ plane: Int, _ region: Region, row: Int, column: Int
  ) -> Float {
    var sum: Float = 0
    var greatest = -Float.infinity
    for i in 0..<region.rows {
      let v =
        region.top + Float(row) * region.cellHeight
        + (Float(i) + 0.5) * region.cellHeight / Float(region.rows)
      for j in 0..<region.columns {
        let u =
          region.left + Float(column) * region.cellWidth
          + (Float(j) + 0.5) * region.cellWidth / Float(region.columns)
        let (total, highest) = sample(maps, plane, u, v)
        sum += total
        greatest = max(greatest, highest)
      }
    }
    let count = region.rows * region.columns
    if isMaximum { return count == 0 ? 0 : greatest }
    return sum / Float(max(count, 1))
  }

  /// The four weighted elements around a point: their sum, and the greatest of them. Points more
  /// than one element outside of the map are zero.
  private func sample(
    _ maps: NumericElements, _ plane: Int, _ u: Float, _ v: Float
  ) -> (sum: Float, greatest: Float) {
    let (height, width) = (x[2], x[3])
    guard v >= -1, v <= Float(height), u >= -1, u <= Float(width) else { return (0, 0) }
    let (v, u) = (max(v, 0), max(u, 0))
    let (top, left) = (min(Int(v), height - 1), min(Int(u), width - 1))
    let (bottom, right) = (min(top + 1, height - 1), min(left + 1, width - 1))
    let low = bottom == top ? 0 : v - Float(top)
    let far = right == left ? 0 : u - Float(left)
    @inline(__always) func element(_ row: Int, _ column: Int) -> Float {
      Float(maps.real(plane + row * width + column))
    }
    let a = (1 - low) * (1 - far) * element(top, left)
    let b = (1 - low) * far * element(top, right)
    let c = low * (1 - far) * element(bottom, left)
    let d = low * far * element(bottom, right)
    return (a + b + c + d, max(max(a, b), max(c, d)))
  }
}

/// Takes the maximum of every cell of regions of maps: RoI pooling (Girshick, Fast R-CNN, 2015).
///
/// x: [N, C, H, W], rois: [R, 5] as batch, x₁, y₁, x₂, y₂ (inclusive); both and y float32, bfloat16
/// or float64; y: [R, C, height, width]. Corners are scaled and rounded to elements; a cell without
/// elements is 0. A batch out of range is a fault at run time.
package struct PoolRegions: Instruction {
  package static let opcode = "pool_regions"

  package var input = Operand.none
  package var regions = Operand.none
  package var output = Operand.none
  package var spatialScale: Float = 1
  private var x = Shape([])
  private var y = Shape([])
  private var types = (ElementType.float32, ElementType.float32, ElementType.float32)

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("regions", &regions)
    visitor.output("y", &output)
    visitor.field("spatial_scale", &spatialScale)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let (maps, rois, result) = (preparation[input], preparation[regions], preparation[output])
    let floats: Set<ElementType> = [.float32, .bfloat16, .float64]
    x = maps.shape
    y = result.shape
    types = (maps.type, rois.type, result.type)
    try preparation.require(
      floats.isSuperset(of: [types.0, types.1, types.2]) && x.rank == 4 && y.rank == 4
        && rois.shape == [y[0], 5] && x[1] == y[1] && (y.elementCount == 0 || x.elementCount > 0),
      self, "\(rois.type) \(rois.shape) of \(maps.type) \(x) into \(result.type) \(y)")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let maps = NumericElements(context.pointer(input), types.0)
    let rois = NumericElements(context.pointer(regions), types.1)
    let target = NumericElements(context.pointer(output), types.2)
    let (channels, height, width) = (x[1], x[2], x[3])
    for item in context.share(of: y[0] * channels) {
      let (number, channel) = item.quotientAndRemainder(dividingBy: channels)
      var batch = rois.whole(5 * number)
      if batch < 0 || batch >= x[0] {
        context.fail(.indexOutOfRange)
        batch = 0
      }
      // Far corners stay numbers that can be added.
      func corner(_ index: Int) -> Int {
        let value = (Float(rois.real(5 * number + index)) * spatialScale).rounded()
        return Int(saturating: min(max(value, -1e9), 1e9))
      }
      let (left, top) = (corner(1), corner(2))
      let cellWidth = Float(max(corner(3) - left + 1, 1)) / Float(y[3])
      let cellHeight = Float(max(corner(4) - top + 1, 1)) / Float(y[2])
      func span(_ index: Int, _ size: Float, _ start: Int, _ extent: Int) -> Range<Int> {
        let from = Int(saturating: (Float(index) * size).rounded(.down)) + start
        let to = Int(saturating: (Float(index + 1) * size).rounded(.up)) + start
        let low = min(max(from, 0), extent)
        return low..<max(min(max(to, 0), extent), low)
      }
      for cell in 0..<y[2] * y[3] {
        let rows = span(cell / y[3], cellHeight, top, height)
        let columns = span(cell % y[3], cellWidth, left, width)
        var greatest = -Double.infinity
        for row in rows {
          for column in columns {
            let place = ((batch * channels + channel) * height + row) * width + column
            greatest = max(greatest, maps.real(place))
          }
        }
        let isEmpty = rows.isEmpty || columns.isEmpty
        target.set(isEmpty ? 0 : greatest, at: item * y[2] * y[3] + cell)
      }
    }
  }
}
