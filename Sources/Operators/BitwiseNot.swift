import Graphs
import Instructions
import Tensors

/// Flips every bit: y = ~x. x, y: integers of any shape. ONNX version 18.
package struct BitwiseNot: LoweredOperator {
  package static let name = "BitwiseNot"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isInteger else { throw GraphError("x is \(x.type), but must be an integer") }
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let layout = lowering.layout(0)
    let x = try lowering.operand(0, layout)
    guard let ones = TensorBuffer([-1]).reshaped([]).converted(to: lowering[x].type) else {
      throw GraphError("\(lowering[x].type) has no bits")
    }
    let mask = lowering.constant(ones)
    lowering.emit(Binary(.bitwiseXor, x, mask, to: try lowering.result(0, layout)))
  }
}
