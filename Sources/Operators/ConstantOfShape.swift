import Graphs
import Instructions
import Tensors

/// Makes a tensor of a given shape, filled with one value.
///
/// input: 1-D int64, constant; `value`: a tensor of one element (default: float32 0). ONNX versions
/// 9 to 25.
package struct ConstantOfShape: LoweredOperator {
  package static let name = "ConstantOfShape"
  package static let sinceVersion = 9
  package var value: TensorBuffer

  package init(importing node: NodeReader) throws(ImportError) {
    value = try node.tensor("value") ?? TensorBuffer([1], [0])
    guard value.elementCount == 1 else {
      throw node.invalid("value has \(value.elementCount) elements, but must have one")
    }
    guard value.bitPattern != nil else {
      throw node.unsupported("a value of type \(value.type) is not supported")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    guard let extents = try inputs.constantIntegers(0, "input") else {
      throw GraphError("input 0 (input) is missing")
    }
    return [ValueInfo(type: value.type, shape: try Shape(checking: extents))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let y = try lowering.result(0)
    guard let element = value.converted(to: lowering[y].type)?.bitPattern else {
      throw GraphError("a value of type \(value.type) cannot become \(lowering[y].type)")
    }
    lowering.emit(Fill(y, bits: element))
  }
}

extension TensorBuffer {
  /// The bits of the first element, of 8 to 64; nil for other types.
  var bitPattern: Int? {
    guard [1, 2, 4, 8].contains(type.byteCount), elementCount > 0 else { return nil }
    return withBytes { bytes in
      var result = 0
      for index in (0..<type.byteCount).reversed() { result = result << 8 | Int(bytes[index]) }
      return result
    }
  }
}
