import Graphs

/// Removes nodes whose outputs nobody uses.
struct DeadCode: GraphPass {
  static let name = "dead-code"

  func run(on rewriter: inout Rewriter) throws(CompileError) {
    for index in rewriter.nodeIndices.reversed() where !rewriter.isRemoved(index) {
      let needed = rewriter[index].outputs.contains { output in
        output.map { !rewriter.users(of: $0).isEmpty || rewriter.isOutput($0) } ?? false
      }
      if !needed { rewriter.remove(index) }
    }
  }
}
