import Graphs
import Instructions
import Tensors

/// What tells one global pool from the next.
package protocol GlobalPoolDefinition: Sendable {
  static var name: String { get }
  /// The reduction; `GlobalLpPool` with another p than 1 or 2 has none.
  static func function(_ exponent: Int) -> Reduce.Function?
}

/// Reduces every channel to one element: its maximum, average or p-norm.
///
/// x: [N, C, …] of rank 3 or more, float; y: [N, C, 1, …]. Attribute `p` (2) of `GlobalLpPool`.
/// ONNX versions 1 to 22. A channels-last tensor stays so.
package struct GlobalPoolOperator<Definition: GlobalPoolDefinition>: LoweredOperator {
  package static var name: String { Definition.name }

  package var exponent: Int

  package init(importing node: NodeReader) throws(ImportError) {
    exponent = try node.int("p", default: 2)
    guard (1...64).contains(exponent) else { throw node.invalid("p is \(exponent)") }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat, x.shape.rank >= 3 else {
      throw GraphError("x is \(x.type) \(x.shape), but must be a float [N, C, …]")
    }
    guard Definition.function(exponent) != nil || x.shape.rank <= 5 else {
      throw GraphError("x is \(x.shape); a norm with p = \(exponent) takes rank 3 to 5")
    }
    let ones = [Int](repeating: 1, count: x.shape.rank - 2)
    return [ValueInfo(type: x.type, shape: Shape([x.shape[0], x.shape[1]] + ones))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    if Definition.function(exponent) == .mean, try lowering.lowerQuantizedMean(shape) { return }
    if let function = Definition.function(exponent) {
      let (x, y, axes) = try lowering.reductionOperands(
        over: Array(2..<shape.rank), keepsDimensions: true)
      lowering.emit(Reduce(function, x, axes: axes, to: y))
      return
    }
    let spatial = Array(shape.dimensions[2...])
    let ones = spatial.map { _ in 1 }
    let zeros = spatial.map { _ in 0 }
    var pool = Pool(
      .norm, try lowering.operand(0, .channelsLast), to: try lowering.result(0, .channelsLast),
      kernel: spatial.map { max($0, 1) }, strides: ones, dilations: ones, padsBegin: zeros,
      padsEnd: zeros)
    pool.exponent = exponent
    lowering.emit(pool)
  }
}

extension Elementwise {
  package enum GlobalMaxPool: GlobalPoolDefinition {
    package static let name = "GlobalMaxPool"
    package static func function(_ exponent: Int) -> Reduce.Function? { .maximum }
  }
  package enum GlobalAveragePool: GlobalPoolDefinition {
    package static let name = "GlobalAveragePool"
    package static func function(_ exponent: Int) -> Reduce.Function? { .mean }
  }
  package enum GlobalLpPool: GlobalPoolDefinition {
    package static let name = "GlobalLpPool"
    package static func function(_ exponent: Int) -> Reduce.Function? {
      exponent == 1 ? .l1 : exponent == 2 ? .l2 : nil
    }
  }
}
