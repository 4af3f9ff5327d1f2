import Compilation
import Graphs
import Operators
import Runtime
import Synchronization
import Tensors

/// One run of a model: walks its graph, and those inside nodes, and keeps count.
struct StagedRun: ~Copyable {
  let model: StagedModel
  let sessions: StageSessions
  private(set) var report = StagedSession.Report()
  private var resultByteCount = 0

  init(_ model: StagedModel, _ sessions: StageSessions) {
    self.model = model
    self.sessions = sessions
  }

  /// Computes the outputs of a graph.
  ///
  /// - Parameters:
  ///   - given: what the graph's inputs hold; nil for one that is absent.
  ///   - captured: what its captures hold.
  mutating func compute(
    _ staged: StagedGraph, _ given: [StagedValue?], captured: [StagedValue?] = []
  ) throws(StagingError) -> [StagedValue] {
    let graph = staged.graph
    var values = [StagedValue?](repeating: nil, count: graph.values.count)
    for (id, value) in zip(graph.inputs, given) { values[Int(id.index)] = value }
    for (id, value) in zip(graph.captures, captured) { values[Int(id.index)] = value }
    var position = 0
    while position < graph.nodes.count {
      try sessions.checkCancellation()
      let next = try step(staged, position, &values)
      for node in position..<next {
        for value in staged.dying[node] { values[value] = nil }
      }
      position = next
    }
    var results: [StagedValue] = []
    for id in graph.outputs {
      guard let value = values[Int(id.index)] ?? graph[id].constant.map({ .tensor($0) }) else {
        throw StagingError(
          .invalidModel, "nothing is there for it", place: "output \"\(graph[id].name)\"")
      }
      results.append(value)
    }
    return results
  }

  /// Runs a stage or a node; returns the node behind it.
  private mutating func step(
    _ staged: StagedGraph, _ position: Int, _ values: inout [StagedValue?]
  ) throws(StagingError) -> Int {
    let node = staged.graph.nodes[position]
    let isHosted =
      node.op is any HostOperator && !(node.op is If)
      || staged.lessons.withLock { $0.hosted.contains(position) }
    let hasOthers = node.inputs.contains { id in
      id.flatMap { values[Int($0.index)] }.map { $0.tensor == nil } ?? false
    }
    if !isHosted, !hasOthers, let stage = try stage(staged, position, values) {
      try run(stage, &values)
      return stage.end
    }
    report.hostNodes += 1
    let inputs = node.inputs.map { id in
      id.flatMap { id in
        values[Int(id.index)] ?? staged.graph[id].constant.map { .tensor($0) }
      }
    }
    let results = try host(node, staged.children[position] ?? [], inputs)
    for (id, result) in zip(node.outputs, results) {
      if let id { values[Int(id.index)] = result }
    }
    return position + 1
  }

  // MARK: Stages

  /// The stage that begins at a node, compiled if it is new; nil where the node must be run by
  /// itself.
  private mutating func stage(
    _ staged: StagedGraph, _ position: Int, _ values: [StagedValue?]
  ) throws(StagingError) -> Stage? {
    if let key = key(staged, position, values),
      let stage = model.cache.withLock({ $0.find(key) })
    {
      report.stages += 1
      return stage
    }
    var planner = StagePlanner(
      model.compiler, model.weights, staged, start: position, values: values)
    switch try planner.plan() {
    case .host: return nil
    case .stage(let stage):
      report.stages += 1
      report.compiled += 1
      if let key = key(staged, position, values) {
        model.cache.withLock { $0.insert(stage, for: key) }
      }
      return stage
    }
  }

  /// What a stage that begins at a node is kept under; nil where nothing is known of such stages,
  /// or the contents that decide are too many to be compared.
  private func key(
    _ staged: StagedGraph, _ position: Int, _ values: [StagedValue?]
  ) -> StageKey? {
    let known = staged.lessons.withLock { $0.starts[position] }
    guard let known, let reads = known.reads else { return nil }
    var key = StageKey(staged, position)
    var byteCount = 0
    for id in reads.sorted(by: { $0.index < $1.index }) {
      let tensor = values[Int(id.index)]?.tensor
      let isNeeded = known.needed.contains(id)
      if isNeeded { byteCount += tensor?.byteCount ?? 0 }
      guard byteCount <= StagedGraph.largestKey else { return nil }
      key.add(tensor, withContents: isNeeded)
    }
    return key
  }

  private mutating func run(
    _ stage: Stage, _ values: inout [StagedValue?]
  ) throws(StagingError) {
    for (id, tensor) in stage.program.constants { values[Int(id.index)] = .tensor(tensor) }
    guard stage.program.program != nil else { return }
    var inputs: [TensorBuffer] = []
    for id in stage.program.inputs {
      guard let tensor = values[Int(id.index)]?.tensor else {
        throw StagingError(.internalError, "value \(id.index) is not there")
      }
      inputs.append(tensor)
    }
    let outputs = try sessions.run(stage, inputs)
    for (id, tensor) in zip(stage.program.outputs, outputs) {
      values[Int(id.index)] = .tensor(tensor)
    }
  }

  // MARK: Counting

  /// Counts what a loop has to keep of one time.
  mutating func count(result: TensorBuffer, of node: Graph.Node) throws(StagingError) {
    resultByteCount += result.byteCount
    guard resultByteCount <= model.limits.resultByteCount else {
      throw StagingError(
        .limit,
        "the results of loops take more than the limit of \(model.limits.resultByteCount) bytes",
        place: "node \"\(node.name)\"")
    }
  }

  /// Counts one time that a loop goes round.
  mutating func countIteration(of node: Graph.Node) throws(StagingError) {
    try sessions.checkCancellation()
    report.iterations += 1
    guard report.iterations <= model.limits.iterations else {
      throw StagingError(
        .limit,
        "the loops of this run went round \(model.limits.iterations) times, which is the limit: "
          + "does its condition ever become false?", place: "node \"\(node.name)\"")
    }
  }
}
