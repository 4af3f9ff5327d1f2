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

  /// - Throws: `RuntimeError` naming the instruction that refuses its fields or tensors.
  init(
    _ program: Program, weights: Weights, isas: Set<ISA>, parts: Int
  ) throws(RuntimeError) {
    var prepared = program.instructions
    var preparation = Preparation(
      tensors: program.tensors, isas: isas, parts: parts, constants: weights.constants)
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
