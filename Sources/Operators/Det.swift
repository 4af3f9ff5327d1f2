import Graphs
import Instructions
import Tensors

/// Computes the determinant of square matrices: y = |x|.
///
/// x: [..., n, n] float; y: [...]. ONNX versions 11 and 22.
package struct Det: LoweredOperator {
  package static let name = "Det"
  package static let sinceVersion = 11

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    let rank = x.shape.rank
    guard x.type.isFloat, rank >= 2, x.shape[rank - 1] == x.shape[rank - 2] else {
      throw GraphError("\(x.type) \(x.shape) are no square matrices of floats")
    }
    return [ValueInfo(type: x.type, shape: Shape(Array(x.shape.dimensions.dropLast(2))))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    lowering.emit(Determinant(try lowering.operand(0), to: try lowering.result(0)))
  }
}
