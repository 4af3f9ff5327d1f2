import Graphs
import Instructions
import Tensors

/// How quantised values enter and leave instructions.
///
/// A value with a quantisation may exist as uint8 forms beside float ones. Instructions that know
/// 8 bits ask for `quantizedOperand` and give a `quantizedResult`; for all others the value is
/// dequantised on demand. Where a float producer meets an 8-bit consumer, it is quantised on
/// demand.
extension Lowering {
  /// What a node that only moves elements does to quantised ones.
  struct Move {
    var inputs: Set<Int>
    var quantization: Quantization
  }

  /// The quantisation that the node's input has been given; nil where it stays a float.
  package func quantization(_ index: Int) -> Quantization? {
    guard index < node.inputs.count, let id = node.inputs[index] else { return nil }
    return graph[id].quantization
  }

  /// The quantisation that the node's output has been given; nil where it stays a float.
  package func quantization(ofOutput index: Int) -> Quantization? {
    guard index < node.outputs.count, let id = node.outputs[index] else { return nil }
    return graph[id].quantization
  }

  /// The quantisation of the form that the input's producer made; nil where that is a float.
  package func nativeQuantization(_ index: Int) -> Quantization? {
    guard index < node.inputs.count, let id = node.inputs[index],
      let form = forms[id]?.first
    else { return nil }
    return self[form.operand].quantization
  }

  /// The 8 bits of the node's input in the given layout; emits conversions where needed.
  ///
  /// - Parameter wanted: the quantisation to have it in; nil: the value's own.
  package func quantizedOperand(
    _ index: Int, _ layout: Layout = .declared, as wanted: Quantization? = nil
  ) throws(GraphError) -> Operand {
    guard index < node.inputs.count, let id = node.inputs[index], let info = info(index) else {
      throw GraphError("input \(index) is missing")
    }
    guard let target = wanted ?? graph[id].quantization else {
      throw GraphError("input \(index) has no quantisation")
    }
    if forms[id] == nil, let constant = info.constant {
      return try quantizedConstant(constant, layout, target, name: graph[id].name)
    }
    return try quantized(id, layout, target)
  }

  /// Makes the 8 bits of the node's output in this layout. The next instruction writes them.
  package func quantizedResult(
    _ index: Int, _ layout: Layout = .declared
  ) throws(GraphError) -> Operand {
    guard let quantization = quantization(ofOutput: index) else {
      throw GraphError("output \(index) has no quantisation")
    }
    let operand = try result(index, layout, type: .uint8)
    setQuantization(quantization, of: operand)
    return operand
  }

  /// The output's 8 bits where it has been given a quantisation, else its float form. An output of
  /// the graph stays a float, unless the model itself quantises it.
  package func storedResult(
    _ index: Int, _ layout: Layout = .declared
  ) throws(GraphError) -> Operand {
    storesQuantized(index) ? try quantizedResult(index, layout) : try result(index, layout)
  }

  /// The output's 8 bits where nobody asks for anything else, so that no precision is lost by not
  /// having the float form: one scale, and readers that are 8-bit products. Else its float form.
  package func productFactor(_ index: Int) throws(GraphError) -> Operand {
    guard !graph.hasOwnQuantization, storesQuantized(index), let id = node.outputs[index],
      quantization(ofOutput: index)?.isPerChannel == false,
      readers(of: id).allSatisfy({ isQuantizedProduct($0) })
    else { return try result(index) }
    return try quantizedResult(index)
  }

  /// Says whether the node multiplies two factors that both have 8 bits.
  private func isQuantizedProduct(_ node: Graph.Node) -> Bool {
    guard ["MatMul", "Gemm"].contains(type(of: node.op).name), node.inputs.count >= 2,
      let a = node.inputs[0], let b = node.inputs[1]
    else { return false }
    return graph[a].quantization?.isPerChannel == false && graph[b].quantization != nil
      && (graph[b].constant != nil || graph[b].quantization?.isPerChannel == false)
  }

  func storesQuantized(_ index: Int) -> Bool {
    guard quantization(ofOutput: index) != nil, let id = node.outputs[index] else { return false }
    return graph.hasOwnQuantization || !graph.outputs.contains(id)
  }

  // MARK: Nodes that need no code of their own

  /// Lowers the node, whose operator is `op`.
  func lower(_ op: any LoweredOperator) throws(GraphError) {
    moving = move(op)
    defer { moving = nil }
    if try !lowerAsTable(op) { try op.lower(into: self) }
    moving = nil
    try settleOutputs()
  }

  /// How the node moves quantised elements; nil where it must work on floats.
  private func move(_ op: any LoweredOperator) -> Move? {
    guard let op = op as? any MovesElements, op.movesQuantized else { return nil }
    let all = op.movesAllInputs
    let inputs = all ? Set(node.inputs.indices) : [0]
    let moved = all ? quantization(ofOutput: 0) : nativeQuantization(0) ?? quantization(0)
    guard let moved, !moved.isPerChannel,
      all || nativeQuantization(0) != nil
        || quantization(ofOutput: 0) != nil
    else { return nil }
    return Move(inputs: inputs, quantization: moved)
  }

  /// A function of one quantised value becomes a table of its 256 cases.
  private func lowerAsTable(_ op: any LoweredOperator) throws(GraphError) -> Bool {
    guard let function = op as? any ActivationFunction, let source = nativeQuantization(0),
      let activation = function.activation(for: inputInfos)
    else { return false }
    let target = storesQuantized(0) ? quantization(ofOutput: 0) : nil
    let layout = layout(0)
    let channels = source.isPerChannel || target?.isPerChannel == true
    guard !channels || layout == .channelsLast else { return false }
    let x = try quantizedOperand(0, layout, as: source)
    try emitTable(x, source, activation, to: storedResult(0, layout), target)
    return true
  }

  /// Gives every output the form that its quantisation says, where others than 8-bit
  /// instructions may read it.
  private func settleOutputs() throws(GraphError) {
    for case let id? in node.outputs {
      guard let wanted = graph[id].quantization, let native = forms[id]?.first else { continue }
      let have = self[native.operand].quantization
      if have == wanted || have == nil && !graph.hasOwnQuantization { continue }
      let operand = try quantized(id, native.layout, wanted)
      forms[id] = [Form(layout: native.layout, operand: operand)]
    }
  }

  /// Makes an input of the graph what its 8 bits say, where the model itself quantises it.
  func settleInput(_ id: Graph.ValueID) throws(GraphError) {
    guard graph.hasOwnQuantization, let wanted = graph[id].quantization,
      let info = graph.info(of: id), info.type.isFloat
    else { return }
    // Pictures are read channels-last.
    let layout = info.shape.rank == 4 ? Layout.channelsLast : .declared
    let operand = try quantized(id, layout, wanted)
    forms[id] = [Form(layout: layout, operand: operand)]
  }

  // MARK: Conversions

  /// The float form of a value that exists in 8 bits only.
  func dequantized(_ id: Graph.ValueID, _ layout: Layout) throws(GraphError) -> Operand {
    guard let native = forms[id]?.first, let info = graph.info(of: id) else {
      throw GraphError("no form of \"\(graph[id].name)\"")
    }
    var source = native.operand
    // The instruction turns channels-last into declared; everything else is moved in 8 bits.
    let isDirect = native.layout == layout || native.layout == .channelsLast
    if !isDirect, let quantization = self[source].quantization {
      source = try quantized(id, layout, quantization)
    }
    let target = temporary(
      .float32, layout.physical(info.shape), layout: layout, name: graph[id].name)
    emit(DequantizeFromUInt8(source, to: target))
    forms[id, default: []].append(Form(layout: layout, operand: target))
    return target
  }

  /// The 8 bits of a value in a layout and quantisation.
  private func quantized(
    _ id: Graph.ValueID, _ layout: Layout, _ quantization: Quantization
  ) throws(GraphError) -> Operand {
    guard let known = forms[id], let native = known.first, let info = graph.info(of: id) else {
      throw GraphError("\"\(graph[id].name)\" is used before it is made")
    }
    let have = { (form: Form) in self[form.operand].quantization }
    if let form = known.first(where: { $0.layout == layout && have($0) == quantization }) {
      return form.operand
    }
    let operand: Operand
    if let form = known.first(where: { have($0) == quantization }) {
      operand = moved(form, to: layout, info.shape, quantization, name: graph[id].name)
    } else if let source = have(native) {
      // The same real numbers on another scale.
      let from = try quantized(id, layout, source)
      operand = temporary(.uint8, self[from].shape, layout: layout, name: graph[id].name)
      setQuantization(quantization, of: operand)
      try emitTable(from, source, .none, to: operand, quantization)
    } else {
      let isDirect = native.layout == layout || native.layout == .declared
      let form = isDirect ? native.layout : layout
      let source = try self.operand(of: id, form, type: .float32)
      operand = temporary(
        .uint8, layout.physical(info.shape), layout: layout, name: graph[id].name)
      setQuantization(quantization, of: operand)
      emit(QuantizeToUInt8(source, to: operand))
    }
    forms[id, default: []].append(Form(layout: layout, operand: operand))
    return operand
  }

  private func moved(
    _ form: Form, to layout: Layout, _ shape: Shape, _ quantization: Quantization, name: String
  ) -> Operand {
    let have = self[form.operand]
    let from = form.layout.axes(rank: shape.rank)
    let order = layout.axes(rank: shape.rank).map { axis in from.firstIndex(of: axis) ?? axis }
    let steps = order.filter { have.shape[$0] != 1 }
    if steps == steps.sorted() {
      return reshaped(form.operand, layout.physical(shape), layout: layout, name: name)
    }
    let target = temporary(.uint8, layout.physical(shape), layout: layout, name: name)
    setQuantization(quantization, of: target)
    emit(Copy.converting(form.operand, have, to: target, self[target], axes: order))
    return target
  }

  private func quantizedConstant(
    _ tensor: TensorBuffer, _ layout: Layout, _ quantization: Quantization, name: String
  ) throws(GraphError) -> Operand {
    guard let values = tensor.floats(), !quantization.isPerChannel else {
      throw GraphError("the constant \"\(name)\" cannot be quantised")
    }
    let bytes = values.map { quantization.quantized($0) }
    let declared = TensorBuffer(.uint8, tensor.shape, bytes)
    let operand = constant(declared.transposed(layout.axes(rank: tensor.shape.rank)), name: name)
    setQuantization(quantization, of: operand, layout: layout)
    return operand
  }

  /// Emits y = activation(x) as a table of the 256 values that x may have.
  ///
  /// - Parameter target: y's quantisation; nil where y is float32.
  func emitTable(
    _ x: Operand, _ source: Quantization, _ activation: Activation, to y: Operand,
    _ target: Quantization?
  ) throws(GraphError) {
    let channels = max(source.scales.count, target?.scales.count ?? 1)
    var reals = [Float](repeating: 0, count: 256 * channels)
    for channel in 0..<channels {
      for byte in 0..<256 {
        reals[channel * 256 + byte] =
          Float(Int32(byte) - source.zeroPoint(channel)) * source.scale(channel)
      }
    }
    activation.apply(to: &reals)
    let shape: Shape = channels == 1 ? [256] : [channels, 256]
    let table: TensorBuffer
    if let target {
      let bytes = reals.indices.map { target.quantized(reals[$0], channel: $0 / 256) }
      table = TensorBuffer(.uint8, shape, bytes)
    } else {
      table = TensorBuffer(shape, reals)
    }
    emit(LookUp(x, in: constant(table, name: "\(node.name).table"), to: y))
  }
}

extension Quantization {
  /// round(x / scale) + zero point, saturated to uint8: as `quantize_uint8`.
  package func quantized(_ x: Float, channel: Int = 0) -> UInt8 {
    guard !x.isNaN else { return UInt8(clamping: zeroPoint(channel)) }
    let steps = (x / scale(channel)).rounded(.toNearestOrEven)
    return UInt8(min(max(steps + Float(zeroPoint(channel)), 0), 255))
  }
}
