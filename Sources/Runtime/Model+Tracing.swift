import Instructions
import Kernels
import Planner
import Tensors

extension Model {
  /// A session of a program in which every tensor keeps its contents until the next run: more
  /// memory, the same arithmetic.
  package func tracingSession(
    _ index: Int = 0, isas: Set<ISA> = ISA.host
  ) throws(RuntimeError) -> Session {
    var program = try program(index)
    for tensor in program.tensors.indices {
      if case .arena = program.tensors[tensor].storage {
        program.tensors[tensor].storage = .unplaced
      }
    }
    do throws(PlanningError) {
      try MemoryPlanner.plan(&program, keepingAll: true)
    } catch {
      throw RuntimeError(.invalidProgram, error.message)
    }
    return try Session(
      program, weights: weights, options: Session.Options(threads: 1, isas: isas))
  }
}

extension Session {
  /// The tensors of the program, by operand index.
  package var tensorSpecs: [TensorSpec] { program.tensors }
}
