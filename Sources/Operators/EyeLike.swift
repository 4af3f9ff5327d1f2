import Graphs
import Instructions
import Tensors

/// Makes a matrix of its input's shape with ones on diagonal `k` and zeros elsewhere.
///
/// input: 2-D; `dtype`: the element type (default: the input's). ONNX versions 9 to 22.
package struct EyeLike: LoweredOperator {
  package static let name = "EyeLike"
  package static let sinceVersion = 9
  package var type: ElementType?
  package var diagonal: Int

  package init(importing node: NodeReader) throws(ImportError) {
    diagonal = try node.int("k", default: 0)
    if let number = try node.int("dtype") {
      guard let known = UInt8(exactly: number).flatMap({ ElementType(rawValue: $0) }) else {
        throw node.invalid("dtype \(number) is not known")
      }
      type = known
    }
  }

  package var dependsOnShapesOnly: Bool { true }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "input")
    guard x.shape.rank == 2 else { throw GraphError("\(x.shape) is no matrix") }
    let type = type ?? x.type
    guard type.isInteger || type.isFloat || type == .bool else {
      throw GraphError("\(type) is not supported")
    }
    return [ValueInfo(type: type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let y = try lowering.result(0)
    let (rows, columns) = (lowering[y].shape[0], lowering[y].shape[1])
    lowering.emit(Fill(y, bits: 0))
    guard diagonal > -rows && diagonal < columns else { return }
    let (row, column) = (max(0, -diagonal), max(0, diagonal))
    guard let one = TensorBuffer([], [1]).converted(to: lowering[y].type) else {
      throw GraphError("\(lowering[y].type) is not supported")
    }
    lowering.emit(
      Copy(
        lowering.constant(one), to: y, extents: [min(rows - row, columns - column)],
        sourceStrides: [0], targetStrides: [columns + 1], targetOffset: row * columns + column))
  }
}
