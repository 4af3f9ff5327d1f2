import Instructions
import ModelFile
import Planner
import Tensors

/// The memory that the offsets of a program's constants refer to. Shared by sessions, read-only.
///
/// Sendable because the bytes do not change after `init`.
public final class Weights: @unchecked Sendable {
  package let base: UnsafeRawPointer
  /// The bytes that constants may lie in; 64 more are readable.
  public let byteCount: Int
  /// The same bytes as instructions see them at load.
  let constants: ConstantStore
  private let owner: AnyObject

  /// Weights in memory that `owner` keeps valid and unchanged: 64-byte aligned, with
  /// `MemoryPlanner.slackByteCount` readable bytes after the end.
  /// - Parameter cache: forms of the same bytes that were made already.
  package init(
    borrowing base: UnsafeRawPointer, byteCount: Int, owner: AnyObject,
    cache: ConstantStore.Cache = ConstantStore.Cache()
  ) {
    self.base = base
    self.byteCount = byteCount
    self.owner = owner
    constants = ConstantStore(base: base, byteCount: byteCount, cache: cache)
  }

  /// Weights of no bytes.
  package convenience init() {
    let empty = Empty()
    self.init(borrowing: UnsafeRawPointer(empty.memory), byteCount: 0, owner: empty)
  }

  private final class Empty {
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: MemoryPlanner.slackByteCount, alignment: MemoryPlanner.alignment)
    init() {
      memory.initializeMemory(
        as: UInt8.self, repeating: 0, count: MemoryPlanner.slackByteCount)
    }
    deinit { memory.deallocate() }
  }

  /// Copies constants into one block, equal ones once, and sets their offsets in `program`.
  ///
  /// - Throws: `RuntimeError` where there is not enough memory.
  package convenience init(
    _ constants: [Operand: TensorBuffer], of program: inout Program
  ) throws(RuntimeError) {
    var layout = WeightLayout()
    for (operand, offset) in layout.add(constants) {
      program.tensors[Int(operand.index)].storage = .constant(offset: offset)
    }
    try self.init(layout)
  }

  /// Copies the contents of a layout into one block.
  package convenience init(_ layout: WeightLayout) throws(RuntimeError) {
    let block = try Block(byteCount: layout.byteCount + MemoryPlanner.slackByteCount)
    for item in layout.items {
      item.tensor.withBytes { bytes in
        guard let source = bytes.baseAddress else { return }
        (block.memory.base + item.offset).copyMemory(from: source, byteCount: bytes.count)
      }
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
