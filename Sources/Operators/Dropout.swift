import Graphs
import Instructions
import Tensors

/// Passes its input on, as in inference: y = x; the mask says that everything was kept.
///
/// x, y: any shape, float; mask (optional): bool (version 10 on; x's type before) of ones. The
/// attribute and input `ratio` do not matter; an input `training_mode` must be false, and constant.
/// ONNX versions 7 to 22.
package struct Dropout: MovesElements {
  package static let name = "Dropout"

  /// The mask has x's element type, as before version 10.
  private var masksInOwnType: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    node.ignore("ratio", "seed", "is_test")
    masksInOwnType = node.version < 10
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    if inputs.optional(2) != nil, try inputs.constantIntegers(2, "training_mode")?.first != 0 {
      throw GraphError("training_mode is set: export the model for inference")
    }
    let mask = ValueInfo(type: masksInOwnType ? x.type : .bool, shape: x.shape)
    return [ValueInfo(type: x.type, shape: x.shape), mask]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let layout = lowering.layout(0)
    let x = try lowering.operand(0, layout)
    try lowering.alias(0, to: x, layout)
    guard lowering.wants(output: 1) else { return }
    let mask = try lowering.result(1, layout)
    let shape = lowering[mask].shape
    guard let one = TensorBuffer([1]).reshaped([]).converted(to: lowering[mask].type) else {
      throw GraphError("a mask cannot be \(lowering[mask].type)")
    }
    lowering.emit(
      Copy(
        lowering.constant(one), to: mask, extents: shape.dimensions,
        sourceStrides: shape.dimensions.map { _ in 0 }, targetStrides: shape.denseStrides))
  }
}
