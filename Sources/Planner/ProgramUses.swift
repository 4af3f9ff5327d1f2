import Instructions
import Tensors

/// One operand of one instruction, and what the instruction does with it.
package struct OperandUse: Sendable, Hashable {
  package enum Access: Sendable, Hashable {
    /// Is read.
    case read
    /// Is written completely.
    case write
    /// Is written in part; what it held before matters.
    case update
  }

  package var operand: Operand
  package var access: Access
  /// Says whether the instruction works on rows that are not dense there.
  package var acceptsStrides: Bool
}

/// Who reads and who writes each tensor of a program.
///
/// The planner takes live ranges from it, the compiler's view pass asks it who else touches a
/// tensor, and the runtime refuses programs that write where they must not.
package struct ProgramUses: Sendable {
  /// An instruction's use of a tensor.
  package struct Site: Sendable, Hashable {
    /// The instruction, by its place in the program.
    package var instruction: Int
    package var access: OperandUse.Access
    package var acceptsStrides: Bool
  }

  /// The operands of every instruction, absent ones left out, in the order of its fields.
  package let byInstruction: [[OperandUse]]
  /// The uses of every tensor itself (not of views of it), in program order.
  package let sites: [[Site]]

  /// Visits every instruction once. Operands outside the tensor table are left out of `sites`.
  package init(_ program: Program) {
    var lists: [[OperandUse]] = []
    lists.reserveCapacity(program.instructions.count)
    var sites = [[Site]](repeating: [], count: program.tensors.count)
    for (index, instruction) in program.instructions.enumerated() {
      let uses = ProgramUses.uses(of: instruction)
      for use in uses where sites.indices.contains(Int(use.operand.index)) {
        sites[Int(use.operand.index)].append(
          Site(instruction: index, access: use.access, acceptsStrides: use.acceptsStrides))
      }
      lists.append(uses)
    }
    byInstruction = lists
    self.sites = sites
  }

  /// The operands of one instruction that are present.
  package static func uses(of instruction: any Instruction) -> [OperandUse] {
    var collector = UseCollector()
    var copy = instruction
    copy.visit(&collector)
    return collector.uses
  }

  /// The uses of `operand` that read it (an update reads what it leaves in place).
  package func readers(of operand: Operand) -> [Site] {
    sites[Int(operand.index)].filter { $0.access != .write }
  }

  /// The uses of `operand` that write it, completely or in part.
  package func writers(of operand: Operand) -> [Site] {
    sites[Int(operand.index)].filter { $0.access != .read }
  }

  /// Says whether every instruction that touches `operand` works on rows that are not dense, so
  /// that it may become a view of a wider tensor.
  package func acceptsStrides(_ operand: Operand) -> Bool {
    sites[Int(operand.index)].allSatisfy(\.acceptsStrides)
  }
}

/// Collects operands; leaves every field as it is.
private struct UseCollector: FieldVisitor {
  var uses: [OperandUse] = []

  private mutating func add(_ operand: Operand, _ access: OperandUse.Access, _ strided: Bool) {
    guard operand.isPresent else { return }
    uses.append(OperandUse(operand: operand, access: access, acceptsStrides: strided))
  }

  mutating func input(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(operand, .read, strided)
  }
  mutating func output(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(operand, .write, strided)
  }
  mutating func update(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(operand, .update, strided)
  }
  mutating func inputs(_ name: StaticString, _ operands: inout [Operand], strided: Bool) {
    for operand in operands { add(operand, .read, strided) }
  }
  mutating func field(_ name: StaticString, _ value: inout Int) {}
  mutating func field(_ name: StaticString, _ value: inout [Int]) {}
  mutating func field(_ name: StaticString, _ value: inout Float) {}
  mutating func field(_ name: StaticString, _ value: inout Bool) {}
  mutating func field<E: RawRepresentable<UInt8>>(_ name: StaticString, _ value: inout E) {}
}
