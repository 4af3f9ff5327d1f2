import Graphs
import Instructions
import Tensors

/// Enlarges a tensor by interpolation: what Resize does with `asymmetric` coordinates.
///
/// X: as for Resize; scales: float32, one per axis, an attribute in version 7, a constant input in
/// version 9. Version 10 replaced it by Resize.
package struct Upsample: MovesElements {
  package static let name = "Upsample"
  package static let sinceVersion = 7
  private var resize: Resize

  package init(importing node: NodeReader) throws(ImportError) {
    resize = Resize(
      try Resize.filter(node), .asymmetric, scales: try node.floats("scales"))
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    try resize.outputs(for: inputs)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try resize.lower(into: lowering)
  }
}
