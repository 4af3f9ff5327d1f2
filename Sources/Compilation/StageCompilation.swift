import Graphs
import Instructions
import Operators
import Runtime
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
  /// Nil where everything was computed when the stage was compiled.
  package let model: Model?
  /// What the program's inputs and outputs are in the source graph, in order.
  package let inputs: [Graph.ValueID]
  package let outputs: [Graph.ValueID]
  /// The results that were computed when the stage was compiled.
  package let constants: [(id: Graph.ValueID, tensor: TensorBuffer)]
  /// The memory that it takes: weights, constants, and the arena of one session.
  package let byteCount: Int
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
  /// - Parameter results: the values that it makes and others need.
  package func program(
    for stage: SpecialisedStage, results: [Graph.ValueID]
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
        model: nil, inputs: [], outputs: [], constants: constants, byteCount: constantBytes)
    }
    let compiled = try lower(graph, origin: graph)
    let model = try ModelAssembly.model(of: ModelAssembly.contents(of: [compiled]))
    return StageProgram(
      model: model, inputs: graph.inputs, outputs: graph.outputs, constants: constants,
      byteCount: constantBytes + model.weights.byteCount
        + model.programs.reduce(0) { $0 + $1.arenaByteCount })
  }
}
