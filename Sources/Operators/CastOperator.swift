import Graphs
import Instructions
import Tensors

/// Converts the element type: y = x in the type that `to` names.
///
/// x, y: any shape, any numeric type or bool. Floats become integers by truncation and saturate;
/// integers become narrower ones by keeping the low bits, as do floats that become integers below
/// 8 bits. float16 is float32 (or bfloat16) inside a program, so a cast to it does not round. To
/// float8: rounded to nearest even; what is too large becomes the largest number, or with
/// `saturate` 0 infinity or NaN. To float8e8m0: rounded as `round_mode` (up, down, nearest) says.
/// ONNX versions 6 to 25. Refused: strings and complex numbers.
package struct CastOperator: LoweredOperator {
  package static let name = "Cast"

  package var type: ElementType
  package var saturates = true
  package var rounding = PowerOfTwo.Rounding.up

  package init(type: ElementType) { self.type = type }

  package init(importing node: NodeReader) throws(ImportError) {
    guard let number = try node.int("to") else { throw node.invalid("attribute to is missing") }
    guard let raw = UInt8(exactly: number), let type = ElementType(rawValue: raw) else {
      throw node.invalid("attribute to is \(number), which is no element type")
    }
    guard NumericElements.supports(type) else {
      throw node.unsupported("a cast to \(type); use a numeric type")
    }
    self.type = type
    (saturates, rounding) = try node.castRules()
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard NumericElements.supports(x.type) else {
      throw GraphError("a cast from \(x.type) is not supported: use a numeric type")
    }
    return [ValueInfo(type: type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.emitCast(saturates, rounding)
  }
}

/// Converts the element type to that of another tensor: y = x in the type of `like`.
///
/// x, y: any shape, types and attributes as `Cast`; like: any shape. ONNX versions 15 to 25.
package struct CastLike: LoweredOperator {
  package static let name = "CastLike"
  package static let sinceVersion = 15

  package var saturates: Bool
  package var rounding: PowerOfTwo.Rounding

  package init(importing node: NodeReader) throws(ImportError) {
    (saturates, rounding) = try node.castRules()
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    let like = try inputs.required(1, "like")
    guard NumericElements.supports(x.type), NumericElements.supports(like.type) else {
      throw GraphError("a cast from \(x.type) to \(like.type) is not supported")
    }
    return [ValueInfo(type: like.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.emitCast(saturates, rounding)
  }
}

extension NodeReader {
  /// The attributes that say what becomes of numbers that do not fit into 8-bit floats.
  fileprivate func castRules() throws(ImportError) -> (Bool, PowerOfTwo.Rounding) {
    let saturates = try bool("saturate", default: true)
    switch try string("round_mode", default: "up") {
    case "up": return (saturates, .up)
    case "down": return (saturates, .down)
    case "nearest": return (saturates, .nearest)
    case let other: throw invalid("round_mode is \"\(other)\"; known are up, down and nearest")
    }
  }
}

extension Lowering {
  /// Output 0 is input 0 in another element type, or its memory where both are kept alike.
  fileprivate func emitCast(
    _ saturates: Bool, _ rounding: PowerOfTwo.Rounding
  ) throws(GraphError) {
    let layout = layout(0)
    let x = try operand(0, layout)
    let target = try outputInfo(0).type
    let have = self[x].type
    let source = try required(0).type
    if have == storage(ofOutput: 0) && (!target.isPacked || target == source) {
      return try alias(0, to: x, layout)
    }
    if Cast.supports(have) && Cast.supports(target) {
      emit(Cast(x, to: try result(0, layout)))
    } else {
      let y = try result(0, layout, type: target.isPacked ? target : nil)
      emit(CastSmall(x, to: y, saturates: saturates, rounding: rounding))
    }
  }
}
