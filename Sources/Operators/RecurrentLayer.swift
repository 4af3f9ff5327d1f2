import Graphs
import Instructions
import Tensors

/// What the operators LSTM, GRU and RNN share: attributes, shapes and lowering.
///
/// X: [T, B, I] ([B, T, I] with `layout` 1, from version 14); W: [D, G·H, I]; R: [D, G·H, H]; B:
/// [D, 2·G·H]; sequence_lens: int32 [B]; initial_h (and initial_c): [D, B, H] ([B, D, H]); P: [D,
/// 3·H]. All but X, W and R may be absent. Y: [T, D, B, H] ([B, T, D, H]); Y_h, Y_c: as the initial
/// states.
struct RecurrentLayer {
  var cell: Recurrence.Cell
  var hidden: Int?
  var directions = 1
  var startsReversed = false
  var batchFirst: Bool
  var clip: Float
  var activations: [Activation] = []
  var resetsAfterProduct = false
  var couplesInputAndForget = false

  init(_ node: NodeReader, _ cell: Recurrence.Cell) throws(ImportError) {
    self.cell = cell
    hidden = try node.int("hidden_size")
    batchFirst = try node.bool("layout", default: false)
    clip = try node.float("clip", default: 0)
    let direction = try node.string("direction", default: "forward")
    switch direction {
    case "forward": break
    case "reverse": startsReversed = true
    case "bidirectional": directions = 2
    default: throw node.invalid("direction \"\(direction)\" is not known")
    }
    node.ignore("output_sequence")
    let defaults: [String] =
      switch cell {
      case .plain: ["Tanh"]
      case .gated: ["Sigmoid", "Tanh"]
      case .longShortTerm: ["Sigmoid", "Tanh", "Tanh"]
      }
    let names =
      try node.strings("activations")
      ?? Array(repeating: defaults, count: directions).flatMap { $0 }
    guard names.count == directions * cell.activationCount else {
      throw node.invalid("\(names.count) activations for \(directions) directions")
    }
    var alphas = try (node.floats("activation_alpha") ?? [])[...]
    var betas = try (node.floats("activation_beta") ?? [])[...]
    for name in names {
      activations.append(try RecurrentLayer.activation(name, &alphas, &betas, node))
    }
  }

  /// Parameters are listed for those functions that have them, in order.
  private static func activation(
    _ name: String, _ alphas: inout ArraySlice<Float>, _ betas: inout ArraySlice<Float>,
    _ node: NodeReader
  ) throws(ImportError) -> Activation {
    switch name.lowercased() {
    case "relu": return .relu
    case "tanh": return Activation(.tanh)
    case "sigmoid": return Activation(.sigmoid)
    case "softsign": return Activation(.softsign)
    case "softplus": return Activation(.softplus)
    case "affine":
      return Activation(.affine, alpha: alphas.popFirst() ?? 1, beta: betas.popFirst() ?? 0)
    case "leakyrelu": return Activation(.leakyRelu, alpha: alphas.popFirst() ?? 0.01)
    case "thresholdedrelu": return Activation(.thresholdedRelu, alpha: alphas.popFirst() ?? 1)
    case "hardsigmoid":
      return Activation(
        .hardSigmoid, alpha: alphas.popFirst() ?? 0.2, beta: betas.popFirst() ?? 0.5)
    case "scaledtanh":
      return Activation(
        .scaledTanh, alpha: alphas.popFirst() ?? 1, beta: betas.popFirst() ?? 1)
    case "elu": return Activation(.elu, alpha: alphas.popFirst() ?? 1)
    default: throw node.unsupported("the activation \"\(name)\" is not supported")
    }
  }

  /// Validates the inputs and returns the shapes of Y and of a state.
  func shapes(_ inputs: [ValueInfo?]) throws(GraphError) -> (y: Shape, state: Shape) {
    let x = try inputs.required(0, "X")
    let w = try inputs.required(1, "W").shape
    let r = try inputs.required(2, "R").shape
    guard x.type == .float32 || x.type == .float16 || x.type == .bfloat16 else {
      throw GraphError("X is \(x.type), but must be float32, float16 or bfloat16")
    }
    guard x.shape.rank == 3, w.rank == 3, r.rank == 3 else {
      throw GraphError("X \(x.shape), W \(w) and R \(r) must be of rank 3")
    }
    let states = hidden ?? r[2]
    guard states >= 0, states < 1 << 24, x.shape[2] < 1 << 32 else {
      throw GraphError("a hidden size of \(states) is impossible")
    }
    let gates = cell.gateCount * states
    guard w == [directions, gates, x.shape[2]], r == [directions, gates, states] else {
      throw GraphError(
        "W \(w) and R \(r) do not fit to \(directions) directions of \(states) states and X "
          + "\(x.shape)")
    }
    let times = x.shape[batchFirst ? 1 : 0]
    let batches = x.shape[batchFirst ? 0 : 1]
    let state =
      batchFirst ? Shape([batches, directions, states]) : Shape([directions, batches, states])
    var expected: [(Int, String, Shape)] = [
      (3, "B", [directions, 2 * gates]), (4, "sequence_lens", [batches]), (5, "initial_h", state),
    ]
    if cell == .longShortTerm {
      expected += [(6, "initial_c", state), (7, "P", [directions, 3 * states])]
    }
    for (index, name, shape) in expected {
      guard let given = inputs.optional(index)?.shape, given != shape else { continue }
      throw GraphError("input \(index) (\(name)) has shape \(given), but must have \(shape)")
    }
    let y =
      batchFirst
      ? [batches, times, directions, states] : [times, directions, batches, states]
    return (try Shape(checking: y), state)
  }

  func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let (y, state) = try shapes(inputs)
    let type = try inputs.required(0, "X").type
    let last = ValueInfo(type: type, shape: state)
    return [ValueInfo(type: type, shape: y), last] + (cell == .longShortTerm ? [last] : [])
  }

  func lower(into lowering: Lowering) throws(GraphError) {
    var recurrence = Recurrence()
    recurrence.cell = cell
    recurrence.startsReversed = startsReversed
    recurrence.batchFirst = batchFirst
    recurrence.clip = clip
    recurrence.resetsAfterProduct = resetsAfterProduct
    recurrence.couplesInputAndForget = couplesInputAndForget
    recurrence.activations = activations.flatMap { activation in
      [
        Int(activation.function.rawValue), Int(activation.alpha.bitPattern),
        Int(activation.beta.bitPattern),
      ]
    }
    recurrence.x = try lowering.operand(0, type: .float32)
    recurrence.w = try transposed(1, lowering)
    recurrence.r = try transposed(2, lowering)
    recurrence.bias = try optional(3, lowering)
    if lowering.info(4) != nil { recurrence.lengths = try lowering.operand(4, type: .int32) }
    recurrence.h0 = try optional(5, lowering)
    if cell == .longShortTerm {
      recurrence.c0 = try optional(6, lowering)
      recurrence.peepholes = try optional(7, lowering)
    }
    recurrence.y = try wanted(0, lowering)
    recurrence.lastH = try wanted(1, lowering)
    if cell == .longShortTerm { recurrence.lastC = try wanted(2, lowering) }
    lowering.emit(recurrence)
  }

  /// Weights with the gates last, so that a product runs along memory.
  private func transposed(_ index: Int, _ lowering: Lowering) throws(GraphError) -> Operand {
    if let constant = lowering.info(index)?.constant?.converted(to: .float32) {
      return lowering.constant(
        constant.transposed([0, 2, 1]), name: "\(lowering.node.name).weights\(index)")
    }
    let source = try lowering.operand(index, type: .float32)
    let target = lowering.temporary(.float32, lowering[source].shape.permuted([0, 2, 1]))
    lowering.emit(
      Copy.converting(source, lowering[source], to: target, lowering[target], axes: [0, 2, 1]))
    return target
  }

  private func optional(_ index: Int, _ lowering: Lowering) throws(GraphError) -> Operand {
    lowering.info(index) == nil ? .none : try lowering.operand(index, type: .float32)
  }

  private func wanted(_ index: Int, _ lowering: Lowering) throws(GraphError) -> Operand {
    lowering.wants(output: index) ? try lowering.result(index, type: .float32) : .none
  }
}
