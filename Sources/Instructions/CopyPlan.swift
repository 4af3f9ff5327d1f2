import Kernels
import Tensors

/// How a `Copy` runs, decided once from its extents and strides.
///
/// Axes of extent 1 are dropped, axes that both tensors cross as one are merged, and the others
/// are walked in the order in which they lie in the target. What is left is either rows (whose
/// elements are dense in both tensors, or not), or, where the tensors' dense axes differ, a
/// transposition of planes. The work is cut into items that are shared out to the parts, finely
/// enough for all of them also where the outer extents are 1.
struct CopyPlan: Sendable {
  /// An extent, and the elements between its positions in each tensor.
  struct Axis: Sendable {
    var extent: Int
    var source: Int
    var target: Int
  }

  /// The outer axes, outermost first; of all of them, the positions.
  private var outer: [Axis] = []
  private var outerCount = 1
  /// Rows: the second innermost axis and the innermost one.
  private var second = Axis(extent: 1, source: 0, target: 0)
  private var inner = Axis(extent: 1, source: 1, target: 1)
  /// The pieces that a row (or a row and a column of a plane) is cut into.
  private var pieceLength = 1
  private var pieceCount = 1

  private var kernel: TransposeKernel?
  /// Transposition: `inner` is dense in the target, `second` in the source.
  private var rowPiece = 1
  private var columnPiece = 1
  private let elementSize: Int
  /// The bytes that each part needs.
  private(set) var scratchByteCount = 0

  var isTransposition: Bool { kernel != nil }

  init(_ axes: [Axis], elementSize: Int, converts: Bool, _ preparation: Preparation) {
    self.elementSize = elementSize
    var rest = CopyPlan.merged(axes)
    inner = rest.popLast() ?? Axis(extent: 1, source: 1, target: 1)
    if inner.target == 1, inner.source != 1, inner.source != 0,
      let dense = rest.lastIndex(where: { $0.source == 1 }),
      let kernel = TransposeKernel.best(elementSize: elementSize, isas: preparation.isas)
    {
      second = rest.remove(at: dense)
      self.kernel = kernel
      cutPlane(converts: converts, parts: preparation.parts, planes: CopyPlan.count(rest))
    } else {
      if let last = rest.popLast() { second = last }
      let rows = CopyPlan.count(rest) * second.extent
      pieceLength = inner.extent
      if rows < 4 * preparation.parts && inner.extent * elementSize >= 8192 {
        let pieces = min(4 * preparation.parts, inner.extent * elementSize / 4096)
        pieceLength = ((inner.extent + pieces - 1) / pieces + 63) / 64 * 64
        pieceCount = (inner.extent + pieceLength - 1) / pieceLength
      }
    }
    outer = rest
    outerCount = CopyPlan.count(rest)
  }

  private static func count(_ axes: [Axis]) -> Int { axes.reduce(1) { $0 * $1.extent } }

  private static func merged(_ axes: [Axis]) -> [Axis] {
    let known = axes.filter { $0.extent != 1 }.sorted {
      (abs($0.target), abs($0.source)) > (abs($1.target), abs($1.source))
    }
    var result: [Axis] = []
    for axis in known {
      if let last = result.last, last.source == axis.source * axis.extent,
        last.target == axis.target * axis.extent
      {
        result[result.count - 1].extent *= axis.extent
        result[result.count - 1].source = axis.source
        result[result.count - 1].target = axis.target
      } else {
        result.append(axis)
      }
    }
    return result
  }

  /// Cuts a plane into pieces: for the parts, and for the scratch memory of a conversion.
  private mutating func cutPlane(converts: Bool, parts: Int, planes: Int) {
    rowPiece = inner.extent
    columnPiece = second.extent
    let wanted = planes >= 4 * parts ? 1 : (4 * parts + planes - 1) / planes
    if columnPiece >= rowPiece {
      columnPiece = max(16, (columnPiece / wanted + 15) / 16 * 16)
    } else {
      rowPiece = max(16, (rowPiece / wanted + 15) / 16 * 16)
    }
    rowPiece = min(rowPiece, inner.extent)
    columnPiece = min(columnPiece, second.extent)
    guard converts else { return }
    // What is converted is read again from the L1 cache.
    let limit = 8192
    rowPiece = min(rowPiece, max(512, limit / max(columnPiece, 1)))
    columnPiece = min(columnPiece, max(16, limit / rowPiece / 16 * 16))
    scratchByteCount = (rowPiece * columnPiece * elementSize + 63) / 64 * 64
  }

  /// The offsets of the first element of an outer position.
  @inline(__always)
  private func offsets(_ position: Int) -> (source: Int, target: Int) {
    var rest = position
    var source = 0
    var target = 0
    var axis = outer.count - 1
    while axis >= 0 {
      let i = rest % outer[axis].extent
      rest /= outer[axis].extent
      source += i * outer[axis].source
      target += i * outer[axis].target
      axis -= 1
    }
    return (source, target)
  }

  // MARK: Rows

  /// Calls `body` with the offsets and the length of every piece of a row in this part's share.
  @inline(__always)
  private func eachPiece(
    _ context: borrowing ExecutionContext,
    _ body: (_ source: Int, _ target: Int, _ count: Int) -> Void
  ) {
    let share = context.share(of: outerCount * second.extent * pieceCount)
    if pieceCount > 1 {
      for item in share {
        let (row, piece) = item.quotientAndRemainder(dividingBy: pieceCount)
        let (base, j) = row.quotientAndRemainder(dividingBy: second.extent)
        let start = offsets(base)
        let first = piece * pieceLength
        body(
          start.source + j * second.source + first * inner.source,
          start.target + j * second.target + first * inner.target,
          min(pieceLength, inner.extent - first))
      }
      return
    }
    var row = share.lowerBound
    while row < share.upperBound {
      let (base, j) = row.quotientAndRemainder(dividingBy: second.extent)
      let start = offsets(base)
      let count = min(second.extent - j, share.upperBound - row)
      var source = start.source + j * second.source
      var target = start.target + j * second.target
      for _ in 0..<count {
        body(source, target, inner.extent)
        source += second.source
        target += second.target
      }
      row += count
    }
  }

  func copy<T: BitwiseCopyable>(
    _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _: T.Type,
    _ context: borrowing ExecutionContext
  ) {
    let source = from.assumingMemoryBound(to: T.self)
    let target = to.assumingMemoryBound(to: T.self)
    let step = inner.source
    let targetStep = inner.target
    if step == 1 && targetStep == 1 {
      if inner.extent * MemoryLayout<T>.size <= 32 {
        eachPiece(context) { s, t, count in
          for i in 0..<count { target[t + i] = source[s + i] }
        }
      } else {
        eachPiece(context) { s, t, count in
          (target + t).update(from: source + s, count: count)
        }
      }
    } else if step == 0 && targetStep == 1 {
      eachPiece(context) { s, t, count in
        (target + t).update(repeating: source[s], count: count)
      }
    } else {
      eachPiece(context) { s, t, count in
        for i in 0..<count { target[t + i * targetStep] = source[s + i * step] }
      }
    }
  }

  func convert(
    _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _ converter: ElementConverter,
    _ context: borrowing ExecutionContext
  ) {
    eachPiece(context) { s, t, count in
      converter(
        from + s * converter.sourceSize, step: inner.source, to + t * converter.targetSize,
        step: inner.target, count: count)
    }
  }

  // MARK: Planes

  func transpose(
    _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _ converter: ElementConverter?,
    _ context: borrowing ExecutionContext
  ) {
    let rowPieces = (inner.extent + rowPiece - 1) / rowPiece
    let columnPieces = (second.extent + columnPiece - 1) / columnPiece
    for item in context.share(of: outerCount * rowPieces * columnPieces) {
      let (plane, piece) = item.quotientAndRemainder(dividingBy: rowPieces * columnPieces)
      let start = offsets(plane)
      let row = piece % rowPieces * rowPiece
      let column = piece / rowPieces * columnPiece
      let source = start.source + row * inner.source + column
      let target = to + (start.target + row + column * second.target) * elementSize
      let rows = min(rowPiece, inner.extent - row)
      let columns = min(columnPiece, second.extent - column)
      if let converter {
        let block = context.scratch + scratchByteCount * context.part
        convertPlane(
          from + source * converter.sourceSize, block, rows: rows, columns: columns, converter)
        kernel?.run(
          block, stride: columns, to: target, stride: second.target, rows: rows, columns: columns)
      } else {
        kernel?.run(
          from + source * elementSize, stride: inner.source, to: target, stride: second.target,
          rows: rows, columns: columns)
      }
    }
  }

  /// Converts a part of a plane to dense rows.
  private func convertPlane(
    _ source: UnsafeRawPointer, _ block: UnsafeMutableRawPointer, rows: Int, columns: Int,
    _ converter: ElementConverter
  ) {
    if inner.source == columns {
      converter(source, step: 1, block, step: 1, count: rows * columns)
      return
    }
    for i in 0..<rows {
      converter(
        source + i * inner.source * converter.sourceSize, step: 1,
        block + i * columns * converter.targetSize, step: 1, count: columns)
    }
  }
}
