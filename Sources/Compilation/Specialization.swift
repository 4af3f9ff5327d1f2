import Graphs
import Instructions
import Operators
import Tensors

/// Gives a graph the shapes of its inputs: infers every type and shape, and computes what depends
/// on constants and shapes only, so that the shape arithmetic of exporters disappears.
///
/// Constants are computed by the portable instructions themselves: there is one implementation of
/// arithmetic. A node folds only if its result fits the budget, which is checked before it runs.
struct Specialization {
  /// Limits on what folding may compute.
  struct Budget {
    /// The bytes of one node's results.
    var nodeByteCount = 64 << 20
    /// A node's results may be eight times its operands and this many bytes larger: dequantised
    /// weights pass, expanded ones do not, and files stay small.
    var growthByteCount = 1 << 20
    /// The bytes of all results together.
    var totalByteCount = 1 << 30
    /// The operations of one node.
    var operationCount = 4_000_000_000
  }

  /// Runs a program without inputs and returns its outputs.
  typealias Evaluator = (LoweredProgram) throws(CompileError) -> [TensorBuffer]

  private var graph: Graph
  private var budget: Budget
  private let evaluate: Evaluator
  private var nodes: [Graph.Node] = []

  /// Returns the specialised graph.
  static func apply(
    _ shapes: InputShapes, to graph: Graph, budget: Budget = Budget(), evaluate: @escaping Evaluator
  ) throws(CompileError) -> Graph {
    var work = Specialization(graph: graph, budget: budget, evaluate: evaluate)
    for id in graph.inputs {
      guard graph[id].kind == .tensor else {
        throw CompileError(
          GraphError(
            staged: "input \"\(graph[id].name)\" is \(graph[id].kind), which no program can take"),
          in: graph)
      }
    }
    let resolved = try shapes.resolved(for: graph)
    for (id, shape) in zip(graph.inputs, resolved) {
      work.graph[id].dimensions = shape.dimensions.map { .known($0) }
      guard shape.checkedElementCount != nil, work.graph[id].type != nil else {
        throw CompileError(
          .shapes, "input \"\(graph[id].name)\": shape \(shape) or its element type is unusable")
      }
    }
    for node in graph.nodes { try work.visit(node) }
    work.graph.nodes = work.nodes
    return work.graph
  }

  private init(graph: Graph, budget: Budget, evaluate: @escaping Evaluator) {
    self.graph = graph
    self.budget = budget
    self.evaluate = evaluate
  }

  /// Specialises some nodes of a graph, as far as what is known reaches.
  static func stage(
    of graph: Graph, nodes: Range<Int>, known: [Graph.ValueID: ValueInfo],
    evaluate: @escaping Evaluator
  ) throws(CompileError) -> SpecialisedStage {
    var work = Specialization(graph: graph, budget: Budget(), evaluate: evaluate)
    for (id, info) in known {
      work.graph[id].type = info.type
      work.graph[id].dimensions = info.shape.dimensions.map { .known($0) }
      work.graph[id].constant = info.constant
    }
    var reads: Set<Graph.ValueID> = []
    var end = nodes.lowerBound
    var stop: CompileError?
    for index in nodes {
      for case let id? in graph.nodes[index].inputs where known[id] != nil { reads.insert(id) }
      let count = work.nodes.count
      do throws(CompileError) {
        try work.visit(graph.nodes[index])
      } catch {
        guard error.code == .dataDependent else { throw error }
        work.nodes.removeLast(work.nodes.count - count)
        stop = error
        break
      }
      end = index + 1
    }
    work.graph.nodes = work.nodes
    return SpecialisedStage(
      graph: work.graph, nodes: nodes.lowerBound..<end, stop: stop, reads: reads)
  }

  private mutating func visit(_ node: Graph.Node) throws(CompileError) {
    if let op = node.op as? If { return try inline(op, at: node) }
    let place = "node \"\(node.name)\" (\(type(of: node.op).name))"
    var infos: [ValueInfo?] = []
    for input in node.inputs {
      guard let input else {
        infos.append(nil)
        continue
      }
      guard let info = graph.info(of: input) else {
        throw CompileError(
          .invalidModel, "the shape of its input \"\(graph[input].name)\" is not known",
          place: place)
      }
      infos.append(info)
    }
    let results: [ValueInfo]
    do throws(GraphError) {
      results = try node.op.outputs(for: infos)
    } catch {
      throw CompileError(error.at(node), in: graph)
    }
    for (position, id) in node.outputs.enumerated() {
      guard let id else { continue }
      guard position < results.count, results[position].shape.checkedElementCount != nil else {
        throw CompileError(.invalidModel, "output \(position) has no usable shape", place: place)
      }
      graph[id].type = results[position].type
      graph[id].dimensions = results[position].shape.dimensions.map { .known($0) }
    }
    let parts: [Graph.Node]?
    do throws(GraphError) {
      parts = try Composer.written(node, in: &graph)
    } catch {
      throw CompileError(error.at(node), in: graph)
    }
    if let parts {
      for part in parts { try visit(part) }
      return
    }
    let isKnown = infos.allSatisfy { $0 == nil || $0?.constant != nil }
    guard isKnown || node.op.dependsOnShapesOnly, try fold(node, results, infos, place) else {
      nodes.append(node)
      return
    }
  }

  /// Makes the branch that a known condition takes a part of the graph.
  private mutating func inline(_ op: If, at node: Graph.Node) throws(CompileError) {
    let condition: Bool
    do throws(GraphError) {
      guard let id = node.inputs.first ?? nil else { throw GraphError("cond is missing") }
      guard let tensor = graph[id].constant else {
        _ = try op.outputs(for: [graph.info(of: id)])
        return
      }
      condition = try If.condition(tensor)
    } catch {
      throw CompileError(error.at(node), in: graph)
    }
    let (branch, captured) = op.branch(condition)
    guard captured.upperBound <= node.inputs.count, node.outputs.count <= branch.outputs.count
    else {
      throw CompileError(
        .internalError, "the branch does not fit", place: "node \"\(node.name)\" (If)")
    }
    var ids = [Graph.ValueID?](repeating: nil, count: branch.values.count)
    for (inner, outer) in zip(branch.captures, node.inputs[captured]) {
      ids[Int(inner.index)] = outer
    }
    // What a node of the branch makes and the If returns is the If's own result.
    let made = Set(branch.nodes.flatMap { $0.outputs.compactMap { $0 } })
    var copies: [(from: Graph.ValueID, to: Graph.ValueID)] = []
    for (inner, outer) in zip(branch.outputs, node.outputs) {
      guard let outer else { continue }
      if made.contains(inner), ids[Int(inner.index)] == nil {
        ids[Int(inner.index)] = outer
      } else {
        copies.append((inner, outer))
      }
    }
    for index in branch.values.indices where ids[index] == nil {
      ids[index] = graph.add(branch.values[index])
    }
    for inner in branch.nodes {
      var moved = inner
      moved.name = "\(node.name)/\(inner.name)"
      moved.inputs = inner.inputs.map { id in id.flatMap { ids[Int($0.index)] } }
      moved.outputs = inner.outputs.map { id in id.flatMap { ids[Int($0.index)] } }
      try visit(moved)
    }
    for (from, to) in copies {
      guard let source = ids[Int(from.index)] else { continue }
      try visit(
        Graph.Node(
          name: "\(node.name)/\(graph[to].name)", op: Identity(), inputs: [source],
          outputs: [to]))
    }
  }

  /// Computes the node now, if the budget allows; returns whether it did.
  private mutating func fold(
    _ node: Graph.Node, _ results: [ValueInfo], _ infos: [ValueInfo?], _ place: String
  ) throws(CompileError) -> Bool {
    var byteCount = 0
    for result in results {
      guard let bytes = result.type.byteCount(of: result.shape.elementCount) else { return false }
      byteCount += bytes
    }
    let given = infos.reduce(0) { $0 + ($1?.constant?.byteCount ?? 0) }
    guard byteCount <= budget.nodeByteCount, byteCount <= budget.totalByteCount,
      byteCount <= 8 * given + budget.growthByteCount
    else { return false }
    var single = graph
    single.nodes = [node]
    single.inputs = []
    single.outputs = node.outputs.compactMap { $0 }
    let lowered: LoweredProgram
    do throws(GraphError) {
      lowered = try Lowering.lower(single) { _ in .float32 }
    } catch {
      throw CompileError(.invalidModel, error.message, place: place)
    }
    let values = try evaluate(lowered)
    for (id, value) in zip(single.outputs, values) {
      graph[id].constant = value
      if node.op is DequantizeLinear { graph[id].quantization = weightQuantization(node, infos) }
    }
    budget.totalByteCount -= byteCount
    return true
  }

  /// The scales of dequantised 8-bit weights; their zero points are gone.
  private func weightQuantization(_ node: Graph.Node, _ infos: [ValueInfo?]) -> Quantization? {
    guard let op = node.op as? DequantizeLinear, let x = infos[0],
      x.type == .int8 || x.type == .uint8, let scales = infos[1]?.constant?.floats(),
      !scales.isEmpty, op.blockSize == 0 || scales.count == 1,
      scales.allSatisfy({ $0 > 0 && $0.isFinite })
    else { return nil }
    return Quantization(
      scales: scales, zeroPoints: [Int32](repeating: 0, count: scales.count),
      axis: op.axis < 0 ? op.axis + x.shape.rank : op.axis)
  }
}
