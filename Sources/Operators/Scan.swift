import Graphs
import Tensors

/// Computes a graph for every slice of tensors, with state carried from one slice to the next.
///
/// Inputs: initial states, then N = `num_scan_inputs` tensors that are cut along an axis; body:
/// (states …, slices …) to (states …, results …). Outputs: the states in the end, then each result
/// of all slices stacked along an axis. `scan_input_axes`, `scan_output_axes`: 0 where absent;
/// `scan_input_directions`, `scan_output_directions`: 1 for from the end. ONNX versions 8 to 24.
/// Version 8 has sequence_lens as its first input (refused unless absent), a leading batch axis in
/// everything, and `directions`.
///
/// It is run in stages: see the room `Staging`.
package struct Scan: HostOperator {
  package static let name = "Scan"
  package static let sinceVersion = 8

  package var body: Graph
  package var scanCount: Int
  package var stateCount: Int
  /// Says whether everything has a leading batch axis, as in version 8.
  package var isBatched: Bool
  package var inputAxes: [Int]
  package var outputAxes: [Int]
  package var inputsReversed: [Bool]
  package var outputsReversed: [Bool]

  package init(importing node: NodeReader) throws(ImportError) {
    guard let body = try node.graph("body") else { throw node.invalid("body is missing") }
    guard let count = try node.int("num_scan_inputs"), count >= 1, count <= body.inputs.count else {
      throw node.invalid("num_scan_inputs must be from 1 to the number of the body's inputs")
    }
    isBatched = node.version < 9
    let first = isBatched ? 1 : 0
    if isBatched, node.hasInput(0) {
      throw node.unsupported("sequence_lens is given; pad to equal lengths and leave it out")
    }
    let states = body.inputs.count - count
    guard node.inputs.count >= first + body.inputs.count else {
      throw node.invalid(
        "the body takes \(body.inputs.count) values, but \(node.inputs.count - first) are given")
    }
    guard body.outputs.count >= states, node.outputs.count <= body.outputs.count else {
      throw node.invalid(
        "the body has \(body.outputs.count) outputs for \(states) states and "
          + "\(node.outputs.count) used outputs")
    }
    let results = body.outputs.count - states
    func list(_ name: String, _ count: Int) throws(ImportError) -> [Int] {
      let values = try node.ints(name) ?? [Int](repeating: 0, count: count)
      guard values.count == count else {
        throw node.invalid("\(name) has \(values.count) elements instead of \(count)")
      }
      return values
    }
    func reversed(_ name: String, _ count: Int) throws(ImportError) -> [Bool] {
      let values = try list(name, count)
      guard values.allSatisfy({ $0 == 0 || $0 == 1 }) else {
        throw node.invalid("\(name) is \(values); a direction is 0 or 1")
      }
      return values.map { $0 == 1 }
    }
    inputAxes = try list("scan_input_axes", count)
    outputAxes = try list("scan_output_axes", results)
    inputsReversed = try reversed(isBatched ? "directions" : "scan_input_directions", count)
    outputsReversed = try reversed("scan_output_directions", results)
    self.body = body
    scanCount = count
    stateCount = states
  }
}
