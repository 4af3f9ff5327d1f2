import Graphs
import Instructions
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Makes a Hann window: y[n] = 0.5 − 0.5 · cos(2πn / N), n < size.
///
/// size: one constant integer; y: [size], float32 (or `output_datatype`). N = size for a periodic
/// window (`periodic` = 1), size − 1 for a symmetric one. ONNX version 17. A size that is computed
/// at run time is refused.
package struct HannWindow: LoweredOperator {
  package static let name = "HannWindow"
  package static let sinceVersion = 17

  package var isPeriodic: Bool
  package var type: ElementType

  package init(importing node: NodeReader) throws(ImportError) {
    isPeriodic = try node.bool("periodic", default: true)
    let number = try node.int("output_datatype", default: Int(ElementType.float32.rawValue))
    guard let type = UInt8(exactly: number).flatMap(ElementType.init(rawValue:)), type.isFloat
    else { throw node.unsupported("output_datatype \(number) is no float type") }
    self.type = type
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    guard let size = inputs.first ?? nil else { throw GraphError("input 0 (size) is missing") }
    return [ValueInfo(type: type, shape: [try count(size)])]
  }

  /// A window longer than this is a mistake.
  private static let limit = 1 << 24

  private func count(_ size: ValueInfo) throws(GraphError) -> Int {
    guard let values = size.constant?.integers() else {
      throw GraphError(
        needing: 0, "size", "the size is computed at run time; it must be a constant")
    }
    guard values.count == 1, (0...HannWindow.limit).contains(values[0]) else {
      throw GraphError("the size is \(values); it must be one number up to \(HannWindow.limit)")
    }
    return values[0]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let count = try count(try lowering.required(0))
    let period = Double(max(isPeriodic ? count : count - 1, 1))
    let window = (0..<count).map { Float(0.5 - 0.5 * cos(2 * Double.pi * Double($0) / period)) }
    guard let tensor = TensorBuffer([count], window).converted(to: type) else {
      throw GraphError("a window of \(type) is not supported")
    }
    try lowering.alias(0, to: lowering.constant(tensor))
  }
}
