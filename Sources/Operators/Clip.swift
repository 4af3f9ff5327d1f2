import Graphs
import Instructions
import Tensors

/// Keeps elements between two bounds: y = min(max(x, low), high).
///
/// x, y: any shape, float or integer. Bounds: attributes `min`, `max` (versions up to 10), scalar
/// inputs 1 and 2 (from 11 on), each may be absent. Where the bounds cross, the upper one wins. A
/// NaN stays. ONNX versions 6 to 13.
package struct Clip: LoweredOperator, ActivationFunction {
  package static let name = "Clip"

  /// The bounds of versions up to 10; nil where absent or given as inputs.
  package var low: Float?
  package var high: Float?

  package init(importing node: NodeReader) throws(ImportError) {
    guard node.version < 11 else { return }
    low = try node.float("min")
    high = try node.float("max")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat || x.type.isInteger else {
      throw GraphError("x is \(x.type), which Clip does not take")
    }
    for index in 1...2 {
      guard let bound = inputs.optional(index) else { continue }
      guard bound.type == x.type, bound.shape.elementCount == 1 else {
        throw GraphError(
          "bound \(index) is \(bound.type) \(bound.shape), but must be a scalar \(x.type)")
      }
    }
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func activation(for inputs: [ValueInfo?]) -> Activation? {
    guard let x = inputs.first ?? nil, x.type.isFloat, x.type != .float64 else { return nil }
    guard let low = bound(low, inputs.optional(1), absent: -.infinity),
      let high = bound(high, inputs.optional(2), absent: .infinity)
    else { return nil }
    if low == 0 && high == .infinity { return .relu }
    return .clip(low, high)
  }

  /// A bound that is known at compile time; nil where it is not.
  private func bound(_ attribute: Float?, _ input: ValueInfo?, absent: Float) -> Float? {
    if let attribute { return attribute }
    guard let input else { return absent }
    return input.constant?.floats()?.first
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let layout = lowering.layout(0)
    let x = try lowering.operand(0, layout)
    let infos = [lowering.info(0), lowering.info(1), lowering.info(2)]
    if let activation = activation(for: infos) {
      lowering.emit(Unary(x, to: try lowering.result(0, layout), activation))
      return
    }
    let lower = try boundOperand(1, low, lowering)
    let upper = try boundOperand(2, high, lowering)
    guard lower != nil || upper != nil else { return try lowering.alias(0, to: x, layout) }
    var value = x
    if let lower {
      let spec = lowering[x]
      let target =
        upper == nil
        ? try lowering.result(0, layout)
        : lowering.temporary(spec.type, spec.shape, layout: layout)
      lowering.emit(Binary(.maximum, value, lower, to: target))
      value = target
    }
    if let upper {
      lowering.emit(Binary(.minimum, value, upper, to: try lowering.result(0, layout)))
    }
  }

  /// A bound as a tensor of rank 0; nil where it is absent.
  private func boundOperand(
    _ index: Int, _ attribute: Float?, _ lowering: Lowering
  ) throws(GraphError) -> Operand? {
    if let attribute {
      let type = try lowering.required(0).type
      guard let scalar = TensorBuffer([], [attribute]).converted(to: type) else { return nil }
      return lowering.constant(scalar)
    }
    guard lowering.info(index) != nil else { return nil }
    return lowering.reshaped(try lowering.operand(index), [])
  }
}
