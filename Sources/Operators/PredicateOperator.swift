import Graphs
import Instructions
import Tensors

/// Negates truth: y = ¬x. x, y: bool of any shape. ONNX version 1.
package struct Not: LoweredOperator {
  package static let name = "Not"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type == .bool else { throw GraphError("x is \(x.type), but must be bool") }
    return [ValueInfo(type: .bool, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.emitPredicate(.isZero)
  }
}

/// Says which elements are not numbers: y = isnan(x).
///
/// x: float of any shape, y: bool. ONNX versions 9 to 20 (types only).
package struct IsNaN: LoweredOperator {
  package static let name = "IsNaN"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat else { throw GraphError("x is \(x.type), but must be a float") }
    return [ValueInfo(type: .bool, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.emitPredicate(.isNaN)
  }
}

/// Says which elements are infinite, of one sign or both: y = isinf(x).
///
/// x: float of any shape, y: bool. Attributes `detect_negative`, `detect_positive` (1). ONNX
/// versions 10 to 20 (types only). With neither sign asked for, y is false everywhere.
package struct IsInf: LoweredOperator {
  package static let name = "IsInf"

  package var detectsNegative: Bool
  package var detectsPositive: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    detectsNegative = try node.bool("detect_negative", default: true)
    detectsPositive = try node.bool("detect_positive", default: true)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat else { throw GraphError("x is \(x.type), but must be a float") }
    return [ValueInfo(type: .bool, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    switch (detectsNegative, detectsPositive) {
    case (true, true): try lowering.emitPredicate(.isInfinite)
    case (true, false): try lowering.emitPredicate(.isNegativeInfinity)
    case (false, true): try lowering.emitPredicate(.isPositiveInfinity)
    case (false, false):
      let x = try lowering.operand(0)
      lowering.emit(Predicate(x, to: try lowering.result(0), .never))
    }
  }
}

extension Lowering {
  /// Output 0 is the answer for every element of input 0.
  fileprivate func emitPredicate(_ question: Predicate.Question) throws(GraphError) {
    let layout = layout(0)
    let x = try operand(0, layout)
    emit(Predicate(x, to: try result(0, layout), question))
  }
}
