import Graphs
import Instructions
import Tensors

/// Raises to a power: z = xʸ.
///
/// x, y: shapes that broadcast; z: x's element type. From version 12 on y may have another numeric
/// type than x; integers to a float power are computed in float64 and truncated. ONNX versions 7
/// to 15. A constant exponent of 0.5 becomes a square root, of 2 a square, of 1 or -1 what it is.
package struct Pow: LoweredOperator, ActivationFunction {
  package static let name = "Pow"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    let y = try inputs.required(1, "y")
    for input in [x, y] where !input.type.isInteger && !input.type.isFloat {
      throw GraphError("\(input.type) has no powers")
    }
    return [ValueInfo(type: x.type, shape: try broadcastShape([x, y]))]
  }

  /// What raising to a constant scalar power comes to, where that is cheaper.
  package func activation(for inputs: [ValueInfo?]) -> Activation? {
    guard inputs.count == 2, let x = inputs[0], let y = inputs[1], x.type.isFloat,
      y.shape.elementCount == 1, y.shape.rank <= x.shape.rank,
      let exponent = y.constant?.floats()?.first
    else { return nil }
    switch exponent {
    case 0.5: return Activation(.sqrt)
    case 1: return Activation(.identity)
    case 2: return Activation(.square)
    case -1: return Activation(.reciprocal)
    default: return nil
    }
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.required(0)
    let y = try lowering.required(1)
    if let activation = activation(for: [x, y]) {
      let layout = lowering.layout(0)
      let base = try lowering.operand(0, layout)
      lowering.emit(Unary(base, to: try lowering.result(0, layout), activation))
      return
    }
    let rank = try lowering.outputInfo(0).shape.rank
    let layout = lowering.broadcastLayout(over: [0, 1], rank: rank)
    let base = try lowering.broadcastOperand(0, layout, rank: rank)
    let exponent = try lowering.broadcastOperand(1, layout, rank: rank)
    let z = try lowering.result(0, layout)
    if x.type.isInteger && y.type.isFloat {
      let wide = lowering.temporary(.float64, lowering[z].shape, layout: layout)
      lowering.emit(
        Binary(
          .power, lowering.cast(base, to: .float64), lowering.cast(exponent, to: .float64),
          to: wide))
      lowering.emit(Cast(wide, to: z))
    } else {
      let type = lowering[base].type
      let same = type == .bfloat16 ? ElementType.float32 : type
      let converted = y.type.isFloat && type.isInFloat32 && lowering[exponent].type.isInFloat32
      lowering.emit(
        Binary(.power, base, converted ? exponent : lowering.cast(exponent, to: same), to: z))
    }
  }
}

extension Lowering {
  /// The tensor in another element type; the same one if it has that type.
  func cast(_ operand: Operand, to type: ElementType) -> Operand {
    let spec = self[operand]
    if spec.type == type { return operand }
    let target = temporary(type, spec.shape, layout: spec.layout)
    emit(Cast(operand, to: target))
    return target
  }
}

extension ElementType {
  /// Kept as float32 or bfloat16 inside a program.
  var isInFloat32: Bool { self == .float32 || self == .bfloat16 }
}
