import Kernels
import Tensors

/// What a curve or ramp store (`quantized.h`) is made of, but for its multipliers: the compiler
/// searches it (`CurveColumns`), model files keep it.
struct CurveEntries: Equatable {
  var form: StoreCurve.Form
  /// Bits of the result behind the point.
  var fraction: Int
  /// What an integer argument of a curve stands for; a ramp's is a unit of g.
  var unit: Float
  /// value, slope and bend of 64 pieces.
  var tables: [Int16]
  /// What is multiplied and added to the function's value: one of each column, or one for all.
  var ratio: [Int16]
  var level: [Int16]
  /// Empty without a residual.
  var residualRatio: [Int16] = []
  /// How |t| becomes an argument of a ramp; empty for a curve.
  var reach: [UInt16] = []
  var lift: [UInt16] = []
  var near: [UInt16] = []

  /// What the sums of each column are multiplied by.
  ///
  /// - Parameter scales: what a unit of a column's sums stands for
  func multipliers(_ scales: [Float], _ result: Quantization) -> [Float] {
    [Float](unsafeUninitializedCapacity: scales.count) { buffer, filled in
      filled = scales.count
      switch form {
      case .curve:
        for n in 0..<filled { buffer[n] = Float(Double(scales[n]) / Double(unit)) }
      case .ramp:
        let one = Double(1 << fraction)
        for n in 0..<filled {
          buffer[n] = Float(Double(scales[n]) * (one / Double(result.scale(n))))
        }
      }
    }
  }

  /// Whether no step of a sum's way to y can overflow beyond what `quantized.h` allows.
  func areSound(_ multipliers: [Float]) -> Bool {
    let magnitudes = (0..<StoreCurve.pieces).map { i in
      [0, 1, 2].reduce(0) { $0 + abs(Int(tables[StoreCurve.pieces * $1 + i])) }
    }
    // A sum of 2^31 must still fit 32 bits; NaN does not.
    guard multipliers.allSatisfy({ abs($0) < 1 }), magnitudes.allSatisfy({ $0 < 1 << 15 }) else {
      return false
    }
    return reach.indices.allSatisfy { n in
      let lifted = Int(reach[n]) * Int(lift[n])
      return lifted < 1 << 16 && (lifted * Int(near[n])) >> 16 < 1 << 15
    }
  }
}

// MARK: Files

extension CurveEntries {
  /// What a file says of a product's function.
  enum Found: Equatable {
    /// There is no curve for it.
    case nothing
    case entries(CurveEntries)
  }

  private static let version: UInt32 = 1

  /// The bytes that a file keeps: model-file.md states them.
  static func contents(_ found: Found) -> TensorBuffer {
    var words: [UInt16] = []
    func append(_ value: UInt32) {
      words += [UInt16(truncatingIfNeeded: value), UInt16(value >> 16)]
    }
    append(version)
    switch found {
    case .nothing: append(0)
    case .entries(let entries):
      append(entries.form == .curve ? 1 : 2)
      append(UInt32(entries.fraction))
      append(entries.unit.bitPattern)
      append(UInt32(entries.ratio.count))
      append(entries.residualRatio.isEmpty ? 0 : 1)
      for list in [entries.tables, entries.ratio, entries.level, entries.residualRatio] {
        words += list.map { UInt16(bitPattern: $0) }
      }
      words += entries.reach + entries.lift + entries.near
    }
    let bytes = words.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    return TensorBuffer(.uint8, Shape([bytes.count]), bytes)
  }

  /// Returns nil where the bytes make no sense, or are of another release.
  ///
  /// - Parameters:
  ///   - columns: how many columns the product has
  ///   - hasResidual: whether something is added behind the function
  static func read(
    _ contents: UnsafeRawBufferPointer, columns: Int, hasResidual: Bool
  ) -> Found? {
    var offset = 0
    func words<Word: FixedWidthInteger>(_ count: Int, _: Word.Type) -> [Word]? {
      let size = MemoryLayout<Word>.size
      guard count <= (contents.count - offset) / size else { return nil }
      defer { offset += size * count }
      return [Word](unsafeUninitializedCapacity: count) { buffer, filled in
        filled = count
        for i in 0..<count {
          let word = contents.loadUnaligned(fromByteOffset: offset + size * i, as: Word.self)
          buffer[i] = Word(littleEndian: word)
        }
      }
    }
    guard let head = words(2, UInt32.self), head[0] == version else { return nil }
    if head[1] == 0 { return contents.count == offset ? .nothing : nil }
    guard head[1] <= 2, let numbers = words(4, UInt32.self), numbers[0] <= 7,
      numbers[2] == 1 || numbers[2] == columns, numbers[3] == (hasResidual ? 1 : 0)
    else { return nil }
    let count = Int(numbers[2])
    let isRamp = head[1] == 2
    guard let tables = words(3 * StoreCurve.pieces, Int16.self),
      let ratio = words(count, Int16.self),
      let level = words(count, Int16.self),
      let residualRatio = words(hasResidual ? count : 0, Int16.self),
      let reach = words(isRamp ? count : 0, UInt16.self),
      let lift = words(isRamp ? count : 0, UInt16.self),
      let near = words(isRamp ? count : 0, UInt16.self), offset == contents.count
    else { return nil }
    return .entries(
      CurveEntries(
        form: isRamp ? .ramp : .curve, fraction: Int(numbers[0]),
        unit: Float(bitPattern: numbers[1]), tables: tables, ratio: ratio, level: level,
        residualRatio: residualRatio, reach: reach, lift: lift, near: near))
  }
}
