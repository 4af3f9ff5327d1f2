import Graphs

/// One rewriting of a specialised graph that keeps its meaning. One file per pass.
protocol GraphPass: Sendable {
  /// The name in dumps, e.g. `batch-normalization`.
  static var name: String { get }
  init()
  /// Edits the graph.
  func run(on rewriter: inout Rewriter) throws(CompileError)
}

/// The passes, in the order in which they run.
enum GraphPasses {
  static let all: [any GraphPass.Type] = [
    DeadCode.self,
    NormalizationFolding.self,
    LayerNormalizationPattern.self,
    ActivationPatterns.self,
    DistributionPattern.self,
    MatrixBiasFusion.self,
    AttentionHeads.self,
    ActivationFusion.self,
    ResidualFusion.self,
    DeadCode.self,
  ]

  /// Runs all passes until none changes anything, at most `rounds` times, and names the values
  /// again that they made.
  static func run(on graph: Graph, rounds: Int = 4) throws(CompileError) -> Graph {
    var graph = graph
    for _ in 0..<rounds {
      var changes = 0
      for pass in all {
        var rewriter = Rewriter(graph)
        try pass.init().run(on: &rewriter)
        changes += rewriter.changeCount
        graph = rewriter.finish()
      }
      if changes == 0 { break }
    }
    return graph
  }
}
