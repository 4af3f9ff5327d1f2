import Graphs
import Operators

/// Lets convolutions and matrix products add a residual while they store:
/// Add(Conv(x), r) → Conv(x, residual: r), before or after the activation that they have.
struct ResidualFusion: GraphPass {
  static let name = "residual-fusion"

  func run(on rewriter: inout Rewriter) throws(CompileError) {
    for index in rewriter.nodeIndices where !rewriter.isRemoved(index) {
      guard rewriter.name(index) == "Add", let output = rewriter[index].outputs[0],
        let shape = rewriter.graph[output].shape
      else { continue }
      let inputs = rewriter[index].inputs
      // The later producer takes the earlier value in: it finds it warm.
      let order = [1, 0].sorted { position, other in
        (rewriter.producer(of: inputs[position]) ?? -1)
          > (rewriter.producer(of: inputs[other]) ?? -1)
      }
      for position in order {
        guard let value = inputs[position], let residual = inputs[1 - position],
          value != residual, rewriter.graph[value].type?.isFused == true,
          rewriter.constant(residual) == nil, rewriter.isUsedOnce(value),
          rewriter.graph[value].shape == shape, rewriter.graph[residual].shape == shape,
          let producer = rewriter.producer(of: value),
          let fused = adding(residual, to: rewriter[producer])
        else { continue }
        var merged = fused
        merged.outputs = [output]
        rewriter.remove(producer)
        rewriter.replace(index, with: merged)
        break
      }
    }
  }

  private func adding(_ residual: Graph.ValueID, to node: Graph.Node) -> Graph.Node? {
    guard node.inputs.count <= 3 else { return nil }
    var result = node
    switch node.op {
    case var conv as Conv where (node.inputs.count > 1):
      conv.addsResidualLast = conv.activation != .none
      result.op = conv
    case let product as MatMul where product.activation == .none:
      result.op = product
    default: return nil
    }
    while result.inputs.count < 3 { result.inputs.append(nil) }
    result.inputs.append(residual)
    return result
  }
}
