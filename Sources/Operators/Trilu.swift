import Graphs
import Instructions
import Tensors

/// Keeps the upper (or lower) triangle of matrices from diagonal `k` on; the rest becomes 0.
///
/// input: [..., rows, columns]; k: one constant int64 (default 0). ONNX version 14.
package struct Trilu: LoweredOperator {
  package static let name = "Trilu"
  package static let sinceVersion = 14
  package var isUpper: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    isUpper = try node.bool("upper", default: true)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "input")
    guard x.shape.rank >= 2 else { throw GraphError("\(x.shape) holds no matrices") }
    _ = try diagonal(inputs)
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  private func diagonal(_ inputs: [ValueInfo?]) throws(GraphError) -> Int {
    guard let k = try inputs.constantIntegers(1, "k") else { return 0 }
    guard k.count == 1 else { throw GraphError("k has \(k.count) elements") }
    return k[0]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.operand(0)
    let y = try lowering.result(0, type: lowering[x].type)
    lowering.emit(
      KeepTriangle(x, isUpper: isUpper, diagonal: try diagonal(lowering.inputInfos), to: y))
  }
}
