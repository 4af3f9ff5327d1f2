import Instructions
import ModelFile
import Planner
import Synchronization
import Tensors

/// Weights that grow: the constants of programs that are compiled one after the other, equal ones
/// once.
///
/// Programs of one model for different shapes have most constants in common. The pool is one large
/// mapping whose pages take memory only once they are used; what is in it stays until the pool and
/// all weights made of it are gone.
///
/// Sendable because bytes are written under the lock, once, behind what is used already.
package final class WeightPool: @unchecked Sendable {
  private struct Contents {
    var byteCount = 0
    /// The offsets of tensors, by size and hash.
    var known: [WeightLayout.Key: [Int]] = [:]
  }

  private let memory: MemoryBlock
  private let contents = Mutex(Contents())
  /// Bytes never change, so that forms made of them stay right while the pool grows.
  private let cache = ConstantStore.Cache()

  /// - Throws: `RuntimeError` where the system refuses the address space.
  package init(capacity: Int) throws(RuntimeError) {
    memory = try MemoryBlock(
      byteCount: ((capacity + 63) & ~63) + MemoryPlanner.slackByteCount,
      purpose: "the model's weights")
  }

  /// The bytes that are used.
  package var byteCount: Int { contents.withLock { $0.byteCount } }

  /// Adds the constants of a program and sets their offsets.
  ///
  /// - Returns: nil where the pool is full; the program is then as it was.
  package func add(_ constants: [Operand: TensorBuffer], to program: inout Program) -> Weights? {
    let capacity = memory.byteCount - MemoryPlanner.slackByteCount
    let offsets = contents.withLock { contents -> [Operand: Int]? in
      var changed = contents
      var offsets: [Operand: Int] = [:]
      for (operand, tensor) in constants.sorted(by: { $0.key.index < $1.key.index }) {
        let key = WeightLayout.Key(tensor)
        if let known = changed.known[key]?.first(where: { holds(tensor, at: $0) }) {
          offsets[operand] = known
          continue
        }
        let offset = changed.byteCount
        guard tensor.byteCount <= capacity - offset else { return nil }
        tensor.withBytes { bytes in
          guard let source = bytes.baseAddress else { return }
          (memory.base + offset).copyMemory(from: source, byteCount: bytes.count)
        }
        changed.known[key, default: []].append(offset)
        changed.byteCount = min((offset + tensor.byteCount + 63) & ~63, capacity)
        offsets[operand] = offset
      }
      contents = changed
      return offsets
    }
    guard let offsets else { return nil }
    for (operand, offset) in offsets {
      program.tensors[Int(operand.index)].storage = .constant(offset: offset)
    }
    return Weights(
      borrowing: UnsafeRawPointer(memory.base), byteCount: byteCount, owner: self, cache: cache)
  }

  private func holds(_ tensor: TensorBuffer, at offset: Int) -> Bool {
    tensor.withBytes { bytes in
      UnsafeRawBufferPointer(start: memory.base + offset, count: bytes.count).elementsEqual(bytes)
    }
  }
}
