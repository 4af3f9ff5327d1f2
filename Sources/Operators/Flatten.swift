import Graphs
import Instructions
import Tensors

/// Makes a matrix of a tensor: axes before `axis` become rows, the others columns.
///
/// input: any shape; output: 2-D. `axis` (default 1) may be negative from version 11. ONNX versions
/// 1 to 25.
package struct Flatten: MovesElements {
  package static let name = "Flatten"
  package var axis: Int

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: 1)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "input")
    let rank = x.shape.rank
    guard axis >= -rank && axis <= rank else {
      throw GraphError("axis \(axis) does not exist in a tensor of rank \(rank)")
    }
    let split = axis < 0 ? axis + rank : axis
    let rows = x.shape.dimensions[..<split].reduce(1, *)
    let columns = x.shape.dimensions[split...].reduce(1, *)
    return [ValueInfo(type: x.type, shape: try Shape(checking: [rows, columns]))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.aliasReshaped()
  }
}
