import Graphs
import Instructions
import Tensors

/// What the losses over classes share: which elements are left out, and what becomes of the rest.
struct ClassLoss: Sendable {
  /// What becomes of the losses of all elements.
  enum Reduction: String, Sendable {
    case none
    case sum
    /// The sum, divided by the sum of the elements' weights.
    case mean
  }

  var ignored: Int?
  var reduction: Reduction

  init(importing node: NodeReader) throws(ImportError) {
    ignored = try node.int("ignore_index")
    let name = try node.string("reduction", default: "mean")
    guard let known = Reduction(rawValue: name) else {
      throw node.invalid("reduction is \"\(name)\"; known are none, sum and mean")
    }
    reduction = known
  }

  /// What is known of the loss for scores [N, C, …], classes [N, …] and weights [C].
  func output(for inputs: [ValueInfo?]) throws(GraphError) -> ValueInfo {
    let x = try inputs.required(0, "input")
    let target = try inputs.required(1, "target")
    guard x.type.isFloat, x.shape.rank >= 2, [.int32, .int64].contains(target.type) else {
      throw GraphError(
        "input is \(x.type) \(x.shape) and target \(target.type); they must be floats of rank 2 or "
          + "more and int32 or int64")
    }
    var wanted = x.shape.dimensions
    let classes = wanted.remove(at: 1)
    guard target.shape.dimensions == wanted else {
      throw GraphError("target is \(target.shape), but must be \(Shape(wanted))")
    }
    if let weights = inputs.optional(2) {
      guard weights.type == x.type, weights.shape == [classes] else {
        throw GraphError(
          "weight is \(weights.type) \(weights.shape), but must be \(x.type) [\(classes)]")
      }
    }
    return ValueInfo(type: x.type, shape: reduction == .none ? target.shape : [])
  }

  /// Emits output 0 from logarithms of probabilities.
  func lower(_ logarithms: Operand, into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(1).shape
    let wide: ElementType = lowering[logarithms].type == .float64 ? .float64 : .float32
    var pick = PickLoss()
    pick.input = logarithms
    pick.target = try lowering.operand(1)
    if lowering.info(2) != nil { pick.weights = try lowering.operand(2) }
    (pick.ignores, pick.ignored) = (ignored != nil, ignored ?? 0)
    pick.shares = lowering.temporary(wide, shape)
    guard reduction != .none else {
      pick.output = try lowering.result(0)
      return lowering.emit(pick)
    }
    pick.output = lowering.temporary(wide, shape)
    lowering.emit(pick)
    let axes = Array(0..<shape.rank)
    let y = try lowering.result(0)
    guard reduction == .mean else {
      return lowering.emit(Reduce(.sum, pick.output, axes: axes, to: y))
    }
    let sum = lowering.temporary(wide, [])
    lowering.emit(Reduce(.sum, pick.output, axes: axes, to: sum))
    let weight = lowering.temporary(wide, [])
    lowering.emit(Reduce(.sum, pick.shares, axes: axes, to: weight))
    lowering.emit(Binary(.divide, sum, weight, to: y))
  }
}

/// The negative log likelihood of classes: l[n, d] = -input[n, target[n, d], d] · weight[target].
///
/// input: [N, C, …] float, logarithms of probabilities; target: int32 or int64 [N, …]; weight: [C],
/// default 1; loss: [N, …], or with `reduction` sum or mean (the default: divided by the sum of the
/// weights) a scalar. Elements with target `ignore_index` do not count. ONNX versions 12 to 22.
package struct NegativeLogLikelihoodLoss: LoweredOperator {
  package static let name = "NegativeLogLikelihoodLoss"
  package static let sinceVersion = 12
  private var loss: ClassLoss

  package init(importing node: NodeReader) throws(ImportError) {
    loss = try ClassLoss(importing: node)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    [try loss.output(for: inputs)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try loss.lower(try lowering.operand(0), into: lowering)
  }
}

/// The cross entropy of classes: the negative log likelihood of the scores' logarithmic softmax.
///
/// scores: [N, C, …] float; labels: int32 or int64 [N, …]; weights: [C], default 1; output: [N, …]
/// or, reduced, a scalar; log_prob: [N, C, …]. Attributes as `NegativeLogLikelihoodLoss`. ONNX
/// versions 12 and 13.
package struct SoftmaxCrossEntropyLoss: LoweredOperator {
  package static let name = "SoftmaxCrossEntropyLoss"
  package static let sinceVersion = 12
  private var loss: ClassLoss

  package init(importing node: NodeReader) throws(ImportError) {
    loss = try ClassLoss(importing: node)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let scores = try inputs.required(0, "scores")
    return [
      try loss.output(for: inputs), ValueInfo(type: scores.type, shape: scores.shape),
    ]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let scores = try lowering.operand(0)
    let logarithms =
      lowering.wants(output: 1)
      ? try lowering.result(1)
      : lowering.temporary(
        lowering[scores].type == .float64 ? .float64 : .float32, lowering[scores].shape)
    lowering.emit(Softmax(scores, axis: 1, isLogarithmic: true, to: logarithms))
    if lowering.wants(output: 0) { try loss.lower(logarithms, into: lowering) }
  }
}
