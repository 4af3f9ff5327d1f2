import Graphs
import Tensors

/// Computes a graph for every element of a sequence.
///
/// Inputs: a sequence, then sequences as long as it, which are walked along with it, or tensors,
/// which every call of the body gets. Outputs: one sequence for each output of the body. ONNX
/// version 17. It is run in stages: see the room `Staging`.
package struct SequenceMap: HostOperator {
  package static let name = "SequenceMap"
  package static let sinceVersion = 17

  package var body: Graph

  package init(importing node: NodeReader) throws(ImportError) {
    guard let body = try node.graph("body") else { throw node.invalid("body is missing") }
    guard body.inputs.count == node.inputs.count, !body.inputs.isEmpty else {
      throw node.invalid(
        "the body takes \(body.inputs.count) values, but \(node.inputs.count) are given")
    }
    guard body.outputs.count >= node.outputs.count else {
      throw node.invalid(
        "\(node.outputs.count) outputs are used, but the body has \(body.outputs.count)")
    }
    self.body = body
  }
}
