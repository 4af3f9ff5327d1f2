import Graphs
import Operators
import Tensors

// Nodes that a run in stages does itself: those that decide what runs, and those on sequences and
// optionals.

extension StagedRun {
  /// Runs one node; returns its outputs by position.
  mutating func host(
    _ node: Graph.Node, _ children: [StagedGraph], _ inputs: [StagedValue?]
  ) throws(StagingError) -> [StagedValue] {
    switch node.op {
    case let op as any ValueOperator:
      do throws(GraphError) { return try op.apply(inputs) } catch {
        throw StagingError(error, at: node)
      }
    case let op as If: return try branch(op, node, children, inputs)
    case let op as Loop: return try loop(op, node, children[0], inputs)
    case let op as Scan: return try scan(op, node, children[0], inputs)
    case let op as ImageDecoder: return [.tensor(try decode(op, node, inputs))]
    case is SequenceMap: return try map(node, children[0], inputs)
    case is Identity:
      guard let value = inputs.first ?? nil else { break }
      return [value]
    default: break
    }
    let kinds = inputs.compactMap { $0?.kind.description }.joined(separator: ", ")
    throw StagingError(
      GraphError("\(type(of: node.op).name) takes tensors, but is given \(kinds)"), at: node)
  }

  /// If whose branch cannot become a part of the graph around it.
  private mutating func branch(
    _ op: If, _ node: Graph.Node, _ children: [StagedGraph], _ inputs: [StagedValue?]
  ) throws(StagingError) -> [StagedValue] {
    let condition: Bool
    do throws(GraphError) {
      guard let tensor = inputs.first??.tensor else { throw GraphError("cond is missing") }
      condition = try If.condition(tensor)
    } catch {
      throw StagingError(error, at: node)
    }
    return try compute(
      children[condition ? 0 : 1], [], captured: Array(inputs[op.branch(condition).inputs]))
  }

  // MARK: Loop

  private mutating func loop(
    _ op: Loop, _ node: Graph.Node, _ body: StagedGraph, _ inputs: [StagedValue?]
  ) throws(StagingError) -> [StagedValue] {
    let own = inputs.count - body.graph.captures.count
    let captured = Array(inputs[own...])
    let (times, first) = try loopBounds(node, Array(inputs[..<own]))
    var condition = first
    var carried: [StagedValue?] = (0..<op.carriedCount).map { index in
      index + 2 < own ? inputs[index + 2] : nil
    }
    var results = [[TensorBuffer]](
      repeating: [], count: body.graph.outputs.count - 1 - op.carriedCount)
    var counter = 0
    while condition, times.map({ counter < $0 }) ?? true {
      try countIteration(of: node)
      let index = TensorBuffer(.int64, body.scalarShape(0), [Int64(counter)])
      let flag = TensorBuffer(.bool, body.scalarShape(1), [1] as [UInt8])
      let outputs = try compute(
        body, [.tensor(index), .tensor(flag)] + carried, captured: captured)
      do throws(GraphError) {
        guard let tensor = outputs[0].tensor else {
          throw GraphError("the body's condition is \(outputs[0].kind)")
        }
        condition = try If.condition(tensor)
      } catch {
        throw StagingError(error, at: node)
      }
      try keep(outputs[(1 + op.carriedCount)...], in: &results, node)
      carried = outputs[1..<(1 + op.carriedCount)].map { $0 }
      counter += 1
    }
    var final: [StagedValue] = []
    for (index, value) in carried.enumerated() {
      guard let value else {
        throw StagingError(GraphError("input \(index + 2) (v_initial) is missing"), at: node)
      }
      final.append(value)
    }
    let axes = [Int](repeating: 0, count: results.count)
    return final + (try stack(results, axes: axes, of: body, node))
  }

  /// The greatest number of times, nil for no bound, and the condition before the first.
  private func loopBounds(
    _ node: Graph.Node, _ inputs: [StagedValue?]
  ) throws(StagingError) -> (times: Int?, condition: Bool) {
    do throws(GraphError) {
      var times: Int?
      if let value = inputs.first ?? nil {
        guard let tensor = value.tensor, tensor.elementCount == 1, tensor.type != .bool,
          let count = tensor.integers()?.first
        else { throw GraphError("input 0 (M) must be one integer") }
        times = count
      }
      guard inputs.count > 1, let value = inputs[1] else { return (times, true) }
      guard let tensor = value.tensor else { throw GraphError("input 1 (cond) must be one bool") }
      return (times, try If.condition(tensor))
    } catch {
      throw StagingError(error, at: node)
    }
  }

  /// Keeps the results of one time.
  private mutating func keep(
    _ outputs: ArraySlice<StagedValue>, in results: inout [[TensorBuffer]], _ node: Graph.Node
  ) throws(StagingError) {
    for (place, value) in outputs.enumerated() {
      guard let tensor = value.tensor else {
        throw StagingError(
          GraphError("result \(place) of the body is \(value.kind), but must be a tensor"), at: node
        )
      }
      try count(result: tensor, of: node)
      results[place].append(tensor)
    }
  }

  /// The results of all times as one tensor each, along new axes.
  private func stack(
    _ results: [[TensorBuffer]], axes: [Int], of body: StagedGraph, _ node: Graph.Node
  ) throws(StagingError) -> [StagedValue] {
    var stacked: [StagedValue] = []
    let ids = body.graph.outputs.suffix(results.count)
    for ((parts, axis), id) in zip(zip(results, axes), ids) {
      do throws(GraphError) {
        if let first = parts.first {
          let axis = axis < 0 ? axis + first.shape.rank + 1 : axis
          guard axis >= 0 else { throw GraphError("a result has no axis \(axis)") }
          stacked.append(.tensor(try TensorBuffer.stacked(parts, axis: axis)))
        } else {
          stacked.append(.tensor(try StagedRun.nothing(body.graph[id], axis: axis)))
        }
      } catch {
        throw StagingError(error, at: node)
      }
    }
    return stacked
  }

  /// The stack of no results: extents that the model does not state are 0.
  private static func nothing(
    _ value: Graph.Value, axis: Int
  ) throws(GraphError) -> TensorBuffer {
    guard let type = value.type else {
      throw GraphError("the loop does not go round, and the type of a result is not known")
    }
    var extents = (value.dimensions ?? []).map { dimension in
      if case .known(let extent) = dimension { extent } else { 0 }
    }
    let place = axis < 0 ? axis + extents.count + 1 : axis
    guard (0...extents.count).contains(place) else { throw GraphError("no axis \(axis)") }
    extents.insert(0, at: place)
    guard type.byteCount > 0, Shape(extents).checkedElementCount == 0 else {
      throw GraphError("a result of shape \(Shape(extents)) is impossible")
    }
    return TensorBuffer(zeros: type, Shape(extents))
  }

  // MARK: Scan

  private mutating func scan(
    _ op: Scan, _ node: Graph.Node, _ body: StagedGraph, _ inputs: [StagedValue?]
  ) throws(StagingError) -> [StagedValue] {
    let own = inputs.count - body.graph.captures.count
    var tensors: [TensorBuffer] = []
    for (index, input) in inputs[(op.isBatched ? 1 : 0)..<own].enumerated() {
      guard let tensor = input?.tensor, tensor.type.byteCount > 0 else {
        throw StagingError(GraphError("value \(index) is no tensor that can be cut"), at: node)
      }
      tensors.append(tensor)
    }
    guard op.isBatched else {
      return try scan(op, node, body, tensors, captured: Array(inputs[own...]))
    }
    guard let batch = tensors.first?.shape.dimensions.first, batch > 0,
      tensors.allSatisfy({ $0.shape.dimensions.first == batch })
    else {
      throw StagingError(GraphError("the leading (batch) extents differ or are 0"), at: node)
    }
    var rows: [[TensorBuffer]] = []
    for row in 0..<batch {
      let parts = tensors.map { $0.row(row, axis: 0) }
      let outputs = try scan(op, node, body, parts, captured: Array(inputs[own...]))
      rows.append(outputs.compactMap(\.tensor))
    }
    var results: [StagedValue] = []
    for place in rows[0].indices {
      do throws(GraphError) {
        results.append(.tensor(try TensorBuffer.stacked(rows.map { $0[place] }, axis: 0)))
      } catch {
        throw StagingError(error, at: node)
      }
    }
    return results
  }

  private mutating func scan(
    _ op: Scan, _ node: Graph.Node, _ body: StagedGraph, _ tensors: [TensorBuffer],
    captured: [StagedValue?]
  ) throws(StagingError) -> [StagedValue] {
    let scanned = tensors[op.stateCount...]
    var axes: [Int] = []
    for (tensor, axis) in zip(scanned, op.inputAxes) {
      let known = axis < 0 ? axis + tensor.shape.rank : axis
      guard tensor.shape.dimensions.indices.contains(known) else {
        throw StagingError(GraphError("\(tensor.shape) has no axis \(axis)"), at: node)
      }
      axes.append(known)
    }
    let lengths = zip(scanned, axes).map { $0.shape[$1] }
    guard let length = lengths.first, lengths.allSatisfy({ $0 == length }) else {
      throw StagingError(GraphError("the inputs have \(lengths) slices"), at: node)
    }
    var states: [StagedValue?] = tensors[..<op.stateCount].map { .tensor($0) }
    var results = [[TensorBuffer]](
      repeating: [], count: body.graph.outputs.count - op.stateCount)
    for step in 0..<length {
      try countIteration(of: node)
      let slices = scanned.indices.map { place -> StagedValue? in
        let index = place - op.stateCount
        let at = op.inputsReversed[index] ? length - 1 - step : step
        return .tensor(tensors[place].row(at, axis: axes[index]))
      }
      let outputs = try compute(body, states + slices, captured: captured)
      states = outputs[..<op.stateCount].map { $0 }
      try keep(outputs[op.stateCount...], in: &results, node)
    }
    for place in results.indices where op.outputsReversed[place] { results[place].reverse() }
    return states.compactMap { $0 } + (try stack(results, axes: op.outputAxes, of: body, node))
  }

  // MARK: SequenceMap

  private mutating func map(
    _ node: Graph.Node, _ body: StagedGraph, _ inputs: [StagedValue?]
  ) throws(StagingError) -> [StagedValue] {
    let own = inputs.count - body.graph.captures.count
    guard case .sequence(let first) = inputs.first ?? nil else {
      throw StagingError(GraphError("input 0 (input_sequence) must be a sequence"), at: node)
    }
    var results = [[TensorBuffer]](repeating: [], count: body.graph.outputs.count)
    for index in first.indices {
      try countIteration(of: node)
      var given: [StagedValue?] = []
      for input in inputs[..<own] {
        guard case .sequence(let tensors) = input else {
          given.append(input)
          continue
        }
        guard tensors.count == first.count else {
          throw StagingError(
            GraphError("sequences of \(first.count) and \(tensors.count) elements"), at: node)
        }
        given.append(.tensor(tensors[index]))
      }
      let outputs = try compute(body, given, captured: Array(inputs[own...]))
      try keep(outputs[...], in: &results, node)
    }
    return results.map { .sequence($0) }
  }
}

extension StagedGraph {
  /// The shape of the input at this position, which holds one element: one with an axis only where
  /// the model declares it.
  fileprivate func scalarShape(_ index: Int) -> Shape {
    Shape([Int](repeating: 1, count: graph[graph.inputs[index]].dimensions?.count ?? 0))
  }
}

extension TensorBuffer {
  /// The slice at a position of an axis, without the axis.
  fileprivate func row(_ index: Int, axis: Int) -> TensorBuffer {
    var shape = shape
    shape.dimensions.remove(at: axis)
    return slice(axis: axis, from: index, count: 1).reshaped(shape)
  }
}
