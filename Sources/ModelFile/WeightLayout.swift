import Instructions
import Tensors

/// Places for constants, one after the other, 64-byte aligned, equal contents once.
package struct WeightLayout: Sendable {
  package struct Item: Sendable {
    package var tensor: TensorBuffer
    package var offset: Int
  }

  /// The distinct contents, in rising order of their offsets.
  package private(set) var items: [Item] = []
  package private(set) var byteCount = 0
  private var known: [Key: [Int]] = [:]

  /// What equal contents have in common.
  package struct Key: Hashable, Sendable {
    private var byteCount: Int
    private var hash: UInt64

    package init(_ tensor: TensorBuffer) {
      byteCount = tensor.byteCount
      hash = tensor.withBytes { WeightLayout.hash($0) }
    }
  }

  package init() {}

  /// Finds places for the constants of one more program; returns their offsets.
  package mutating func add(_ constants: [Operand: TensorBuffer]) -> [Operand: Int] {
    var result: [Operand: Int] = [:]
    for (operand, tensor) in constants.sorted(by: { $0.key.index < $1.key.index }) {
      result[operand] = place(tensor)
    }
    return result
  }

  /// Finds a place for one tensor; returns its offset.
  package mutating func place(_ tensor: TensorBuffer) -> Int {
    let key = Key(tensor)
    for candidate in known[key] ?? [] where WeightLayout.equal(items[candidate].tensor, tensor) {
      return items[candidate].offset
    }
    let offset = byteCount
    known[key, default: []].append(items.count)
    items.append(Item(tensor: tensor, offset: offset))
    byteCount = (offset + tensor.byteCount + 63) & ~63
    return offset
  }

  private static func equal(_ a: TensorBuffer, _ b: TensorBuffer) -> Bool {
    if a === b { return true }
    return a.withBytes { x in b.withBytes { y in x.elementsEqual(y) } }
  }

  /// FNV-1a over words: fast, and good enough to find candidates for the exact comparison.
  private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    var index = 0
    while index + 8 <= bytes.count {
      hash =
        (hash ^ bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        &* 0x0000_0100_0000_01b3
      hash ^= hash >> 29
      index += 8
    }
    while index < bytes.count {
      hash = (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01b3
      index += 1
    }
    return hash
  }
}
