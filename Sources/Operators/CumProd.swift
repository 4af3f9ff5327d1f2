import Graphs
import Instructions
import Tensors

/// Multiplies along an axis up to every element.
///
/// x, y: any shape of rank 1 or more, float or integer; axis: a constant scalar integer. Attributes
/// `exclusive` (0), `reverse` (0). ONNX version 26.
package struct CumProd: LoweredOperator {
  package static let name = "CumProd"
  package static let sinceVersion = 26

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
    guard let axis = try inputs.scalar(1, "axis") else {
      throw GraphError("input 1 (axis) is missing")
    }
    return try normalized(axis: axis, rank: inputs.required(0, "x").shape.rank)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let place = try axis(lowering.inputInfos)
    let layout = lowering.layout(0)
    var product = CumulativeProduct()
    product.input = try lowering.operand(0, layout)
    product.axis = layout.position(ofAxis: place, rank: try lowering.required(0).shape.rank)
    product.isExclusive = isExclusive
    product.isReversed = isReversed
    product.output = try lowering.result(0, layout)
    lowering.emit(product)
  }
}
