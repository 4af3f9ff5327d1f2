import Graphs
import Instructions
import Tensors

/// The lowering that `MatMul` and `Gemm` share: inputs 0 and 1 of the node, multiplied.
struct MatrixProduct {
  var scale: Float = 1
  var transposesA = false
  var transposesB = false
  var activation = Activation.none
  /// How many heads lie side by side in the rows of an operand.
  var headsA = 1
  var headsB = 1
  var headsY = 1

  /// Emits y = activation(scale · a·b + bias + residual); y and the residual have the shape of the
  /// node's output.
  ///
  /// - Parameters:
  ///   - residual: the node's input that is the residual.
  ///   - target: y, a float tensor; nil: the node's output 0.
  func lower(
    into lowering: Lowering, bias: Operand, residual residualInput: Int?, y target: Operand? = nil
  ) throws(GraphError) {
    let a = try lowering.required(0)
    let b = try lowering.required(1)
    if headsA > 1 || headsB > 1 || headsY > 1 {
      return try lowerHeads(into: lowering, bias: bias, residual: residualInput)
    }
    let problem = try MatrixProblem(a.shape, b.shape, transposesA, transposesB)
    let bias = vector(bias, problem.columns, lowering)
    if a.type == .float64 || a.type.isInteger {
      let y = if let target { target } else { try lowering.result(0) }
      return try lowerPortable(into: lowering, problem, a.type, y: y)
    }
    if target == nil,
      try lowerQuantized(into: lowering, problem, bias: bias, residual: residualInput)
    {
      return
    }
    let y = if let target { target } else { try lowering.result(0) }
    var residual = Operand.none
    if let residualInput { residual = try lowering.operand(residualInput) }
    var product = MatrixMultiply()
    product.bias = bias
    product.scale = scale
    product.activation = activation
    // One matrix for all rows: the leading axes of a are rows too.
    let isShared = problem.batchB.elementCount == 1 && !transposesA
    let (rows, columns) = (problem.rows, problem.columns)
    let lead = isShared ? Shape([]) : problem.batch
    let height = isShared ? problem.batch.elementCount * rows : rows
    let left = try lowering.operand(0)
    // Panels hold one matrix for all of y, or one for each.
    let isPackable = [1, problem.batch.elementCount].contains(problem.batchB.elementCount)
    if isPackable, let constant = b.constant, let values = constant.floats() {
      let type = lowering.factorType(of: left)
      product.b = lowering.constant(
        WeightPacking.matrix(
          values, batch: problem.batchB.elementCount, depth: problem.inner, columns: columns,
          transposed: transposesB, as: type),
        name: "\(lowering.node.name).weights")
      product.packedB = true
    } else {
      let right = try lowering.operand(1)
      let matrix = transposesB ? [columns, problem.inner] : [problem.inner, columns]
      product.b = lowering.reshaped(
        right, Shape((isShared ? [] : problem.batchB.dimensions) + matrix))
      product.transposeB = transposesB
    }
    let matrix = transposesA ? [problem.inner, height] : [height, problem.inner]
    product.a = lowering.reshaped(
      left, Shape((isShared ? [] : problem.batchA.dimensions) + matrix))
    product.transposeA = transposesA
    let target = Shape(lead.dimensions + [height, columns])
    product.residual = residual.isPresent ? lowering.reshaped(residual, target) : .none
    product.y = lowering.reshaped(y, target)
    lowering.emit(product)
  }

  /// A bias as the instructions want it: of one axis.
  private func vector(_ bias: Operand, _ columns: Int, _ lowering: Lowering) -> Operand {
    guard bias.isPresent, lowering[bias].shape != [columns],
      lowering[bias].shape.elementCount == columns
    else { return bias }
    return lowering.reshaped(bias, [columns])
  }

  /// Emits the product of operands of which some have their heads side by side.
  private func lowerHeads(
    into lowering: Lowering, bias: Operand, residual: Int?
  ) throws(GraphError) {
    let b = try lowering.required(1).shape
    let columns = headsB > 1 || b.rank < 4 ? b[b.rank - 1] / headsB : b[b.rank - 1]
    let rows = b[b.rank - 2]
    let bias = vector(bias, transposesB ? rows : columns, lowering)
    if let x = lowering.quantization(0), let w = lowering.quantization(1), !x.isPerChannel,
      !w.isPerChannel, MatrixProduct.canQuantize(bias: bias, x, w, scale: scale)
    {
      var product = QuantizedMatrixMultiply()
      product.a = try lowering.quantizedOperand(0)
      product.b = try lowering.quantizedOperand(1)
      product.bias = bias
      (product.transposeA, product.transposeB) = (transposesA, transposesB)
      (product.headsA, product.headsB, product.headsY) = (headsA, headsB, headsY)
      (product.scale, product.activation) = (scale, activation)
      if let residual { product.residual = try lowering.storedOperand(residual, .declared) }
      product.y = try lowering.storedResult(0)
      return lowering.emit(product)
    }
    var product = MatrixMultiply()
    product.a = try lowering.operand(0)
    product.b = try lowering.operand(1)
    product.bias = bias
    (product.transposeA, product.transposeB) = (transposesA, transposesB)
    (product.headsA, product.headsB, product.headsY) = (headsA, headsB, headsY)
    (product.scale, product.activation) = (scale, activation)
    if let residual { product.residual = try lowering.operand(residual) }
    product.y = try lowering.result(0)
    lowering.emit(product)
  }

  /// Says whether 8 bits will do for a product of computed factors: its scale is positive, and 2³⁰
  /// units of its sums, which bound a bias, are as much as masks take away.
  private static func canQuantize(
    bias: Operand, _ a: Quantization, _ b: Quantization, scale: Float
  ) -> Bool {
    scale > 0 && scale.isFinite
      && (!bias.isPresent || a.scale(0) * b.scale(0) * scale * 0x1p30 >= 10_000)
  }

  /// Emits a·b in a type that the kernels do not know; passes fuse nothing into those.
  private func lowerPortable(
    into lowering: Lowering, _ problem: MatrixProblem, _ type: ElementType, y: Operand
  ) throws(GraphError) {
    let batch = problem.batch
    let (rows, inner, columns) = (problem.rows, problem.inner, problem.columns)
    /// Steps along the leading axes of y; 0 where the operand broadcasts.
    func lead(_ shape: Shape) -> [Int] {
      var steps = [Int](repeating: 0, count: batch.rank)
      let missing = batch.rank - shape.rank
      let strides = Shape(shape.dimensions).denseStrides
      for axis in 0..<shape.rank where shape[axis] != 1 { steps[axis + missing] = strides[axis] }
      return steps
    }
    var product = SumProducts()
    product.inputs = [try lowering.operand(0, type: type), try lowering.operand(1, type: type)]
    product.extents = batch.dimensions + [rows, columns, inner]
    product.outputRank = batch.rank + 2
    product.strides =
      lead(problem.batchA).map { $0 * rows * inner }
      + (transposesA ? [1, 0, rows] : [inner, 0, 1])
      + lead(problem.batchB).map { $0 * inner * columns }
      + (transposesB ? [0, inner, 1] : [0, 1, columns])
    product.output = lowering.reshaped(y, Shape(batch.dimensions + [rows, columns]))
    lowering.emit(product)
  }

  /// Emits the product in 8 bits where both factors have been given quantisations; returns false
  /// where they have not.
  private func lowerQuantized(
    into lowering: Lowering, _ problem: MatrixProblem, bias: Operand, residual residualInput: Int?
  ) throws(GraphError) -> Bool {
    guard let a = lowering.quantization(0), let b = lowering.quantization(1), !a.isPerChannel
    else { return false }
    let isShared = problem.batchB.elementCount == 1 && !transposesA
    let (inner, columns) = (problem.inner, problem.columns)
    var product = QuantizedMatrixMultiply()
    product.scale = scale
    product.activation = activation
    if let constant = lowering.info(1)?.constant, let values = constant.floats() {
      guard problem.batchB.elementCount == 1, constant.shape.rank >= 2,
        !bias.isPresent || lowering.floats(of: bias) != nil,
        let weights = QuantizedWeights(
          values, b, axis: constant.shape.rank - (transposesB ? 2 : 1), columns: columns,
          column: { transposesB ? $0 / inner : $0 % columns })
      else { return false }
      product.b = lowering.weights(
        WeightPacking.matrix(
          quantized: weights.elements, depth: inner, columns: columns, transposed: transposesB),
        weights)
      product.packedB = true
      product.offsets = lowering.constant(
        weights.offsets(
          bias: bias.isPresent ? lowering.floats(of: bias) : nil, x: a, factor: scale),
        name: "\(lowering.node.name).offsets")
    } else {
      guard !b.isPerChannel, MatrixProduct.canQuantize(bias: bias, a, b, scale: scale) else {
        return false
      }
      product.bias = bias
      let matrix = transposesB ? [columns, inner] : [inner, columns]
      product.b = lowering.reshaped(
        try lowering.quantizedOperand(1),
        Shape((isShared ? [] : problem.batchB.dimensions) + matrix))
      product.transposeB = transposesB
    }
    let height = isShared ? problem.batch.elementCount * problem.rows : problem.rows
    let matrix = transposesA ? [inner, height] : [height, inner]
    product.a = lowering.reshaped(
      try lowering.quantizedOperand(0),
      Shape((isShared ? [] : problem.batchA.dimensions) + matrix))
    product.transposeA = transposesA
    let target = Shape((isShared ? [] : problem.batch.dimensions) + [height, columns])
    if let residualInput {
      product.residual = lowering.reshaped(
        try lowering.storedOperand(residualInput, .declared), target)
    }
    product.y = lowering.reshaped(try lowering.storedResult(0), target)
    lowering.emit(product)
    return true
  }
}

/// The shapes of a matrix product with numpy's conventions.
struct MatrixProblem {
  var rows: Int
  var inner: Int
  var columns: Int
  /// The broadcast leading axes.
  var batch: Shape
  /// The leading axes of the operands.
  var batchA: Shape
  var batchB: Shape
  var output: Shape

  init(
    _ a: Shape, _ b: Shape, _ transposesA: Bool, _ transposesB: Bool
  ) throws(GraphError) {
    guard a.rank >= 1, b.rank >= 1 else {
      throw GraphError("scalars cannot be multiplied: \(a), \(b)")
    }
    let left = a.rank == 1 ? [1] + a.dimensions : a.dimensions
    let right = b.rank == 1 ? b.dimensions + [1] : b.dimensions
    let (l, r) = (left.suffix(2), right.suffix(2))
    rows = transposesA ? l[l.endIndex - 1] : l[l.startIndex]
    inner = transposesA ? l[l.startIndex] : l[l.endIndex - 1]
    columns = transposesB ? r[r.startIndex] : r[r.endIndex - 1]
    let depth = transposesB ? r[r.endIndex - 1] : r[r.startIndex]
    batchA = Shape(left.dropLast(2).map { $0 })
    batchB = Shape(right.dropLast(2).map { $0 })
    guard inner == depth, let batch = Shape.broadcast(batchA, batchB) else {
      throw GraphError(
        "\(a)\(transposesA ? " transposed" : "") cannot be multiplied by \(b)"
          + (transposesB ? " transposed" : ""))
    }
    self.batch = batch
    output = Shape(
      batch.dimensions + (a.rank == 1 ? [] : [rows]) + (b.rank == 1 ? [] : [columns]))
  }
}
