import Graphs
import Instructions
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// What tells one window of signal processing from the next.
package protocol WindowDefinition: Sendable {
  static var name: String { get }
  /// w = c₀ − c₁ cos x + c₂ cos 2x
  static var coefficients: [Double] { get }
}

/// Makes a window: y[n] = c₀ − c₁ cos(2πn / N) + c₂ cos(4πn / N), n < size, with the coefficients
/// of `Definition`.
///
/// size: one constant integer; y: [size], a float, `output_datatype` (default float32). N = size
/// for a periodic window (`periodic` = 1), size − 1 for a symmetric one. ONNX version 17.
package struct WindowFunction<Definition: WindowDefinition>: LoweredOperator {
  package static var name: String { Definition.name }
  package static var sinceVersion: Int { 17 }

  package var isPeriodic: Bool
  package var type: ElementType

  package init(importing node: NodeReader) throws(ImportError) {
    isPeriodic = try node.bool("periodic", default: true)
    type = try node.elementType("output_datatype") ?? .float32
    guard type.isFloat || type.isInteger else {
      throw node.unsupported("output_datatype is \(type), but must be a numeric type")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    [ValueInfo(type: type, shape: [try count(inputs)])]
  }

  /// A window longer than this is a mistake.
  private static var limit: Int { 1 << 24 }

  private func count(_ inputs: [ValueInfo?]) throws(GraphError) -> Int {
    _ = try inputs.required(0, "size")
    let values = try inputs.constantIntegers(0, "size") ?? []
    guard values.count == 1, (0...Self.limit).contains(values[0]) else {
      throw GraphError("the size is \(values); it must be one number up to \(Self.limit)")
    }
    return values[0]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let count = try count(lowering.inputInfos)
    let period = Double(max(isPeriodic ? count : count - 1, 1))
    let window = (0..<count).map { n -> Double in
      let angle = 2 * Double.pi * Double(n) / period
      return Definition.coefficients.enumerated().reduce(0) { sum, term in
        sum + (term.offset % 2 == 0 ? 1 : -1) * term.element * cos(Double(term.offset) * angle)
      }
    }
    guard let tensor = TensorBuffer(.float64, [count], window).rounded(to: type) else {
      throw GraphError("a window of \(type) is not supported")
    }
    try lowering.alias(0, to: lowering.constant(tensor))
  }
}

/// The windows, by their names in ONNX.
extension Elementwise {
  package enum HannWindow: WindowDefinition {
    package static let name = "HannWindow"
    package static let coefficients = [0.5, 0.5]
  }
  package enum HammingWindow: WindowDefinition {
    package static let name = "HammingWindow"
    package static let coefficients = [25.0 / 46, 21.0 / 46]
  }
  package enum BlackmanWindow: WindowDefinition {
    package static let name = "BlackmanWindow"
    package static let coefficients = [0.42, 0.5, 0.08]
  }
}

extension TensorBuffer {
  /// The elements of a float64 tensor in another numeric type, rounded (integers: truncated).
  func rounded(to type: ElementType) -> TensorBuffer? {
    let values = elements(as: Double.self)
    switch type {
    case .float64: return self
    case .float32: return TensorBuffer(shape, values.map { Float($0) })
    case .float16: return TensorBuffer(type, shape, values.map { Float16($0) })
    default: return converted(to: type)
    }
  }
}
