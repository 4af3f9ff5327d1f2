import Instructions
import Tensors

/// Seeded inputs for proofs and benchmarks without data: the same on every machine.
///
/// Floats are drawn from N(0, 1), integers are 0, booleans true.
public struct RandomInputs {
  private var state: UInt64

  public init(seed: UInt64 = 1) { state = seed }

  /// One tensor per port.
  public mutating func tensors(for ports: [Program.Port]) -> [TensorBuffer] {
    ports.map { tensor($0.type, $0.shape) }
  }

  /// One tensor.
  public mutating func tensor(_ type: ElementType, _ shape: Shape) -> TensorBuffer {
    if type.isFloat {
      let normal = TensorBuffer(shape, (0..<shape.elementCount).map { _ in nextNormal() })
      return normal.converted(to: type) ?? normal
    }
    let tensor = TensorBuffer(zeros: type, shape)
    if type == .bool {
      tensor.withMutableBytes { bytes in for index in bytes.indices { bytes[index] = 1 } }
    }
    return tensor
  }

  /// Evenly distributed bytes, for pictures.
  public mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 56) }
  }

  /// SplitMix64 (Steele, Lea, Flood 2014).
  private mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// The sum of twelve uniform numbers less six: close to N(0, 1), and free of transcendental
  /// functions that differ between machines.
  private mutating func nextNormal() -> Float {
    var sum = 0.0
    for _ in 0..<12 { sum += Double(next() >> 11) * 0x1p-53 }
    return Float(sum - 6)
  }
}
