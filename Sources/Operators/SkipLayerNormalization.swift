import Graphs
import Instructions
import Tensors

/// Adds a residual, then normalises: y = LayerNormalization(x + skip + bias).
///
/// x, y: [batch, sequence, width] (or [tokens, width]), float; skip: the same, or broadcastable to
/// it; scale, shift (optional), bias (optional): [width]. Output 3 (optional): the sum. Attribute
/// `epsilon` (1e-12). Outputs 1 and 2 belong to training and are refused. com.microsoft version 1.
package struct SkipLayerNormalization: LoweredOperator {
  package static let name = "SkipLayerNormalization"
  package static let domain = "com.microsoft"

  package var epsilon: Float

  package init(importing node: NodeReader) throws(ImportError) {
    epsilon = try node.float("epsilon", default: 1e-12)
    if node.outputs.dropFirst().prefix(2).contains(true) {
      throw node.unsupported("the outputs mean and inverse deviation; export for inference")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    let skip = try inputs.required(1, "skip")
    let scale = try inputs.required(2, "scale")
    let given = [x, skip, scale] + [3, 4].compactMap { inputs.optional($0) }
    try checkSameType(given)
    guard x.type.isFloat, x.shape.rank >= 1, let width = x.shape.dimensions.last else {
      throw GraphError("x is \(x.type) \(x.shape)")
    }
    guard Shape.broadcast(skip.shape, x.shape) == x.shape else {
      throw GraphError("skip \(skip.shape) does not broadcast to x \(x.shape)")
    }
    for parameter in given.dropFirst(2) where parameter.shape != [width] {
      throw GraphError("a parameter is \(parameter.shape), but must be [\(width)]")
    }
    let y = ValueInfo(type: x.type, shape: x.shape)
    let statistics = ValueInfo(type: .float32, shape: Shape(x.shape.dimensions.dropLast() + [1]))
    return [y, statistics, statistics, y]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    var sum = try lowering.operand(0)
    var terms = [try lowering.operand(1)]
    if lowering.info(4) != nil { terms.append(try lowering.operand(4)) }
    let wantsSum = lowering.wants(output: 3)
    for (index, term) in terms.enumerated() {
      let isLast = index == terms.count - 1
      let type: ElementType = lowering[sum].type == .float64 ? .float64 : .float32
      let target =
        isLast && wantsSum ? try lowering.result(3) : lowering.temporary(type, shape)
      lowering.emit(Binary(.add, sum, term, to: target))
      sum = target
    }
    var instruction = Normalize(
      sum, axis: shape.rank - 1, scale: try lowering.operand(2), epsilon: epsilon,
      to: try lowering.result(0))
    if lowering.info(3) != nil { instruction.bias = try lowering.operand(3) }
    lowering.emit(instruction)
  }
}

/// Adds a residual, then normalises by the root mean square: y = RMSNormalization(x + skip + bias).
///
/// x, skip, y: [batch, sequence, width] (or [tokens, width]), float; scale, bias (optional):
/// [width]. Output 3 (optional): the sum. Attribute `epsilon` (1e-12). Outputs 1 and 2 belong to
/// training and are refused. com.microsoft version 1.
package struct SkipSimplifiedLayerNormalization: ComposedOperator {
  package static let name = "SkipSimplifiedLayerNormalization"
  package static let domain = "com.microsoft"

  package var epsilon: Float

  package init(importing node: NodeReader) throws(ImportError) {
    epsilon = try node.float("epsilon", default: 1e-12)
    if node.outputs.dropFirst().prefix(2).contains(true) {
      throw node.unsupported("the outputs mean and inverse deviation; export for inference")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    let skip = try inputs.required(1, "skip")
    guard x.type.isFloat, Shape.broadcast(skip.shape, x.shape) == x.shape else {
      throw GraphError("skip \(skip.shape) does not broadcast to x \(x.type) \(x.shape)")
    }
    let y = ValueInfo(type: x.type, shape: x.shape)
    return [y, y, y, y]
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    var sum = try composer.add("Add", [composer.input(0), composer.input(1)])
    if let bias = composer.optional(3) { sum = try composer.add("Add", [sum, bias]) }
    let y = try composer.add(
      "RMSNormalization", [sum, composer.input(2)], ["epsilon": .float(epsilon)])
    return [y, nil, nil, sum]
  }
}
