import Graphs
import Instructions
import Tensors

/// Adds positions in front and behind of axes, or removes them where a pad is negative.
///
/// data: any; pads (in front by axis, then behind by axis), constant_value and axes: attributes
/// `pads` (`paddings` before version 2) and `value` until version 10, then inputs: pads and axes
/// constant. `mode`: constant, reflect, edge, and wrap from version 19. ONNX versions 1 to 25.
package struct Pad: MovesElements {
  package static let name = "Pad"
  package var mode: PadAxes.Mode
  package var pads: [Int]?
  package var value: Float?

  package init(importing node: NodeReader) throws(ImportError) {
    let name = try node.string("mode", default: "constant")
    let modes: [String: PadAxes.Mode] = [
      "constant": .constant, "reflect": .reflect, "edge": .edge, "wrap": .wrap,
    ]
    guard let known = modes[name] else { throw node.unsupported("mode \"\(name)\" is not known") }
    mode = known
    pads = try node.ints("pads")
    if let old = try node.ints("paddings") { pads = old }
    value = try node.float("value")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "data")
    let (before, after) = try resolved(inputs, x.shape)
    if let fill = inputs.optional(2) {
      guard fill.type == x.type, fill.shape.elementCount == 1 else {
        throw GraphError("constant_value is \(fill.type) \(fill.shape), data is \(x.type)")
      }
    }
    let dimensions = x.shape.dimensions.indices.map { before[$0] + x.shape[$0] + after[$0] }
    let shape = try Shape(checking: dimensions)
    guard mode == .constant || x.shape.elementCount > 0 || shape.elementCount == 0 else {
      throw GraphError("there is nothing in \(x.shape) to pad with")
    }
    return [ValueInfo(type: x.type, shape: shape)]
  }

  private func resolved(
    _ inputs: [ValueInfo?], _ shape: Shape
  ) throws(GraphError) -> (before: [Int], after: [Int]) {
    guard let given = try inputs.integers(pads, or: 1, "pads") else {
      throw GraphError("input 1 (pads) is missing")
    }
    let named = try inputs.constantIntegers(3, "axes") ?? Array(0..<shape.rank)
    let axes = try normalized(axes: named, rank: shape.rank)
    guard given.count == 2 * axes.count, given.allSatisfy({ abs($0.clamped) <= 1 << 32 }) else {
      throw GraphError("\(given) are no pads for the axes \(axes) of \(shape)")
    }
    var before = [Int](repeating: 0, count: shape.rank)
    var after = before
    for (index, axis) in axes.enumerated() {
      before[axis] = given[index]
      after[axis] = given[axes.count + index]
    }
    return (before, after)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let rank = shape.rank
    let layout = lowering.keptLayout(rank: rank)
    let (before, after) = try resolved(lowering.inputInfos, shape)
    let x = try lowering.operand(0, layout)
    if (before + after).allSatisfy({ $0 == 0 }) {
      try lowering.alias(0, to: x, layout)
      return
    }
    let type = lowering[x].type
    var fill = Operand.none
    if mode == .constant {
      if let quantization = lowering.moving?.quantization {
        fill = try lowering.quantizedFill(2, value ?? 0, quantization)
      } else if lowering.info(2) != nil {
        fill = try lowering.operand(2, type: type)
      } else if let value, value != 0, let tensor = TensorBuffer([], [value]).converted(to: type) {
        fill = lowering.constant(tensor)
      }
    }
    let y = try lowering.result(0, layout, type: type)
    let order = layout.axes(rank: rank)
    lowering.emit(
      PadAxes(x, value: fill, to: y, before: order.map { before[$0] }, mode: mode))
  }
}

extension Lowering {
  /// The padding value of a quantised tensor.
  fileprivate func quantizedFill(
    _ index: Int, _ value: Float, _ quantization: Quantization
  ) throws(GraphError) -> Operand {
    if info(index) != nil { return try quantizedOperand(index, as: quantization) }
    return constant(TensorBuffer(.uint8, [], [quantization.quantized(value)]))
  }
}

extension Int {
  /// The number, away from the one whose magnitude overflows.
  fileprivate var clamped: Int { Swift.max(self, -Int.max) }
}
