import Graphs
import Instructions
import Tensors

/// What tells one element-wise operator of any number of inputs from the next.
package protocol VariadicDefinition: Sendable {
  static var name: String { get }
  static var function: Binary.Function { get }
  /// Whether integers are allowed besides floats.
  static var takesIntegers: Bool { get }
  /// Whether the result is divided by the number of inputs.
  static var averages: Bool { get }
}

/// Combines any number of tensors element by element: y = f(f(x₁, x₂), x₃) …
///
/// x: one or more, shapes that broadcast, one element type; y: the broadcast shape. `Max` and `Min`
/// take floats and (from version 12 on) integers, `Sum` and `Mean` floats. ONNX versions 7 (here
/// the same as 8) to 13. The maximum or minimum with a NaN is NaN.
package struct VariadicOperator<Definition: VariadicDefinition>: LoweredOperator {
  package static var name: String { Definition.name }

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    var given: [ValueInfo] = []
    for index in 0..<max(inputs.count, 1) { given.append(try inputs.required(index, "x")) }
    try checkSameType(given)
    guard given[0].type.isFloat || Definition.takesIntegers && given[0].type.isInteger else {
      throw GraphError("the inputs are \(given[0].type), which \(Definition.name) does not take")
    }
    return [ValueInfo(type: given[0].type, shape: try broadcastShape(given))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let count = lowering.node.inputs.count
    if count == 2, !Definition.averages,
      try lowering.lowerQuantizedBinary(Definition.function)
    {
      return
    }
    let rank = try lowering.outputInfo(0).shape.rank
    let layout = lowering.broadcastLayout(over: Array(0..<count), rank: rank)
    var sum = try lowering.broadcastOperand(0, layout, rank: rank)
    if count == 1 { return try lowering.alias(0, to: sum, layout) }
    for index in 1..<count {
      let next = try lowering.broadcastOperand(index, layout, rank: rank)
      guard let shape = Shape.broadcast(lowering[sum].shape, lowering[next].shape) else {
        throw GraphError("input \(index) does not broadcast")
      }
      let isLast = index == count - 1
      let target =
        isLast && !Definition.averages
        ? try lowering.result(0, layout)
        : lowering.temporary(partialType(lowering[sum].type), shape, layout: layout)
      lowering.emit(Binary(Definition.function, sum, next, to: target))
      sum = target
    }
    if Definition.averages {
      let mean = Activation(.affine, alpha: 1 / Float(count))
      lowering.emit(Unary(sum, to: try lowering.result(0, layout), mean))
    }
  }

  /// Partial results are not rounded to bfloat16.
  private func partialType(_ type: ElementType) -> ElementType {
    type == .bfloat16 ? .float32 : type
  }
}

extension Elementwise {
  package enum Max: VariadicDefinition {
    package static let name = "Max"
    package static let function = Binary.Function.maximum
    package static let takesIntegers = true
    package static let averages = false
  }
  package enum Min: VariadicDefinition {
    package static let name = "Min"
    package static let function = Binary.Function.minimum
    package static let takesIntegers = true
    package static let averages = false
  }
  package enum Sum: VariadicDefinition {
    package static let name = "Sum"
    package static let function = Binary.Function.add
    package static let takesIntegers = false
    package static let averages = false
  }
  package enum Mean: VariadicDefinition {
    package static let name = "Mean"
    package static let function = Binary.Function.add
    package static let takesIntegers = false
    package static let averages = true
  }
}
