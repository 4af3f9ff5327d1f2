import Graphs
import Instructions
import Tensors

/// Normalises over the trailing axes by the root mean square: y = x / √(mean(x²) + epsilon) ·
/// scale.
///
/// x, y: any shape, float; scale: broadcastable to x's axes from `axis` on. Attributes: `axis`
/// (-1), `epsilon` (1e-5), `stash_type` (ignored). ONNX version 23.
package struct RMSNormalization: LoweredOperator {
  package static let name = "RMSNormalization"
  package static let sinceVersion = 23

  package var axis: Int
  package var epsilon: Float

  package init(importing node: NodeReader) throws(ImportError) {
    node.ignore("stash_type")
    axis = try node.int("axis", default: -1)
    epsilon = try node.float("epsilon", default: 1e-5)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    Array(try normalizationOutputs(inputs, axis: axis, parameters: ["scale"]).prefix(1))
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.emitRootMeanSquare(axis: axis, epsilon: epsilon)
  }
}

/// ONNX Runtime's earlier form of `RMSNormalization`, with the inverse deviation as a second
/// output.
///
/// x, y: any shape, float; scale: broadcastable to x's axes from `axis` on. Attributes as there.
package struct SimplifiedLayerNormalization: LoweredOperator {
  package static let name = "SimplifiedLayerNormalization"

  package var axis: Int
  package var epsilon: Float

  package init(importing node: NodeReader) throws(ImportError) {
    node.ignore("stash_type")
    axis = try node.int("axis", default: -1)
    epsilon = try node.float("epsilon", default: 1e-5)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    Array(try normalizationOutputs(inputs, axis: axis, parameters: ["scale"]).prefix(2))
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.emitRootMeanSquare(axis: axis, epsilon: epsilon)
  }
}

extension Lowering {
  /// Output 0 (and the inverse deviation as output 1) by the root mean square.
  fileprivate func emitRootMeanSquare(axis: Int, epsilon: Float) throws(GraphError) {
    let shape = try required(0).shape
    let place = try normalized(axis: axis, rank: shape.rank)
    var instruction = Normalize(
      try operand(0), axis: place, epsilon: epsilon, isRootMeanSquare: true, to: try result(0))
    instruction.scale = try normalizationParameter(1, shape, axis: place)
    if wants(output: 1) { instruction.inverseDeviation = try result(1) }
    emit(instruction)
  }
}
