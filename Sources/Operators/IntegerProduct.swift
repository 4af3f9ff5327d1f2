import Graphs
import Instructions
import Tensors

/// Exact products of 8-bit integers by the float kernels: differences to zero points are small
/// integers, and a float32 sum of few enough products of them has no rounding. Longer sums are cut
/// into pieces that are added as int32.
extension Lowering {
  /// The largest sum that float32 holds exactly, whatever the order of additions.
  static var exactSum: Int { 1 << 24 }

  /// The largest |x − zero point| of the 8-bit input at a position.
  ///
  /// - Parameter zero: the input that is the zero point; absent: 0.
  func reach(_ index: Int, zero: Int) -> Int {
    guard let info = info(index) else { return 255 }
    var low = info.type == .int8 ? -128 : 0
    var high = info.type == .int8 ? 127 : 255
    if let values = info.constant?.integers(), let least = values.min(), let most = values.max() {
      (low, high) = (least, most)
    }
    guard let zeroInfo = self.info(zero) else { return max(high, -low, 1) }
    let zeros = zeroInfo.constant?.integers() ?? (info.type == .int8 ? [-128, 127] : [0, 255])
    let distances = zeros.flatMap { [abs(high - $0), abs(low - $0)] }
    return max(distances.max() ?? 255, 1)
  }

  /// x − zero point in a wider type, exact.
  ///
  /// - Parameters:
  ///   - type: float32 or int32
  ///   - shape: what the zero point is seen as, broadcastable to x; nil: its own shape
  func centred(
    _ index: Int, zero: Int, shape: Shape? = nil, as type: ElementType
  ) throws(GraphError) -> Operand {
    let source = try operand(index)
    let target = temporary(type, self[source].shape)
    emit(Cast(source, to: target))
    guard info(zero) != nil else { return target }
    let point = try operand(zero)
    var wide = temporary(type, self[point].shape)
    emit(Cast(point, to: wide))
    if let shape { wide = reshaped(wide, shape) }
    let result = temporary(type, self[source].shape)
    emit(Binary(.subtract, target, wide, to: result))
    return result
  }

  /// The same of a constant, at compile time.
  ///
  /// - Parameter channel: the position in the zero points of an element of x.
  func centredConstant(_ index: Int, zero: Int, channel: (Int) -> Int) -> [Float]? {
    guard let values = info(index)?.constant?.integers() else { return nil }
    guard let zeroInfo = info(zero) else { return values.map { Float($0) } }
    guard let zeros = zeroInfo.constant?.integers() else { return nil }
    return values.indices.map { Float(values[$0] - zeros[zeros.count == 1 ? 0 : channel($0)]) }
  }

  /// The positions `range` of the last axis, without a copy.
  func columns(_ operand: Operand, _ range: Range<Int>) -> Operand {
    let source = self[operand]
    if range == 0..<source.rowLength { return operand }
    let shape = Shape(source.shape.dimensions.dropLast() + [range.count])
    let view = temporary(source.type, shape, layout: source.layout)
    place(view, in: operand, byteOffset: range.lowerBound * source.type.byteCount)
    return view
  }

  /// The sum of pieces, as int32: each is written by `piece` as float32 in y's shape.
  func emitSum(
    of pieces: [Range<Int>], to y: Operand,
    _ piece: (Range<Int>, Operand) throws(GraphError) -> Void
  ) throws(GraphError) {
    let (shape, layout) = (self[y].shape, self[y].layout)
    var sum: Operand?
    for (index, range) in pieces.enumerated() {
      let part = temporary(.float32, shape, layout: layout)
      try piece(range, part)
      let isLast = index == pieces.count - 1
      guard let before = sum else {
        let first = isLast ? y : temporary(.int32, shape, layout: layout)
        emit(Cast(part, to: first))
        sum = first
        continue
      }
      let whole = temporary(.int32, shape, layout: layout)
      emit(Cast(part, to: whole))
      let next = isLast ? y : temporary(.int32, shape, layout: layout)
      emit(Binary(.add, before, whole, to: next))
      sum = next
    }
  }

  /// 0..<count in pieces of at most `length`.
  static func pieces(_ count: Int, length: Int) -> [Range<Int>] {
    guard count > 0 else { return [0..<0] }
    return stride(from: 0, to: count, by: max(length, 1)).map { $0..<min($0 + length, count) }
  }
}

/// The lowering that `MatMulInteger` and its relatives share: y = (a − zero) · (b − zero), int32.
struct IntegerMatrixProduct {
  /// The node's inputs.
  var a: Int
  var aZero: Int
  var b: Int
  var bZero: Int

  /// Checks types and shapes and returns the shape of y.
  func output(_ inputs: [ValueInfo?]) throws(GraphError) -> Shape {
    let (x, w) = (try inputs.required(a, "a"), try inputs.required(b, "b"))
    for (info, zero, name) in [(x, aZero, "a"), (w, bZero, "b")] {
      guard info.type == .int8 || info.type == .uint8 else {
        throw GraphError("\(name) is \(info.type), but must be int8 or uint8")
      }
      if let point = inputs.optional(zero), point.type != info.type {
        throw GraphError("the zero point of \(name) is \(point.type), but \(name) is \(info.type)")
      }
    }
    let problem = try MatrixProblem(x.shape, w.shape, false, false)
    _ = try parameterShape(inputs.optional(aZero)?.shape, of: x.shape, isRow: true)
    _ = try parameterShape(inputs.optional(bZero)?.shape, of: w.shape, isRow: false)
    return problem.output
  }

  /// What a zero point or scale per row (of a) or column (of b) is seen as, to broadcast.
  func parameterShape(
    _ shape: Shape?, of matrix: Shape, isRow: Bool
  ) throws(GraphError) -> Shape {
    guard let shape, shape.elementCount != 1 else { return [1] }
    if isRow, shape.rank == 1, matrix.rank >= 2, shape[0] == matrix[matrix.rank - 2] {
      return [shape[0], 1]
    }
    guard Shape.broadcast(shape, matrix) == matrix else {
      throw GraphError("a zero point or scale of shape \(shape) does not fit to \(matrix)")
    }
    return shape
  }

  /// Emits the product to `y`, int32 of the output's shape.
  func lower(into lowering: Lowering, y: Operand) throws(GraphError) {
    let (x, w) = (try lowering.required(a), try lowering.required(b))
    let problem = try MatrixProblem(x.shape, w.shape, false, false)
    let (inner, columns) = (problem.inner, problem.columns)
    let isShared = problem.batchB.elementCount == 1
    let height = isShared ? problem.batch.elementCount * problem.rows : problem.rows
    let lead = isShared ? [] : problem.batch.dimensions
    let length =
      Lowering.exactSum / (lowering.reach(a, zero: aZero) * lowering.reach(b, zero: bZero))
    let zeroA = try parameterShape(lowering.info(aZero)?.shape, of: x.shape, isRow: true)
    let left = lowering.reshaped(
      try lowering.centred(a, zero: aZero, shape: zeroA, as: .float32),
      Shape((isShared ? [] : problem.batchA.dimensions) + [height, inner]))
    let zeroCount = lowering.info(bZero)?.shape.elementCount ?? 1
    let known =
      zeroCount == 1 || zeroCount == columns
      ? lowering.centredConstant(b, zero: bZero) { $0 % columns } : nil
    var right = Operand.none
    if known == nil {
      let zeroB = try parameterShape(lowering.info(bZero)?.shape, of: w.shape, isRow: false)
      right = lowering.reshaped(
        try lowering.centred(b, zero: bZero, shape: zeroB, as: .float32),
        Shape([problem.batchB.elementCount, inner, columns]))
    }
    let target = lowering.reshaped(y, Shape(lead + [height, columns]))
    try lowering.emitSum(of: Lowering.pieces(inner, length: length), to: target) {
      range, part throws(GraphError) in
      var product = MatrixMultiply()
      product.a = lowering.columns(left, range)
      if let known {
        product.b = lowering.constant(
          WeightPacking.matrix(
            slice(known, range, inner, columns), batch: problem.batchB.elementCount,
            depth: range.count, columns: columns, as: .float32),
          name: "\(lowering.node.name).weights")
        product.packedB = true
      } else {
        let matrix = lowering.rows(right, range)
        product.b = lowering.reshaped(
          matrix, Shape((isShared ? [] : problem.batchB.dimensions) + [range.count, columns]))
      }
      product.y = part
      lowering.emit(product)
    }
  }

  /// The rows `range` of each matrix [inner, columns].
  private func slice(
    _ values: [Float], _ range: Range<Int>, _ inner: Int, _ columns: Int
  ) -> [Float] {
    guard inner > 0, range != 0..<inner else { return values }
    var result: [Float] = []
    for first in stride(from: 0, to: values.count, by: inner * columns) {
      result += values[first + range.lowerBound * columns..<first + range.upperBound * columns]
    }
    return result
  }
}

extension Lowering {
  /// The rows `range` of every matrix of [count, rows, columns]; a copy unless those are all.
  fileprivate func rows(_ operand: Operand, _ range: Range<Int>) -> Operand {
    let shape = self[operand].shape
    if range == 0..<shape[1] { return operand }
    let target = temporary(self[operand].type, [shape[0], range.count, shape[2]])
    var copy = Copy.converting(operand, self[operand], to: target, self[target], axes: nil)
    copy.sourceOffset = range.lowerBound * shape[2]
    emit(copy)
    return target
  }
}
