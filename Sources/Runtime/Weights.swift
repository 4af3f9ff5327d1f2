import Instructions
import Planner
import Tensors

/// The memory that the offsets of a program's constants refer to. Shared by sessions, read-only.
///
/// Sendable because the bytes do not change after `init`.
public final class Weights: @unchecked Sendable {
  package let base: UnsafeRawPointer
  /// The bytes that constants may lie in; 64 more are readable.
  public let byteCount: Int
  private let owner: AnyObject

  /// Weights in memory that `owner` keeps valid and unchanged: 64-byte aligned, with
  /// `MemoryPlanner.slackByteCount` readable bytes after the end.
  package init(borrowing base: UnsafeRawPointer, byteCount: Int, owner: AnyObject) {
    self.base = base
    self.byteCount = byteCount
    self.owner = owner
  }

  /// Copies constants into one block, equal ones once, and sets their offsets in `program`.
  ///
  /// - Throws: `RuntimeError` where there is not enough memory.
  package convenience init(
    _ constants: [Operand: TensorBuffer], of program: inout Program
  ) throws(RuntimeError) {
    let layout = WeightLayout(constants)
    let block = try Block(byteCount: layout.byteCount + MemoryPlanner.slackByteCount)
    for item in layout.items {
      item.tensor.withBytes { bytes in
        guard let source = bytes.baseAddress else { return }
        (block.memory.base + item.offset).copyMemory(from: source, byteCount: bytes.count)
      }
    }
    for (operand, offset) in layout.offsets {
      program.tensors[Int(operand.index)].storage = .constant(offset: offset)
    }
    self.init(
      borrowing: UnsafeRawPointer(block.memory.base), byteCount: layout.byteCount, owner: block)
  }

  private final class Block {
    let memory: MemoryBlock
    init(byteCount: Int) throws(RuntimeError) {
      memory = try MemoryBlock(byteCount: byteCount, purpose: "the model's weights")
    }
  }
}

/// Places for constants, one after the other, 64-byte aligned, equal contents once.
package struct WeightLayout {
  package struct Item {
    package var tensor: TensorBuffer
    package var offset: Int
  }

  /// The distinct contents, by offset.
  package private(set) var items: [Item] = []
  package private(set) var offsets: [Operand: Int] = [:]
  package private(set) var byteCount = 0
  private var known: [Key: [Int]] = [:]

  private struct Key: Hashable {
    var byteCount: Int
    var hash: UInt64
  }

  package init() {}

  package init(_ constants: [Operand: TensorBuffer]) {
    _ = add(constants)
  }

  /// Finds places for the constants of one more program; returns their offsets.
  package mutating func add(_ constants: [Operand: TensorBuffer]) -> [Operand: Int] {
    var result: [Operand: Int] = [:]
    for (operand, tensor) in constants.sorted(by: { $0.key.index < $1.key.index }) {
      result[operand] = place(tensor)
    }
    offsets.merge(result) { _, new in new }
    return result
  }

  private mutating func place(_ tensor: TensorBuffer) -> Int {
    let key = Key(byteCount: tensor.byteCount, hash: tensor.withBytes { WeightLayout.hash($0) })
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
      hash = (hash ^ bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
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
