import Graphs
import Instructions
import Operators

/// Lets convolutions and matrix products apply the activation that follows them while they store,
/// also where it follows the concatenation or the reshaping of their results:
/// f(Concat(Conv(a), Conv(b))) → Concat(f(Conv(a)), f(Conv(b))).
struct ActivationFusion: GraphPass {
  static let name = "activation-fusion"

  func run(on rewriter: inout Rewriter) throws(CompileError) {
    for index in rewriter.nodeIndices where !rewriter.isRemoved(index) {
      let node = rewriter[index]
      guard let op = node.op as? any ActivationFunction, let input = node.inputs[0],
        let output = node.outputs[0], rewriter.isUsedOnce(input),
        let producer = rewriter.producer(of: input),
        let function = op.activation(
          for: node.inputs.map { $0.flatMap { rewriter.graph.info(of: $0) } })
      else { continue }
      if let fused = fusing(function, into: rewriter[producer].op) {
        var merged = rewriter[producer]
        merged.op = fused
        merged.outputs = [output]
        rewriter.remove(producer)
        rewriter.replace(index, with: merged)
      } else if function.function != .identity, mayMove(function, before: producer, rewriter) {
        let moved = move(function, before: producer, named: output, &rewriter)
        rewriter.remove(producer)
        rewriter.replace(index, with: moved)
      }
    }
  }

  /// Says whether the node only arranges the results of products that can take the function in.
  private func mayMove(_ function: Activation, before index: Int, _ rewriter: Rewriter) -> Bool {
    guard let sources = sources(of: index, rewriter), !sources.isEmpty else { return false }
    return sources.allSatisfy { id in
      guard rewriter.isUsedOnce(id), let maker = rewriter.producer(of: id) else { return false }
      return fusing(function, into: rewriter[maker].op) != nil
        || mayMove(function, before: maker, rewriter)
    }
  }

  /// The inputs that the node arranges; nil where it does anything else.
  private func sources(of index: Int, _ rewriter: Rewriter) -> [Graph.ValueID]? {
    let inputs = rewriter[index].inputs
    switch rewriter.name(index) {
    case "Concat": return inputs.allSatisfy { $0 != nil } ? inputs.compactMap { $0 } : nil
    case "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity":
      return inputs.first?.map { [$0] }
    default: return nil
    }
  }

  /// The node with the function applied to what it arranges; the makers of that are replaced by
  /// ones with other results.
  private func move(
    _ function: Activation, before index: Int, named output: Graph.ValueID,
    _ rewriter: inout Rewriter
  ) -> Graph.Node {
    var node = rewriter[index]
    node.outputs = [output]
    for source in sources(of: index, rewriter) ?? [] {
      guard let maker = rewriter.producer(of: source) else { continue }
      let name = "\(rewriter.graph[source].name).\(function.function)"
      let result = rewriter.add(valueLike: source, name: name)
      var changed = rewriter[maker]
      if let fused = fusing(function, into: changed.op) {
        changed.op = fused
        changed.outputs = [result]
      } else {
        changed = move(function, before: maker, named: result, &rewriter)
      }
      rewriter.replace(maker, with: changed)
      node.inputs = node.inputs.map { $0 == source ? result : $0 }
    }
    return node
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
