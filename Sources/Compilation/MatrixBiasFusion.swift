import Graphs
import Operators
import Tensors

/// Folds what surrounds a matrix product into it: a constant factor after it (or before it on
/// either operand), and a bias per column: a constant one, or a computed one (a mask) where both
/// factors are computed.
struct MatrixBiasFusion: GraphPass {
  static let name = "matrix-bias-fusion"

  func run(on rewriter: inout Rewriter) throws(CompileError) {
    for index in rewriter.nodeIndices where !rewriter.isRemoved(index) {
      switch rewriter.name(index) {
      case "Add": foldBias(index, &rewriter)
      case "Mul", "Div": foldFactor(index, &rewriter)
      default: break
      }
    }
  }

  private func foldBias(_ index: Int, _ rewriter: inout Rewriter) {
    let node = rewriter[index]
    for position in 0..<2 {
      guard let value = node.inputs[position], let other = node.inputs[1 - position],
        rewriter.graph[value].type?.isFused == true, let output = node.outputs[0],
        rewriter.isUsedOnce(value), let producer = rewriter.producer(of: value),
        let product = rewriter[producer].op as? MatMul, product.activation == .none,
        rewriter[producer].inputs.count == 2,
        let columns = rewriter.graph[value].shape?.dimensions.last,
        let shape = rewriter.graph[other].shape, shape.elementCount == columns,
        shape.dimensions.last == columns,
        rewriter.graph[output].shape == rewriter.graph[value].shape
      else { continue }
      var merged = rewriter[producer]
      if let bias = rewriter.constant(other) {
        merged.inputs.append(
          rewriter.add(constant: bias.reshaped([columns]), name: rewriter.graph[other].name))
      } else {
        guard rewriter.constant(merged.inputs[1]) == nil, rewriter.graph[other].type == .float32
        else { continue }
        merged.inputs.append(other)
      }
      merged.outputs = [output]
      rewriter.remove(producer)
      rewriter.replace(index, with: merged)
      return
    }
  }

  /// MatMul(a, b) · s; also MatMul(a · s, b) and MatMul(a, b · s).
  private func foldFactor(_ index: Int, _ rewriter: inout Rewriter) {
    let node = rewriter[index]
    let isDivision = rewriter.name(index) == "Div"
    for position in 0..<(isDivision ? 1 : 2) {
      guard let value = node.inputs[position], let output = node.outputs[0],
        rewriter.graph[value].type?.isFused == true,
        let factor = rewriter.scalar(node.inputs[1 - position]), factor != 0,
        rewriter.graph[output].shape == rewriter.graph[value].shape
      else { continue }
      let scale = isDivision ? 1 / factor : factor
      if rewriter.isUsedOnce(value), let producer = rewriter.producer(of: value),
        var product = rewriter[producer].op as? MatMul, product.activation == .none,
        rewriter[producer].inputs.count == 2
      {
        product.scale *= scale
        var merged = rewriter[producer]
        merged.op = product
        merged.outputs = [output]
        rewriter.remove(producer)
        rewriter.replace(index, with: merged)
        return
      }
      if rewriter.isUsedOnce(output), let user = rewriter.users(of: output).first,
        var product = rewriter[user].op as? MatMul
      {
        product.scale *= scale
        var merged = rewriter[user]
        merged.op = product
        merged.inputs = merged.inputs.map { input in input == output ? value : input }
        rewriter.replace(user, with: merged)
        rewriter.remove(index)
        return
      }
    }
  }
}

extension ElementType {
  /// Whether products of the type take what follows them in: those that kernels compute.
  var isFused: Bool { isFloat && self != .float64 }
}
