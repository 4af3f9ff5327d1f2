import Graphs
import Instructions
import Tensors

/// Sums along an axis up to every element.
///
/// x, y: any shape of rank 1 or more, float or integer; axis: a constant scalar integer. Attributes
/// `exclusive` (0), `reverse` (0). ONNX versions 11 and 14.
package struct CumSum: LoweredOperator {
  package static let name = "CumSum"
  package static let sinceVersion = 11

  package var isExclusive: Bool
  package var isReversed: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    isExclusive = try node.bool("exclusive", default: false)
    isReversed = try node.bool("reverse", default: false)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat || x.type.isInteger else { throw GraphError("x is \(x.type)") }
    _ = try axis(inputs)
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  private func axis(_ inputs: [ValueInfo?]) throws(GraphError) -> Int {
    _ = try inputs.required(1, "axis")
    guard let values = try inputs.constantIntegers(1, "axis"), values.count == 1 else {
      throw GraphError("axis must be one integer")
    }
    return try normalized(axis: values[0], rank: inputs.required(0, "x").shape.rank)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let place = try axis([lowering.info(0), lowering.info(1)])
    let layout = lowering.layout(0)
    let position = layout.position(ofAxis: place, rank: try lowering.required(0).shape.rank)
    lowering.emit(
      CumulativeSum(
        try lowering.operand(0, layout), axis: position, isExclusive: isExclusive,
        isReversed: isReversed, to: try lowering.result(0, layout)))
  }
}
