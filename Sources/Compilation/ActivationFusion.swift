import Graphs
import Instructions
import Operators

/// Lets convolutions and matrix products apply the activation that follows them while they store.
struct ActivationFusion: GraphPass {
  static let name = "activation-fusion"

  func run(on rewriter: inout Rewriter) throws(CompileError) {
    for index in rewriter.nodeIndices where !rewriter.isRemoved(index) {
      let node = rewriter[index]
      guard let op = node.op as? any ActivationFunction, let input = node.inputs[0],
        let output = node.outputs[0], rewriter.isUsedOnce(input),
        let producer = rewriter.producer(of: input),
        let function = op.activation(
          for: node.inputs.map { $0.flatMap { rewriter.graph.info(of: $0) } }),
        let fused = fusing(function, into: rewriter[producer].op)
      else { continue }
      var merged = rewriter[producer]
      merged.op = fused
      merged.outputs = [output]
      rewriter.remove(producer)
      rewriter.replace(index, with: merged)
    }
  }

  /// The operator with the function applied to its result; nil where it cannot.
  private func fusing(_ function: Activation, into op: any Operator) -> (any Operator)? {
    switch op {
    case var conv as Conv where conv.activation == .none && !conv.addsResidualLast:
      conv.activation = function
      return conv
    case var conv as ConvTranspose where conv.activation == .none:
      conv.activation = function
      return conv
    case var product as MatMul where product.activation == .none:
      product.activation = function
      return product
    case var product as Gemm where product.activation == .none:
      product.activation = function
      return product
    default: return nil
    }
  }
}
