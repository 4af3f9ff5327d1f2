import Graphs
import Instructions
import Tensors

/// Divides by the norm along an axis: y = x / (Σ |x|ᵖ)^(1/p).
///
/// x, y: any shape of rank 1 or more, float. Attributes: `axis` (-1), `p` (2; 1 or 2). Where the
/// norm is zero, so is y. ONNX versions 1 to 22.
package struct LpNormalization: LoweredOperator {
  package static let name = "LpNormalization"

  package var axis: Int
  package var exponent: Int

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis", default: -1)
    exponent = try node.int("p", default: 2)
    guard exponent == 1 || exponent == 2 else {
      throw node.invalid("p is \(exponent), but must be 1 or 2")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat else { throw GraphError("x is \(x.type), but must be a float") }
    _ = try normalized(axis: axis, rank: x.shape.rank)
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let rank = try lowering.required(0).shape.rank
    let layout = lowering.layout(0)
    let x = try lowering.operand(0, layout)
    let place = layout.position(ofAxis: try normalized(axis: axis, rank: rank), rank: rank)
    let wide: ElementType = lowering[x].type == .float64 ? .float64 : .float32
    var ones = lowering[x].shape
    ones[place] = 1
    let norm = lowering.temporary(wide, ones, layout: layout)
    lowering.emit(Reduce(exponent == 1 ? .l1 : .l2, x, axes: [place], to: norm))
    // All elements are zero where the norm is: any positive divisor leaves them so.
    guard let least = TensorBuffer([], [Float.leastNormalMagnitude]).converted(to: wide) else {
      throw GraphError("\(wide) is not supported")
    }
    let divisor = lowering.temporary(wide, ones, layout: layout)
    lowering.emit(Binary(.maximum, norm, lowering.constant(least), to: divisor))
    lowering.emit(Binary(.divide, x, divisor, to: try lowering.result(0, layout)))
  }
}
