import Graphs
import Instructions
import Tensors

/// Converts the element type: y = x in the type that `to` names.
///
/// x, y: any shape, numeric types of at least 8 bits and bool. Floats become integers by truncation
/// and saturate; integers become narrower ones by keeping the low bits. float16 is float32 (or
/// bfloat16) inside a program, so a cast to it does not round. ONNX versions 6 to 24; `saturate`
/// and `round_mode` concern 8-bit floats only, which are refused, as are strings.
package struct CastOperator: LoweredOperator {
  package static let name = "Cast"

  package var type: ElementType

  package init(type: ElementType) { self.type = type }

  package init(importing node: NodeReader) throws(ImportError) {
    node.ignore("saturate", "round_mode")
    guard let number = try node.int("to") else { throw node.invalid("attribute to is missing") }
    guard let raw = UInt8(exactly: number), let type = ElementType(rawValue: raw) else {
      throw node.invalid("attribute to is \(number), which is no element type")
    }
    guard Cast.supports(type) else {
      throw node.unsupported("a cast to \(type); use a numeric type of at least 8 bits")
    }
    self.type = type
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard Cast.supports(x.type) else { throw GraphError("a cast from \(x.type) is not supported") }
    return [ValueInfo(type: type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) { try lowering.emitCast() }
}

/// Converts the element type to that of another tensor: y = x in the type of `like`.
///
/// x, y: any shape, types as `Cast`; like: any shape. ONNX versions 15 to 24.
package struct CastLike: LoweredOperator {
  package static let name = "CastLike"

  package init(importing node: NodeReader) throws(ImportError) {
    node.ignore("saturate", "round_mode")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    let like = try inputs.required(1, "like")
    guard Cast.supports(x.type), Cast.supports(like.type) else {
      throw GraphError("a cast from \(x.type) to \(like.type) is not supported")
    }
    return [ValueInfo(type: like.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) { try lowering.emitCast() }
}

extension Lowering {
  /// Output 0 is input 0 in another element type, or its memory where both are kept alike.
  fileprivate func emitCast() throws(GraphError) {
    let layout = layout(0)
    let x = try operand(0, layout)
    if self[x].type == storage(ofOutput: 0) { return try alias(0, to: x, layout) }
    emit(Cast(x, to: try result(0, layout)))
  }
}
