import Graphs
import Instructions
import Tensors

/// Passes its input on, as in inference: y = x; the mask says that everything was kept. With the
/// input `training_mode`, every element is dropped with probability `ratio`: y = mask · x / (1 -
/// ratio).
///
/// x, y: any shape, float; ratio: a constant scalar (0.5); training_mode: a constant bool (false);
/// mask (optional): bool (version 10 on; x's type before). Random numbers as `RandomUniform` makes
/// them, also of `seed`. ONNX versions 1 to 22; before version 12 inference only.
package struct Dropout: MovesElements {
  package static let name = "Dropout"

  /// The mask has x's element type, as before version 10.
  private var masksInOwnType: Bool
  private var seed: Int

  package init(importing node: NodeReader) throws(ImportError) {
    if node.version < 7, try !node.bool("is_test", default: false) {
      throw node.unsupported("is_test is 0, which trains; export the model for inference")
    }
    node.ignore("ratio", "consumed_inputs")
    seed = try node.randomSeed()
    masksInOwnType = node.version < 10
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    let ratio = try droppedShare(inputs)
    guard ratio >= 0, ratio < 1 else { throw GraphError("ratio is \(ratio), not in 0 ..< 1") }
    let mask = ValueInfo(type: masksInOwnType ? x.type : .bool, shape: x.shape)
    return [ValueInfo(type: x.type, shape: x.shape), mask]
  }

  /// The share of elements that are dropped: 0 in inference.
  private func droppedShare(_ inputs: [ValueInfo?]) throws(GraphError) -> Float {
    guard inputs.optional(2) != nil,
      try inputs.constantIntegers(2, "training_mode")?.first ?? 0 != 0
    else { return 0 }
    return try inputs.constantFloats(1, "ratio")?.first ?? 0.5
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let ratio = try droppedShare(lowering.inputInfos)
    if ratio > 0 { return try lowerTraining(ratio, into: lowering) }
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

  private func lowerTraining(_ ratio: Float, into lowering: Lowering) throws(GraphError) {
    let x = try lowering.operand(0)
    let shape = lowering[x].shape
    let wide: ElementType = lowering[x].type == .float64 ? .float64 : .float32
    var numbers = RandomNumbers()
    numbers.seed = seed
    numbers.output = lowering.temporary(.float32, shape)
    lowering.emit(numbers)
    let share = lowering.constant(TensorBuffer([], [ratio]))
    let mask =
      lowering.wants(output: 1) ? try lowering.result(1) : lowering.temporary(.bool, shape)
    lowering.emit(Binary(.greaterOrEqual, numbers.output, share, to: mask))
    let factor = lowering.temporary(wide, shape)
    lowering.emit(Cast(mask, to: factor))
    let scaled = lowering.temporary(wide, shape)
    lowering.emit(Unary(x, to: scaled, Activation(.affine, alpha: 1 / (1 - ratio))))
    lowering.emit(Binary(.multiply, scaled, factor, to: try lowering.result(0)))
  }
}
