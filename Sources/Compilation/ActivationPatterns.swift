import Graphs
import Instructions
import Operators

/// Recognises activation functions that exporters spell out in elementary operators.
///
/// Every pattern is a product: a scalar times factors. With the product flattened, however it was
/// nested, the patterns are
///
///     x · sigmoid(a x)                                 SiLU, swish
///     x · hard-sigmoid(x)                              hard-swish
///     1/6 · clip(x + 3, 0, 6)                          hard-sigmoid
///     1/6 · x · clip(x + 3, 0, 6)                      hard-swish
///     x · tanh(softplus(x))                            mish
///     1/2 · x · (1 + erf(x / √2))                      GELU
///     1/2 · x · (1 + tanh(√(2/π) (x + 0.044715 x³)))   GELU, tanh form
struct ActivationPatterns: GraphPass {
  static let name = "activation-patterns"

  func run(on rewriter: inout Rewriter) throws(CompileError) {
    // Later nodes first: the whole product is matched before a part of it.
    for index in rewriter.nodeIndices.reversed() where !rewriter.isRemoved(index) {
      guard ["Mul", "Div"].contains(rewriter.name(index)), let output = rewriter[index].outputs[0],
        let product = Product(rewriter, of: output),
        let (x, function) = match(product, rewriter)
      else { continue }
      var node = rewriter[index]
      let before = node.inputs
      node.op = Activate(function)
      node.inputs = [x]
      rewriter.replace(index, with: node)
      for case let id? in before where rewriter.users(of: id).isEmpty && !rewriter.isOutput(id) {
        if let maker = rewriter.producer(of: id) { rewriter.removeDead(maker) }
      }
    }
  }

  private func match(_ product: Product, _ rewriter: Rewriter) -> (Graph.ValueID, Activation)? {
    if product.factors.count == 1, let x = shiftedClip(product.factors[0], rewriter),
      isNear(product.scalar, 1.0 / 6)
    {
      return (x, Activation(.hardSigmoid, alpha: 1 / 6, beta: 0.5))
    }
    guard product.factors.count == 2 else { return nil }
    for (x, gate) in [
      (product.factors[0], product.factors[1]), (product.factors[1], product.factors[0]),
    ] {
      if let function = gatedBy(gate, of: x, scalar: product.scalar, rewriter) {
        return (x, function)
      }
    }
    return nil
  }

  /// The function scalar · x · gate, if gate is one of the known functions of x.
  private func gatedBy(
    _ gate: Graph.ValueID, of x: Graph.ValueID, scalar: Float, _ rewriter: Rewriter
  ) -> Activation? {
    if isNear(scalar, 1.0 / 6), shiftedClip(gate, rewriter) == x {
      return Activation(.hardSwish, alpha: 1 / 6, beta: 0.5)
    }
    if isNear(scalar, 0.5), let inner = onePlus(gate, rewriter) {
      if let erf = rewriter.producer(of: inner, named: "Erf"),
        let argument = Product(rewriter, of: rewriter[erf].inputs[0]),
        argument.factors == [x], isNear(argument.scalar, 0.5.squareRoot())
      {
        return Activation(.gelu)
      }
      if let tanh = rewriter.producer(of: inner, named: "Tanh"),
        isGeluArgument(rewriter[tanh].inputs[0], of: x, rewriter)
      {
        return Activation(.geluTanh)
      }
    }
    guard scalar == 1, let maker = rewriter.producer(of: gate) else { return nil }
    let argument = rewriter[maker].inputs[0]
    switch rewriter.name(maker) {
    case "Sigmoid":
      guard let product = Product(rewriter, of: argument), product.factors == [x] else {
        return nil
      }
      return Activation(.swish, alpha: product.scalar)
    case "HardSigmoid", "Activate":
      guard let op = rewriter[maker].op as? any ActivationFunction,
        let function = op.activation(for: [nil]), function.function == .hardSigmoid, argument == x
      else { return nil }
      return Activation(.hardSwish, alpha: function.alpha, beta: function.beta)
    case "Tanh":
      guard let softplus = rewriter.producer(of: argument, named: "Softplus"),
        rewriter[softplus].inputs[0] == x
      else { return nil }
      return Activation(.mish)
    default: return nil
    }
  }

  /// x, if the value is clip(x + 3, 0, 6).
  private func shiftedClip(_ id: Graph.ValueID, _ rewriter: Rewriter) -> Graph.ValueID? {
    guard let clip = rewriter.producer(of: id),
      let op = rewriter[clip].op as? any ActivationFunction,
      let function = op.activation(
        for: rewriter[clip].inputs.map { $0.flatMap { rewriter.graph.info(of: $0) } }),
      function == .clip(0, 6),
      let add = rewriter.producer(of: rewriter[clip].inputs[0], named: "Add")
    else { return nil }
    return operand(of: add, besides: 3, rewriter)
  }

  /// u, if the value is 1 + u.
  private func onePlus(_ id: Graph.ValueID, _ rewriter: Rewriter) -> Graph.ValueID? {
    rewriter.producer(of: id, named: "Add").flatMap { operand(of: $0, besides: 1, rewriter) }
  }

  /// The other operand of a node with two operands, one of which is the scalar.
  private func operand(
    of index: Int, besides scalar: Float, _ rewriter: Rewriter
  ) -> Graph.ValueID? {
    let inputs = rewriter[index].inputs
    for position in 0..<2 {
      if let value = rewriter.scalar(inputs[position]), isNear(value, Double(scalar)) {
        return inputs[1 - position]
      }
    }
    return nil
  }

  /// √(2/π) (x + 0.044715 x³), the cube as a power or as products.
  private func isGeluArgument(
    _ id: Graph.ValueID?, of x: Graph.ValueID, _ rewriter: Rewriter
  ) -> Bool {
    guard let outer = Product(rewriter, of: id), isNear(outer.scalar, 0.797_884_56) else {
      return false
    }
    if outer.factors.count == 1, let add = rewriter.producer(of: outer.factors[0], named: "Add") {
      let inputs = rewriter[add].inputs
      for position in 0..<2 where inputs[position] == x {
        guard let cube = Product(rewriter, of: inputs[1 - position]) else { continue }
        if isNear(cube.scalar, 0.044_715), isPower(cube.factors, of: x, 3, rewriter) { return true }
      }
    }
    if outer.factors.count == 2 {
      for (a, b) in [(outer.factors[0], outer.factors[1]), (outer.factors[1], outer.factors[0])] {
        guard a == x, let square = onePlus(b, rewriter), let inner = Product(rewriter, of: square)
        else { continue }
        if isNear(inner.scalar, 0.044_715), isPower(inner.factors, of: x, 2, rewriter) {
          return true
        }
      }
    }
    return false
  }

  private func isPower(
    _ factors: [Graph.ValueID], of x: Graph.ValueID, _ exponent: Int, _ rewriter: Rewriter
  ) -> Bool {
    var count = 0
    for factor in factors {
      if factor == x {
        count += 1
      } else if let pow = rewriter.producer(of: factor, named: "Pow"),
        rewriter[pow].inputs[0] == x, let power = rewriter.scalar(rewriter[pow].inputs[1])
      {
        count += Int(power)
      } else {
        return false
      }
    }
    return count == exponent
  }

  private func isNear(_ a: Float, _ b: Double) -> Bool { abs(Double(a) - b) <= 1e-4 * abs(b) }
}

/// A value as a scalar times factors, through however many multiplications and divisions by
/// constants that nobody else uses.
private struct Product {
  var scalar: Float = 1
  var factors: [Graph.ValueID] = []

  init?(_ rewriter: Rewriter, of id: Graph.ValueID?) {
    guard let id else { return nil }
    collect(rewriter, id, depth: 0)
    if factors.isEmpty { return nil }
  }

  private mutating func collect(
    _ rewriter: Rewriter, _ id: Graph.ValueID, depth: Int
  ) {
    if let value = rewriter.scalar(id) {
      scalar *= value
      return
    }
    guard depth < 6, let index = rewriter.producer(of: id) else { return factors.append(id) }
    let inputs = rewriter[index].inputs
    switch rewriter.name(index) {
    case "Mul":
      for case let input? in inputs.prefix(2) {
        collect(rewriter, input, depth: depth + 1)
      }
    case "Div":
      guard let divisor = rewriter.scalar(inputs[1]), divisor != 0, let input = inputs[0] else {
        return factors.append(id)
      }
      scalar /= divisor
      collect(rewriter, input, depth: depth + 1)
    default:
      factors.append(id)
    }
  }
}
