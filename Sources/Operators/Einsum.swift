import Graphs
import Instructions
import Tensors

/// Sums products as an equation says, e.g. `bik,bkj->bij`.
///
/// inputs: one or more of one arithmetic type; letters name indices, `...` stands for leading axes
/// that broadcast. Without `->` the output has the letters that occur once, in alphabetical order.
/// ONNX version 12. Two float operands without repeated letters become a matrix product; everything
/// else runs as plain loops.
package struct Einsum: LoweredOperator {
  package static let name = "Einsum"
  package static let sinceVersion = 12
  package var equation: EinsumEquation

  package init(importing node: NodeReader) throws(ImportError) {
    guard let text = try node.string("equation") else { throw node.invalid("equation is missing") }
    guard let equation = EinsumEquation(text) else {
      throw node.invalid("the equation \"\(text)\" makes no sense")
    }
    self.equation = equation
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let type = try inputs.required(0, "Inputs").type
    guard type.isInteger || type.isFloat else { throw GraphError("\(type) is not supported") }
    var shapes: [Shape] = []
    for index in inputs.indices {
      let info = try inputs.required(index, "Inputs")
      guard info.type == type else {
        throw GraphError("input \(index) is \(info.type), not \(type)")
      }
      shapes.append(info.shape)
    }
    let indices = try equation.resolved(shapes)
    return [
      ValueInfo(
        type: type,
        shape: try Shape(checking: Array(indices.extents[..<indices.outputRank])))
    ]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var shapes: [Shape] = []
    for index in lowering.node.inputs.indices { shapes.append(try lowering.required(index).shape) }
    let indices = try equation.resolved(shapes)
    if try lowerAsMatrixProduct(indices, shapes, into: lowering) { return }
    let type = lowering.storage(ofOutput: 0)
    var sum = SumProducts()
    sum.extents = indices.extents
    sum.outputRank = indices.outputRank
    sum.strides = indices.strides.flatMap { $0 }
    for index in shapes.indices { sum.inputs.append(try lowering.operand(index, type: type)) }
    sum.output = try lowering.result(0, type: type)
    lowering.emit(sum)
  }

  /// Emits a product [batch, rows, inner] × [batch, inner, columns] if the equation is one.
  private func lowerAsMatrixProduct(
    _ indices: EinsumEquation.Indices, _ shapes: [Shape], into lowering: Lowering
  ) throws(GraphError) -> Bool {
    guard shapes.count == 2, !indices.repeatsLetters, try lowering.outputInfo(0).type.isFloat,
      try lowering.outputInfo(0).type != .float64, !indices.extents.contains(0)
    else { return false }
    let (a, b) = (indices.strides[0], indices.strides[1])
    // An extent of 1 has no stride either way: it is of no consequence where it is counted.
    let all = indices.extents.indices.filter { indices.extents[$0] != 1 }
    let isOutput = { (index: Int) in index < indices.outputRank }
    guard all.allSatisfy({ isOutput($0) || (a[$0] != 0 && b[$0] != 0) }),
      all.allSatisfy({ a[$0] != 0 || b[$0] != 0 })
    else { return false }
    let batch = all.filter { isOutput($0) && a[$0] != 0 && b[$0] != 0 }
    let rows = all.filter { isOutput($0) && b[$0] == 0 }
    let columns = all.filter { isOutput($0) && a[$0] == 0 }
    let inner = all.filter { !isOutput($0) }
    let count = { (some: [Int]) in some.map { indices.extents[$0] }.reduce(1, *) }
    var product = MatrixMultiply()
    product.a = arranged(
      try lowering.operand(0), a, batch + rows + inner, indices,
      as: [count(batch), count(rows), count(inner)], lowering)
    product.b = arranged(
      try lowering.operand(1), b, batch + inner + columns, indices,
      as: [count(batch), count(inner), count(columns)], lowering)
    let y = try lowering.result(0)
    let matrices = Shape([count(batch), count(rows), count(columns)])
    let order = batch + rows + columns
    if order == order.sorted() {
      product.y = lowering.reshaped(y, matrices)
      lowering.emit(product)
      return true
    }
    product.y = lowering.temporary(lowering[y].type, matrices)
    lowering.emit(product)
    let extents = order.map { indices.extents[$0] }
    let target = Shape(Array(indices.extents[..<indices.outputRank])).denseStrides
    lowering.emit(
      Copy(
        product.y, to: y, extents: extents, sourceStrides: Shape(extents).denseStrides,
        targetStrides: order.map { target[$0] }))
    return true
  }

  /// The operand with its axes in this order, copied unless they lie so.
  private func arranged(
    _ operand: Operand, _ strides: [Int], _ order: [Int], _ indices: EinsumEquation.Indices,
    as shape: Shape, _ lowering: Lowering
  ) -> Operand {
    let extents = order.map { indices.extents[$0] }
    let dense = Shape(extents).denseStrides
    let steps = order.map { strides[$0] }
    if steps == dense { return lowering.reshaped(operand, shape) }
    let target = lowering.temporary(lowering[operand].type, shape)
    lowering.emit(
      Copy(operand, to: target, extents: extents, sourceStrides: steps, targetStrides: dense))
    return target
  }
}
