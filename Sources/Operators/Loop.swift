import Graphs
import Tensors

/// Computes a graph again and again, with values carried from one time to the next.
///
///     for i in 0..<M while cond: (cond, carried, results) = body(i, cond, carried)
///
/// M: one int64, absent for no bound; cond: one bool, absent for true; v_initial: what is carried
/// at first: tensors whose shapes may change, sequences, optionals. Body: (i, cond, carried …) to
/// (cond, carried …, results …). Outputs: what is carried in the end, then each result of all times
/// stacked along a new leading axis. ONNX versions 1 to 24.
///
/// It is run in stages: see the room `Staging`, which also bounds the number of times.
package struct Loop: HostOperator {
  package static let name = "Loop"

  package var body: Graph
  /// The number of carried values.
  package var carriedCount: Int

  package init(importing node: NodeReader) throws(ImportError) {
    guard let body = try node.graph("body") else { throw node.invalid("body is missing") }
    guard body.inputs.count >= 2 else {
      throw node.invalid("the body has \(body.inputs.count) inputs, but takes i and cond at least")
    }
    let carried = body.inputs.count - 2
    guard body.outputs.count >= 1 + carried else {
      throw node.invalid(
        "the body has \(body.outputs.count) outputs for a condition and \(carried) carried values")
    }
    guard node.inputs.count >= 2 + carried || carried == 0 else {
      throw node.invalid(
        "the body carries \(carried) values, but only \(max(node.inputs.count - 2, 0)) are given")
    }
    guard node.outputs.count < body.outputs.count else {
      throw node.invalid(
        "\(node.outputs.count) outputs are used, but the body gives \(body.outputs.count - 1)")
    }
    self.body = body
    carriedCount = carried
  }
}
