import Graphs
import Instructions
import Tensors

/// Lists where a tensor is not zero: output [rank, count] int64, row-major order.
///
/// X: any numeric type or bool, known when the model is compiled, because the number of results is
/// the output's shape. ONNX versions 9 to 13. Refused: an input computed at run time.
package struct NonZero: LoweredOperator {
  package static let name = "NonZero"
  package static let sinceVersion = 9

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "X")
    guard let tensor = x.constant else {
      throw GraphError(
        needing: 0, "X",
        "the number of non-zero elements is the shape of the output and must be known when the "
          + "model is compiled, but the input is computed at run time: fix the input shapes with "
          + "--shape, or export the model without data-dependent shapes")
    }
    let count: Int
    if let integers = tensor.integers() {
      count = integers.count { $0 != 0 }
    } else if tensor.type == .float64 {
      count = tensor.elements(as: Double.self).count { $0 != 0 }
    } else if let floats = tensor.floats() {
      count = floats.count { $0 != 0 }
    } else {
      throw GraphError("\(tensor.type) is not supported")
    }
    return [ValueInfo(type: .int64, shape: [max(x.shape.rank, 1), count])]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.operand(0)
    let y = try lowering.result(0)
    lowering.emit(FindNonZero(x, to: y))
  }
}
