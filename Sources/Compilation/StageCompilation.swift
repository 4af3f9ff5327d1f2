import Graphs
import Instructions
import Operators
import Planner
import Runtime
import Synchronization
import Tensors

/// A part of a graph with types and shapes: from one node on, as far as what is known reaches.
package struct SpecialisedStage: Sendable {
  /// The whole graph's values, and the nodes of the stage that were not folded.
  package let graph: Graph
  /// The nodes of the source graph that it stands for.
  package let nodes: Range<Int>
  /// Why it ends before it should: what the next node needs; nil where it does not.
  package let stop: CompileError?
  /// The values from before the stage that its nodes, or the next one, looked at.
  package let reads: Set<Graph.ValueID>
}

/// A part of a graph as a program of its own.
package struct StageProgram: Sendable {
  /// Planned; nil where everything was computed when the stage was compiled.
  package let program: Program?
  package let weights: Weights
  /// What the program's inputs and outputs are in the source graph, in order.
  package let inputs: [Graph.ValueID]
  package let outputs: [Graph.ValueID]
  /// The results that were computed when the stage was compiled.
  package let constants: [(id: Graph.ValueID, tensor: TensorBuffer)]
  /// The memory that it takes: the weights that it alone has, constants, and the arena of one
  /// session.
  package let byteCount: Int
}

/// Where the constants of stages go. A pool is as large as all stages together may be; when it is
/// full, the next begins, and the last goes with the last stage that uses it.
package final class WeightPools: Sendable {
  private let capacity: Int
  private let current = Mutex<WeightPool?>(nil)

  package init(capacity: Int) { self.capacity = capacity }

  /// The bytes in the pool that is being filled.
  package var byteCount: Int { current.withLock { $0?.byteCount ?? 0 } }

  /// Adds a program's constants and sets their offsets; returns how many bytes are new, too.
  func add(
    _ constants: [Operand: TensorBuffer], to program: inout Program
  ) throws(CompileError) -> (weights: Weights, byteCount: Int) {
    let total = constants.values.reduce(0) { $0 + $1.byteCount + 64 }
    for isFresh in [false, true] {
      let pool: WeightPool
      do throws(RuntimeError) {
        pool = try self.pool(fresh: isFresh, atLeast: total)
      } catch {
        throw CompileError(.internalError, error.message)
      }
      let before = pool.byteCount
      if let weights = pool.add(constants, to: &program) {
        return (weights, max(weights.byteCount - before, 0))
      }
    }
    throw CompileError(.internalError, "constants of \(total) bytes have no place")
  }

  private func pool(fresh: Bool, atLeast byteCount: Int) throws(RuntimeError) -> WeightPool {
    if !fresh, let pool = current.withLock({ $0 }) { return pool }
    let pool = try WeightPool(capacity: max(capacity, byteCount))
    current.withLock { $0 = pool }
    return pool
  }
}

extension Compiler {
  /// Gives a part of a graph types and shapes.
  ///
  /// - Parameter known: the values from before the stage, with the contents of those that shall
  ///   become constants.
  /// - Throws: `CompileError` where a node makes no sense; what a node needs to know is no error
  ///   but the end of the stage.
  package func specialise(
    _ graph: Graph, nodes: Range<Int>, known: [Graph.ValueID: ValueInfo]
  ) throws(CompileError) -> SpecialisedStage {
    try Specialization.stage(of: graph, nodes: nodes, known: known, evaluate: Compiler.evaluate)
  }

  /// Makes a program of a part of a graph.
  ///
  /// - Parameters:
  ///   - results: the values that it makes and others need.
  ///   - pools: where its constants go.
  package func program(
    for stage: SpecialisedStage, results: [Graph.ValueID], weights pools: WeightPools
  ) throws(CompileError) -> StageProgram {
    var graph = stage.graph
    var constants: [(id: Graph.ValueID, tensor: TensorBuffer)] = []
    graph.outputs = []
    for id in results {
      if let tensor = graph[id].constant {
        constants.append((id, tensor))
      } else {
        graph.outputs.append(id)
      }
    }
    var used: Set<Graph.ValueID> = []
    for node in graph.nodes {
      for case let id? in node.inputs { used.insert(id) }
    }
    graph.inputs = stage.reads.filter { used.contains($0) && graph[$0].constant == nil }
      .sorted { $0.index < $1.index }
    graph.captures = []
    let constantBytes = constants.reduce(0) { $0 + $1.tensor.byteCount }
    guard !graph.outputs.isEmpty else {
      return StageProgram(
        program: nil, weights: Weights(), inputs: [], outputs: [], constants: constants,
        byteCount: constantBytes)
    }
    let lowered = try lower(graph, origin: graph).lowered
    var program = lowered.program
    let (weights, added) = try pools.add(lowered.constants, to: &program)
    do throws(PlanningError) { _ = try MemoryPlanner.plan(&program) } catch {
      throw CompileError(.internalError, error.message)
    }
    return StageProgram(
      program: program, weights: weights, inputs: graph.inputs, outputs: graph.outputs,
      constants: constants, byteCount: constantBytes + added + program.arenaByteCount)
  }
}
