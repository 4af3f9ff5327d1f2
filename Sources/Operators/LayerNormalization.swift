import Graphs
import Instructions
import Tensors

/// Normalises over the trailing axes: y = (x - mean) / √(variance + epsilon) · scale + bias.
///
/// x, y: any shape, float; scale, bias (optional): broadcastable to x's axes from `axis` on
/// (usually of exactly that shape); mean, inverse deviation (optional outputs): x's shape with
/// those axes 1.
/// Attributes: `axis` (-1), `epsilon` (1e-5); `stash_type` is ignored, as all is computed in
/// float32 or better. ONNX version 17, and ONNX Runtime's operator of that name before.
package struct LayerNormalization: LoweredOperator {
  package static let name = "LayerNormalization"

  package var axis: Int
  package var epsilon: Float

  package init(axis: Int, epsilon: Float) {
    self.axis = axis
    self.epsilon = epsilon
  }

  package init(importing node: NodeReader) throws(ImportError) {
    node.ignore("stash_type")
    axis = try node.int("axis", default: -1)
    epsilon = try node.float("epsilon", default: 1e-5)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    try normalizationOutputs(inputs, axis: axis, parameters: ["scale", "bias"])
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let place = try normalized(axis: axis, rank: shape.rank)
    var instruction = Normalize(
      try lowering.operand(0), axis: place, epsilon: epsilon, to: try normal(lowering))
    instruction.scale = try lowering.normalizationParameter(1, shape, axis: place)
    if lowering.info(2) != nil {
      instruction.bias = try lowering.normalizationParameter(2, shape, axis: place)
    }
    if lowering.wants(output: 1) { instruction.mean = try lowering.result(1) }
    if lowering.wants(output: 2) { instruction.inverseDeviation = try lowering.result(2) }
    lowering.emit(instruction)
  }

  /// The result, in 8 bits where only products read it.
  private func normal(_ lowering: Lowering) throws(GraphError) -> Operand {
    try lowering.required(0).type == .float64
      ? try lowering.result(0) : try lowering.productFactor(0)
  }
}

/// Types and shapes of a normalisation over trailing axes: y, mean, inverse deviation.
func normalizationOutputs(
  _ inputs: [ValueInfo?], axis: Int, parameters: [String]
) throws(GraphError) -> [ValueInfo] {
  let x = try inputs.required(0, "x")
  guard x.type.isFloat else { throw GraphError("x is \(x.type), but must be a float") }
  let place = try normalized(axis: axis, rank: x.shape.rank)
  let tail = Shape(Array(x.shape.dimensions[place...]))
  for (index, name) in parameters.enumerated() {
    guard let parameter = inputs.optional(index + 1) else {
      if index == 0 { throw GraphError("input 1 (\(name)) is missing") }
      continue
    }
    guard parameter.type.isFloat, (parameter.type == .float64) == (x.type == .float64),
      Shape.broadcast(parameter.shape, tail) == tail
    else {
      throw GraphError(
        "\(name) is \(parameter.type) \(parameter.shape), which does not broadcast to \(tail)")
    }
  }
  let ones = [Int](repeating: 1, count: x.shape.rank - place)
  let statistics = ValueInfo(
    type: x.type == .float64 ? .float64 : .float32,
    shape: Shape(x.shape.dimensions[..<place] + ones))
  return [ValueInfo(type: x.type, shape: x.shape), statistics, statistics]
}

extension Lowering {
  /// Scale or bias with one element for every element of a row.
  func normalizationParameter(
    _ index: Int, _ shape: Shape, axis: Int
  ) throws(GraphError) -> Operand {
    let tail = Shape(Array(shape.dimensions[axis...]))
    let info = try required(index)
    let parameter = try operand(index)
    if info.shape.elementCount == tail.elementCount { return parameter }
    let strides = info.shape.denseStrides
    let missing = tail.rank - info.shape.rank
    let steps = (0..<tail.rank).map { axis in
      axis < missing || info.shape[axis - missing] == 1 ? 0 : strides[axis - missing]
    }
    let full = temporary(self[parameter].type, tail)
    emit(
      Copy(
        parameter, to: full, extents: tail.dimensions, sourceStrides: steps,
        targetStrides: tail.denseStrides))
    return full
  }
}
