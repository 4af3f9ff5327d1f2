import Graphs
import Instructions
import Tensors

/// Reads the bits of every element as another type of the same width: y = bits of x as `to`.
///
/// x, y: one shape; numeric types or bool with elements of the same number of bits. Bytes that
/// become bool count as true unless they are 0. ONNX version 26. Refused: strings, types of
/// different width.
package struct BitCast: LoweredOperator {
  package static let name = "BitCast"
  package static let sinceVersion = 26
  package var type: ElementType

  package init(importing node: NodeReader) throws(ImportError) {
    guard let type = try node.elementType("to") else {
      throw node.invalid("attribute to is missing")
    }
    guard type.bitCount > 0 else {
      throw node.unsupported("the bits of \(type) have no fixed size; use a numeric type")
    }
    self.type = type
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.bitCount == type.bitCount else {
      throw GraphError(
        "\(x.type) has \(x.type.bitCount) bits and \(type) \(type.bitCount); they must be as wide")
    }
    return [ValueInfo(type: type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.operand(0, type: try lowering.required(0).type)
    guard type == .bool else {
      return lowering.emit(CopyBytes(x, to: try lowering.result(0, type: type)))
    }
    let bytes = lowering.temporary(.uint8, lowering[x].shape)
    lowering.emit(CopyBytes(x, to: bytes))
    lowering.emit(Cast(bytes, to: try lowering.result(0)))
  }
}
