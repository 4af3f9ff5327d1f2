import Graphs
import Instructions
import Tensors

/// Counts: y[i] = start + i · delta for i below ⌈(limit - start) / delta⌉.
///
/// start, limit, delta: constant scalars of one type: a float, int16, int32 or int64. ONNX
/// version 11.
package struct RangeOperator: LoweredOperator {
  package static let name = "Range"
  package static let sinceVersion = 11

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let type = try inputs.required(0, "start").type
    for (index, name) in ["start", "limit", "delta"].enumerated() {
      let info = try inputs.required(index, name)
      guard info.type == type, info.shape.elementCount == 1 else {
        throw GraphError("input \(index) (\(name)) is \(info.type) \(info.shape)")
      }
    }
    guard type.isFloat || [.int16, .int32, .int64].contains(type) else {
      throw GraphError("\(type) is not supported")
    }
    return [ValueInfo(type: type, shape: try Shape(checking: [try count(inputs, type)]))]
  }

  private func count(_ inputs: [ValueInfo?], _ type: ElementType) throws(GraphError) -> Int {
    if type.isInteger {
      guard let start = try inputs.constantIntegers(0, "start")?.first,
        let limit = try inputs.constantIntegers(1, "limit")?.first,
        let delta = try inputs.constantIntegers(2, "delta")?.first, delta != 0
      else { throw GraphError("delta must not be zero") }
      let (distance, overflow) = limit.subtractingReportingOverflow(start)
      guard !overflow, delta != .min else { throw GraphError("the range is too long") }
      if distance == 0 || (distance < 0) != (delta < 0) { return 0 }
      return (abs(distance) - 1) / abs(delta) + 1
    }
    guard let start = try double(inputs, 0, "start"), let limit = try double(inputs, 1, "limit"),
      let delta = try double(inputs, 2, "delta"), delta != 0
    else { throw GraphError("delta must not be zero") }
    let count = ((limit - start) / delta).rounded(.up)
    guard count < 0x1p40 else { throw GraphError("the range is too long") }
    return max(0, Int(count))
  }

  private func double(
    _ inputs: [ValueInfo?], _ index: Int, _ name: String
  ) throws(GraphError) -> Double? {
    if let tensor = inputs.optional(index)?.constant, tensor.type == .float64 {
      return tensor.elements(as: Double.self).first
    }
    return try inputs.constantFloats(index, name)?.first.map { Double($0) }
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    // Short floats are counted in float32 and rounded where somebody wants them so.
    let declared = try lowering.outputInfo(0).type
    let type = declared == .float16 || declared == .bfloat16 ? .float32 : declared
    let start = try lowering.operand(0, type: type)
    let delta = try lowering.operand(2, type: type)
    let y = try lowering.result(0, type: type)
    lowering.emit(FillRange(from: start, by: delta, to: y))
  }
}
