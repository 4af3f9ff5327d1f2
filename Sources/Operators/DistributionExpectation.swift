import Graphs
import Instructions
import Tensors

/// Gives the expectations of distributions: y[n, 0, g, a] = Σ pₖ · weights[k], where p is the
/// softmax of x[n, g · K …, a].
///
/// x: [N, G · K, A] float; weights: [K] constant; y: [N, 1, G, A] float32. Detectors whose boxes
/// are distributions spell it in a softmax and a convolution; the compiler recognises that. Not in
/// any source vocabulary.
package struct DistributionExpectation: LoweredOperator {
  package static let name = "DistributionExpectation"
  package static let domain = "apus"
  /// The most weights.
  package static let binLimit = 64

  package init() {}

  package init(importing node: NodeReader) throws(ImportError) {
    throw node.unsupported("the operator belongs to the compiler and cannot be imported")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    let weights = try inputs.required(1, "weights")
    let bins = weights.shape.elementCount
    guard x.shape.rank == 3, (1...DistributionExpectation.binLimit).contains(bins),
      x.shape[1] % bins == 0
    else { throw GraphError("x is \(x.shape) for \(bins) weights") }
    return [ValueInfo(type: x.type, shape: [x.shape[0], 1, x.shape[1] / bins, x.shape[2]])]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.operand(0, .channelsLast, type: .float32)
    let weights = try lowering.operand(1, type: .float32)
    lowering.emit(
      Expectation(x, weights: weights, to: try lowering.result(0, .declared, type: .float32)))
  }
}
