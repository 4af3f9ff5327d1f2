import Graphs
import Tensors

/// Computes one of two graphs: outputs = cond ? then_branch() : else_branch().
///
/// cond: one bool. Outputs: as many as each branch has, of whatever types, shapes and kinds the
/// branch taken gives. The branches take no inputs; what they use of the graph around them they
/// capture. ONNX versions 1 to 24.
///
/// Where the condition is known, the branch taken becomes a part of the graph around it. Refused in
/// one program: a condition computed at run time.
package struct If: HostOperator {
  package static let name = "If"

  package var thenBranch: Graph
  package var elseBranch: Graph

  package init(importing node: NodeReader) throws(ImportError) {
    guard let then = try node.graph("then_branch"), let other = try node.graph("else_branch")
    else { throw node.invalid("then_branch or else_branch is missing") }
    for branch in [then, other] {
      guard branch.inputs.isEmpty else { throw node.invalid("a branch has inputs of its own") }
      guard branch.outputs.count >= node.outputs.count else {
        throw node.invalid(
          "a branch has \(branch.outputs.count) outputs, but \(node.outputs.count) are used")
      }
    }
    thenBranch = then
    elseBranch = other
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    throw GraphError(
      needing: 0, "cond",
      "the condition is computed at run time, but what runs must be known when the model is "
        + "compiled into one program; apus run and the libraries run the model in stages")
  }

  /// The branch for a condition, and the positions of the node's inputs that it captures.
  package func branch(_ condition: Bool) -> (graph: Graph, inputs: Range<Int>) {
    let first = 1 + (condition ? elseBranch.captures.count : 0)
    let graph = condition ? thenBranch : elseBranch
    return (graph, first..<first + graph.captures.count)
  }

  /// The condition that a tensor holds.
  package static func condition(_ tensor: TensorBuffer) throws(GraphError) -> Bool {
    guard tensor.type == .bool, tensor.elementCount == 1, let value = tensor.integers()?.first
    else {
      throw GraphError("the condition is \(tensor.type) \(tensor.shape), but must be one bool")
    }
    return value != 0
  }
}
