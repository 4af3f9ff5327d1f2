import Instructions
import Kernels
import Planner
import Tensors

/// Runs a program once, in memory, on the calling thread: for constant folding and proofs.
public enum Evaluation {
  /// Plans and runs a program whose tensors are not placed yet.
  ///
  /// - Parameters:
  ///   - constants: the contents of the constant tensors, by operand.
  ///   - inputs: in the order of the program's inputs.
  ///   - isas: the kernels that may be used.
  /// - Returns: copies of the outputs, in order.
  package static func run(
    _ program: Program, constants: [Operand: TensorBuffer], inputs: [TensorBuffer] = [],
    isas: Set<ISA> = ISA.host
  ) throws(RuntimeError) -> [TensorBuffer] {
    let session = try session(program, constants: constants, threads: 1, isas: isas)
    return try session.run(inputs)
  }

  /// Plans a program whose tensors are not placed yet and makes a session of it.
  ///
  /// - Parameter keepingAll: every tensor keeps its contents until the next run, for
  ///   `Session.contents(of:)`.
  package static func session(
    _ program: Program, constants: [Operand: TensorBuffer], threads: Int? = 1,
    isas: Set<ISA> = ISA.host, keepingAll: Bool = false
  ) throws(RuntimeError) -> Session {
    var program = program
    let weights = try Weights(constants, of: &program)
    do throws(PlanningError) {
      try MemoryPlanner.plan(&program, keepingAll: keepingAll)
    } catch {
      throw RuntimeError(.invalidProgram, error.message)
    }
    return try Session(
      program, weights: weights, options: Session.Options(threads: threads, isas: isas))
  }
}
