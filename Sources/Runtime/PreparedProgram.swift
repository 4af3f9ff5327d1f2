import Instructions
import Kernels
import Tensors

/// A private copy of a program's instructions, prepared for a machine and a number of parts.
final class PreparedProgram {
  let instructions: UnsafeMutablePointer<any Instruction>
  let count: Int
  let parts: Int
  let scratchByteCount: Int
  /// The bytes of weights in forms made at load.
  let derivedByteCount: Int

  /// - Parameter other: the same program, prepared alike for another number of parts: it shares
  ///   what does not depend on them
  /// - Throws: `RuntimeError` naming the instruction that refuses its fields or tensors.
  init(
    _ program: Program, weights: Weights, isas: Set<ISA>, parts: Int,
    sharing other: PreparedProgram? = nil
  ) throws(RuntimeError) {
    var prepared =
      other.map { Array(UnsafeBufferPointer(start: $0.instructions, count: $0.count)) }
      ?? program.instructions
    var preparation = Preparation(
      tensors: program.tensors, isas: isas, parts: parts, constants: weights.constants,
      isExact: program.isExact, isRepeated: other != nil)
    for index in prepared.indices {
      do throws(InstructionError) {
        try prepared[index].prepare(&preparation)
        if preparation.sawAbsentOperand {
          throw InstructionError(prepared[index].opcode, "a required operand is absent")
        }
      } catch {
        throw RuntimeError(
          .invalidProgram, error.description,
          place: "instruction \(index) of node \"\(program.origins[index])\"")
      }
    }
    count = prepared.count
    self.parts = parts
    scratchByteCount = preparation.scratchByteCount
    derivedByteCount = preparation.derivedByteCount
    instructions = .allocate(capacity: max(count, 1))
    instructions.initialize(from: prepared, count: count)
  }

  deinit {
    instructions.deinitialize(count: count)
    instructions.deallocate()
  }
}
