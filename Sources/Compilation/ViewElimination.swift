import Instructions
import Planner
import Tensors

/// Removes copies by letting tensors be views of others: the producers of a concatenation write
/// into its result, the consumers of a split read from its source.
///
/// It works on the program, after lowering. Along the last axis, a `CopyRows` disappears where
/// everybody who touches the smaller tensor works on rows that are not dense, and the offset keeps
/// rows aligned. Along the first axis, a `Copy` of one block disappears: nobody notices.
struct ViewElimination {
  private var program: Program
  private let uses: ProgramUses
  private var removed: Set<Int> = []
  /// For every tensor, the tensors that are views of it.
  private var views: [[Operand]]
  private var ports: Set<Operand>

  /// Returns the program with fewer copies.
  static func apply(to program: Program) -> Program {
    var work = ViewElimination(program)
    for index in program.instructions.indices { work.removeSplit(index) }
    for index in program.instructions.indices { work.removeBlockSplit(index) }
    for index in program.instructions.indices { work.removeConcatenation(index) }
    for index in program.instructions.indices { work.removeBlockConcatenation(index) }
    return work.finish()
  }

  private init(_ program: Program) {
    self.program = program
    uses = ProgramUses(program)
    views = [[Operand]](repeating: [], count: program.tensors.count)
    for (index, tensor) in program.tensors.enumerated() {
      if case .view(let root, _) = tensor.storage { views[Int(root.index)].append(Operand(index)) }
    }
    ports = Set((program.inputs + program.outputs).map(\.operand))
  }

  private subscript(operand: Operand) -> TensorSpec { program.tensors[Int(operand.index)] }

  /// A tensor that may move: in memory of its own, not at the border, everybody accepts strides.
  private func mayMove(_ operand: Operand) -> Bool {
    guard case .unplaced = self[operand].storage, !ports.contains(operand) else { return false }
    return uses.acceptsStrides(operand)
  }

  /// Vectors of rows stay aligned if offsets are multiples of this many elements.
  private static let alignment = 8

  // MARK: Split: the copy's target becomes a view of its source

  private mutating func removeSplit(_ index: Int) {
    guard let copy = program.instructions[index] as? CopyRows, !removed.contains(index),
      copy.sourceOffset % ViewElimination.alignment == 0
    else { return }
    let source = self[copy.input]
    let target = self[copy.output]
    if case .constant = source.storage { return }
    guard copy.targetOffset == 0, copy.count == target.rowLength, mayMove(copy.output),
      views[Int(copy.output.index)].isEmpty, uses.writers(of: copy.output).count == 1
    else { return }
    place(copy.output, in: copy.input, at: copy.sourceOffset)
    removed.insert(index)
  }

  // MARK: Concatenation: the copy's source becomes a view of its target

  private mutating func removeConcatenation(_ index: Int) {
    guard let copy = program.instructions[index] as? CopyRows, !removed.contains(index) else {
      return
    }
    var root = copy.input
    var offset = copy.sourceOffset
    if case .view(let base, let bytes) = self[root].storage {
      guard self[base].type == self[root].type, self[base].rowStride == self[root].rowStride,
        bytes < self[base].rowStride * self[base].type.byteCount
      else { return }
      root = base
      offset += bytes / self[base].type.byteCount
    }
    let base = copy.targetOffset - offset
    let source = self[root]
    guard base >= 0, base % ViewElimination.alignment == 0, mayMove(root),
      source.rowCount == self[copy.output].rowCount, source.type == self[copy.output].type,
      base + source.rowLength <= self[copy.output].rowLength, root != copy.output,
      views[Int(root.index)].allSatisfy({ isRowView($0, of: root) })
    else { return }
    // Whatever is written to this part of the target must be what the source holds there.
    var copies: [Int] = []
    for site in uses.writers(of: copy.output) {
      guard let other = program.instructions[site.instruction] as? CopyRows else { return }
      let range = other.targetOffset..<other.targetOffset + other.count
      guard range.overlaps(base..<base + source.rowLength) else { continue }
      guard !removed.contains(site.instruction), self.root(of: other.input) == root,
        other.targetOffset - self.offset(of: other.input, in: root) - other.sourceOffset == base
      else { return }
      copies.append(site.instruction)
    }
    // Every writer of the source must come before anybody reads the target.
    let firstRead =
      uses.readers(of: copy.output).lazy.filter { $0.access == .read }
      .map(\.instruction).min() ?? Int.max
    guard uses.writers(of: root).allSatisfy({ $0.instruction < firstRead }) else { return }
    place(root, in: copy.output, at: base)
    removed.formUnion(copies)
  }

  // MARK: Blocks: all bytes lie together in both tensors

  /// A copy of `count` elements that lie together in both tensors.
  private struct Block {
    var input: Operand
    var output: Operand
    var sourceOffset: Int
    var targetOffset: Int
    var count: Int

    /// Nil where the instruction is another copy.
    init?(_ instruction: any Instruction, _ tensors: [TensorSpec]) {
      guard let copy = instruction as? Copy,
        tensors[Int(copy.input.index)].type == tensors[Int(copy.output.index)].type
      else { return nil }
      count = 1
      for axis in copy.extents.indices.reversed() where copy.extents[axis] != 1 {
        guard copy.sourceStrides[axis] == count, copy.targetStrides[axis] == count else {
          return nil
        }
        count *= copy.extents[axis]
      }
      (input, output) = (copy.input, copy.output)
      (sourceOffset, targetOffset) = (copy.sourceOffset, copy.targetOffset)
    }
  }

  private func isOwn(_ operand: Operand) -> Bool {
    guard case .unplaced = self[operand].storage else { return false }
    return !ports.contains(operand) && self[operand].isDense
  }

  /// The tensor whose memory it is, through all views, and the bytes from its start.
  private func owner(of operand: Operand) -> (tensor: Operand, byteOffset: Int) {
    var (owner, offset) = (operand, 0)
    while case .view(let base, let bytes) = self[owner].storage {
      (owner, offset) = (base, offset + bytes)
    }
    return (owner, offset)
  }

  private mutating func removeBlockSplit(_ index: Int) {
    guard !removed.contains(index), let block = Block(program.instructions[index], program.tensors)
    else { return }
    if case .constant = self[owner(of: block.input).tensor].storage { return }
    guard block.targetOffset == 0, block.count == self[block.output].shape.elementCount,
      block.sourceOffset % ViewElimination.alignment == 0, isOwn(block.output),
      self[block.input].isDense, uses.writers(of: block.output).count == 1
    else { return }
    place(block.output, in: block.input, atElement: block.sourceOffset)
    removed.insert(index)
  }

  private mutating func removeBlockConcatenation(_ index: Int) {
    guard !removed.contains(index), let block = Block(program.instructions[index], program.tensors)
    else { return }
    let (source, offset) = owner(of: block.input)
    let start = block.targetOffset
    guard isOwn(source), offset == 0, block.sourceOffset == 0,
      block.count == self[source].shape.elementCount, start % ViewElimination.alignment == 0,
      self[block.output].isDense, owner(of: block.output).tensor != source
    else { return }
    let firstRead =
      uses.readers(of: block.output).lazy.filter { $0.access == .read }
      .map(\.instruction).min() ?? Int.max
    guard uses.writers(of: source).allSatisfy({ $0.instruction < firstRead }) else { return }
    // Nobody else may write there: copies of other blocks, or of rows, which may be anywhere.
    for site in uses.writers(of: block.output) where site.instruction != index {
      guard let other = Block(program.instructions[site.instruction], program.tensors) else {
        return
      }
      let range = other.targetOffset..<other.targetOffset + other.count
      guard !range.overlaps(start..<start + block.count) else { return }
    }
    place(source, in: block.output, atElement: start)
    removed.insert(index)
  }

  /// Makes a dense tensor a view of another, from element `start` on.
  private mutating func place(_ operand: Operand, in target: Operand, atElement start: Int) {
    let bytes = start * self[target].type.byteCount
    program.tensors[Int(operand.index)].storage = .view(of: target, byteOffset: bytes)
    views[Int(target.index)].append(operand)
  }

  /// A view of some columns of all rows that everybody reads with strides.
  private func isRowView(_ view: Operand, of root: Operand) -> Bool {
    self[view].rowCount == self[root].rowCount && self[view].rowStride == self[root].rowStride
      && views[Int(view.index)].isEmpty && uses.acceptsStrides(view) && !ports.contains(view)
  }

  private func root(of operand: Operand) -> Operand {
    if case .view(let base, _) = self[operand].storage { return base }
    return operand
  }

  private func offset(of operand: Operand, in root: Operand) -> Int {
    if case .view(_, let bytes) = self[operand].storage {
      return bytes / max(self[root].type.byteCount, 1)
    }
    return 0
  }

  /// Makes `operand` a view of `target` from column `column` on; its own views follow.
  private mutating func place(_ operand: Operand, in target: Operand, at column: Int) {
    let stride = self[target].rowStride
    let bytes = column * self[target].type.byteCount
    program.tensors[Int(operand.index)].storage = .view(of: target, byteOffset: bytes)
    program.tensors[Int(operand.index)].rowStride = stride
    views[Int(target.index)].append(operand)
    for view in views[Int(operand.index)] {
      program.tensors[Int(view.index)].rowStride = stride
    }
  }

  private consuming func finish() -> Program {
    var result = program
    result.instructions = []
    result.origins = []
    for index in program.instructions.indices where !removed.contains(index) {
      result.instructions.append(program.instructions[index])
      result.origins.append(program.origins[index])
    }
    return result
  }
}
