import Tensors

/// Two tensors of one floating-point type and shape, read as doubles block by block.
struct ElementPair {
  private let target: TensorBuffer
  private let reference: TensorBuffer
  /// The number of doubles on each side: complex numbers count as two.
  let count: Int

  private static let blockCount = 4096

  init(_ target: TensorBuffer, _ reference: TensorBuffer) {
    precondition(target.type == reference.type && target.shape == reference.shape)
    self.target = target
    self.reference = reference
    count = target.elementCount * ElementPair.partCount(of: target.type)
  }

  /// Says whether the elements of a type can be read as doubles.
  static func reads(_ type: ElementType) -> Bool {
    type.isFloat || type == .complex64 || type == .complex128
  }

  /// Numbers per element.
  static func partCount(of type: ElementType) -> Int {
    type == .complex64 || type == .complex128 ? 2 : 1
  }

  /// Calls `body` with the index of the first element, and the elements, of each block in order.
  func forEachBlock(_ body: (_ start: Int, _ target: [Double], _ reference: [Double]) -> Void) {
    for start in stride(from: 0, to: count, by: ElementPair.blockCount) {
      let range = start..<min(start + ElementPair.blockCount, count)
      body(start, ElementPair.doubles(target, range), ElementPair.doubles(reference, range))
    }
  }

  func largestMagnitude() -> Double {
    var largest = 0.0
    forEachBlock { _, targets, references in
      for value in targets { largest = max(largest, value.magnitude) }
      for value in references { largest = max(largest, value.magnitude) }
    }
    return largest
  }

  /// Returns the index and the value of the first number that is NaN or infinite.
  static func firstNonFinite(in tensor: TensorBuffer) -> (index: Int, value: Double)? {
    guard reads(tensor.type) else { return nil }
    let count = tensor.elementCount * partCount(of: tensor.type)
    for start in stride(from: 0, to: count, by: blockCount) {
      let values = doubles(tensor, start..<min(start + blockCount, count))
      if let offset = values.firstIndex(where: { !$0.isFinite }) {
        return ((start + offset) / partCount(of: tensor.type), values[offset])
      }
    }
    return nil
  }

  private static func doubles(_ tensor: TensorBuffer, _ range: Range<Int>) -> [Double] {
    func read<T: BitwiseCopyable>(_ convert: (T) -> Double) -> [Double] {
      tensor.withBytes { bytes in
        [Double](unsafeUninitializedCapacity: range.count) { buffer, count in
          for index in range {
            let element = bytes.loadUnaligned(
              fromByteOffset: index * MemoryLayout<T>.size, as: T.self)
            buffer[index - range.lowerBound] = convert(element)
          }
          count = range.count
        }
      }
    }
    switch tensor.type {
    case .float16: return read { (value: Float16) in Double(value) }
    case .bfloat16: return read { (value: BFloat16) in Double(Float(value)) }
    case .float32, .complex64: return read { (value: Float) in Double(value) }
    default: return read { (value: Double) in value }
    }
  }
}
