// How pixels of a resized row or column follow from the source: the arithmetic of OpenCV's
// cv2.resize on 8-bit samples, so that models see what they were trained on.
//
// Bilinear: position (i + 0.5) · scale − 0.5, weights rounded to 11 bits, one rounding at the end.
// Area: the mean over the covered interval; where either side grows, bilinear with the weights of
// the covered fraction.
internal import ModelFile

/// The source index and the 11-bit weights of each target index; the second source index is the
/// next one, or the last.
struct BilinearTable {
  let first: RowBuffer<Int32>
  /// Left and right of each target index, one after the other.
  let weights: RowBuffer<Int16>
  /// Says whether every target index is one source sample.
  let isPicking: Bool
  private let last: Int

  /// Makes the table of target indices `range` of `target`, for a source of `source` samples.
  init(source: Int, target: Int, range: Range<Int>, coversArea: Bool) {
    first = RowBuffer(range.count)
    weights = RowBuffer(2 * range.count)
    last = source - 1
    let scale = Double(source) / Double(target)
    var isPicking = true
    for (slot, index) in range.enumerated() {
      var lower: Int
      var fraction: Float
      if coversArea {
        lower = Int((Double(index) * scale).rounded(.down))
        fraction = Float(Double(index + 1) - Double(lower + 1) / scale)
        fraction = fraction <= 0 ? 0 : fraction - fraction.rounded(.down)
      } else {
        let position = Float((Double(index) + 0.5) * scale - 0.5)
        lower = Int(position.rounded(.down))
        fraction = position - Float(lower)
      }
      if lower < 0 { (lower, fraction) = (0, 0) }
      if lower >= source - 1 { (lower, fraction) = (source - 1, 0) }
      first.pointer[slot] = Int32(lower)
      let left = Int16(((1 - fraction) * 2048).rounded(.toNearestOrEven))
      let right = Int16((fraction * 2048).rounded(.toNearestOrEven))
      weights.pointer[2 * slot] = left
      weights.pointer[2 * slot + 1] = right
      if left != 2048 || right != 0 { isPicking = false }
    }
    self.isPicking = isPicking
  }

  /// The two source indices of a target index and their weights; an index without weight is given
  /// as the other.
  func place(_ slot: Int) -> (first: Int, second: Int, left: Int32, right: Int32) {
    let (left, right) = (weights.pointer[2 * slot], weights.pointer[2 * slot + 1])
    let lower = Int(first.pointer[slot])
    let upper = min(lower + 1, last)
    return (
      left == 0 ? upper : lower, right == 0 ? lower : upper, Int32(left), Int32(right)
    )
  }
}

/// The run of source indices and their weights of each target index.
struct AreaTable {
  let first: RowBuffer<Int32>
  let counts: RowBuffer<Int32>
  let weights: RowBuffer<Float>
  /// Where the weights of each target index begin.
  let starts: [Int]

  /// Makes the table of target indices `range` of `target`, which is at most `source`.
  init(source: Int, target: Int, range: Range<Int>) {
    first = RowBuffer(range.count)
    counts = RowBuffer(range.count)
    var all: [Float] = []
    var starts: [Int] = []
    let scale = Double(source) / Double(target)
    let tolerance = 1e-3
    for (slot, index) in range.enumerated() {
      let low = Double(index) * scale
      let high = low + scale
      let width = min(scale, Double(source) - low)
      let wholeEnd = min(Int(high.rounded(.down)), source - 1)
      let wholeStart = min(Int(low.rounded(.up)), wholeEnd)
      var begin = wholeStart
      starts.append(all.count)
      if Double(wholeStart) - low > tolerance, wholeStart > 0 {
        begin -= 1
        all.append(Float((Double(wholeStart) - low) / width))
      }
      for _ in wholeStart..<wholeEnd { all.append(Float(1 / width)) }
      if high - Double(wholeEnd) > tolerance {
        all.append(Float(min(min(high - Double(wholeEnd), 1), width) / width))
      }
      first.pointer[slot] = Int32(begin)
      counts.pointer[slot] = Int32(all.count - (starts.last ?? 0))
    }
    weights = RowBuffer(all)
    self.starts = starts
  }
}

/// Which rows and columns of a resized picture are wanted, and how they are computed.
struct ResamplePlan {
  /// How one axis pair is resampled.
  enum Method {
    case bilinear(columns: BilinearTable, rows: BilinearTable)
    case area(columns: AreaTable, rows: AreaTable)
  }

  let source: Preprocessing.Size
  let columns: Range<Int>
  let rows: Range<Int>
  let method: Method

  /// Plans the part `columns` × `rows` of the source resized to `resized`.
  init(
    source: Preprocessing.Size, resized: Preprocessing.Size, columns: Range<Int>, rows: Range<Int>,
    interpolation: Preprocessing.Interpolation
  ) {
    self.source = source
    self.columns = columns
    self.rows = rows
    let shrinks = resized.width <= source.width && resized.height <= source.height
    if interpolation == .area, shrinks {
      method = .area(
        columns: AreaTable(source: source.width, target: resized.width, range: columns),
        rows: AreaTable(source: source.height, target: resized.height, range: rows))
    } else {
      let isArea = interpolation == .area
      method = .bilinear(
        columns: BilinearTable(
          source: source.width, target: resized.width, range: columns, coversArea: isArea),
        rows: BilinearTable(
          source: source.height, target: resized.height, range: rows, coversArea: isArea))
    }
  }
}
