import Graphs
import Instructions
import Kernels
import Operators
import Planner
import Runtime
import Tensors

/// In what precision a program computes.
public enum Precision: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// float32 throughout.
  case fp32
  /// bfloat16 operands of convolutions and matrix products, float32 sums; see `StorageAssignment`.
  case bf16

  public var description: String { rawValue }
}

/// A program as compiled, with what it was made from.
public struct CompiledProgram: Sendable {
  public let precision: Precision
  /// The shapes of the inputs, by name.
  public let shapes: InputShapes
  /// The program without a memory plan, and its constants.
  package let lowered: LoweredProgram
  /// The graph as imported.
  package let origin: Graph
  /// The specialised graph before passes: what the source says, at these shapes.
  package let source: Graph
  /// The graph after passes: what was lowered.
  package let optimised: Graph
}

/// Turns graphs into programs.
public struct Compiler: Sendable {
  public var precision: Precision
  /// Says whether passes may fuse nodes; without them every source value exists.
  public var fuses: Bool

  public init(precision: Precision = .fp32, fuses: Bool = true) {
    self.precision = precision
    self.fuses = fuses
  }

  /// Compiles for one set of input shapes.
  ///
  /// - Throws: `CompileError`: shapes missing or contradictory, a node that makes no sense or that
  ///   cannot be lowered.
  public func compile(
    _ graph: Graph, shapes: InputShapes = InputShapes()
  ) throws(CompileError) -> CompiledProgram {
    let source = try Compiler.specialise(graph, shapes: shapes)
    let optimised = fuses ? try GraphPasses.run(on: source) : source
    let assignment = precision == .bf16 ? PrecisionGuard.storage(for: optimised) : nil
    var lowered: LoweredProgram
    do throws(GraphError) {
      lowered = try Lowering.lower(optimised) { id in assignment?.storage(of: id) ?? .float32 }
    } catch {
      throw CompileError(error)
    }
    lowered.program = ViewElimination.apply(to: lowered.program)
    let named = Dictionary(
      uniqueKeysWithValues: source.inputs.map { id in
        (source[id].name, source[id].shape ?? Shape([]))
      })
    return CompiledProgram(
      precision: precision, shapes: InputShapes(named), lowered: lowered, origin: graph,
      source: source, optimised: optimised)
  }

  /// Gives every value a type and a shape, and folds constants.
  package static func specialise(
    _ graph: Graph, shapes: InputShapes
  ) throws(CompileError) -> Graph {
    try Specialization.apply(shapes, to: graph) { lowered throws(CompileError) in
      do throws(RuntimeError) {
        return try Evaluation.run(
          lowered.program, constants: lowered.constants, isas: ISA.portable.included)
      } catch {
        throw CompileError(
          .internalError, "a constant could not be computed: \(error.message)", place: error.place)
      }
    }
  }
}
