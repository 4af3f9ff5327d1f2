import Compilation
import Graphs
import Operators
import Synchronization
import Tensors

/// Finds the stage that begins at a node, and compiles it.
struct StagePlanner {
  enum Plan {
    case stage(Stage)
    /// The node must be run by itself, with the graphs in it.
    case host
  }

  let compiler: Compiler
  let weights: WeightPools
  let staged: StagedGraph
  let start: Int
  /// What there is of values when the stage begins.
  let values: [StagedValue?]

  private var lessons: StagedGraph.Lessons
  private(set) var needed: Set<Graph.ValueID>
  private var askers: Set<Int> = []

  init(
    _ compiler: Compiler, _ weights: WeightPools, _ staged: StagedGraph, start: Int,
    values: [StagedValue?]
  ) {
    self.compiler = compiler
    self.weights = weights
    self.staged = staged
    self.start = start
    self.values = values
    let known = staged.lessons.withLock { $0 }
    lessons = known
    needed = known.starts[start]?.needed ?? []
    askers = known.starts[start]?.askers ?? []
  }

  private func tensor(_ id: Graph.ValueID) -> TensorBuffer? { values[Int(id.index)]?.tensor }

  // MARK: Planning

  mutating func plan() throws(StagingError) -> Plan {
    var reads: Set<Graph.ValueID> = []
    while true {
      let part = try specialised(firstLimit())
      reads.formUnion(part.reads)
      guard let stop = part.stop else { return try finish(part, reads) }
      let node = part.nodes.upperBound
      let id = stop.neededID.flatMap {
        staged.graph.values.indices.contains(Int($0.index)) ? $0 : nil
      }
      if let id, values[Int(id.index)] != nil {
        if try take(id, for: node, stop) { continue }
      } else if let id, !lessons.isolated.contains(node), let roots = roots(of: id, in: part) {
        needed.formUnion(roots)
        askers.insert(node)
        continue
      } else if node == start || id == nil {
        // Something inside the branch that an If takes.
        guard staged.graph.nodes[node].op is If else { throw StagingError(stop) }
        lessons.hosted.insert(node)
        if node == start { return settle(.host, reads) }
      }
      return try finish(part, reads)
    }
  }

  /// The first node that cannot be in the stage whatever happens.
  private func firstLimit() -> Int {
    if lessons.isolated.contains(start) { return start + 1 }
    for index in start..<staged.graph.nodes.count {
      let node = staged.graph.nodes[index]
      let isHost = node.op is any HostOperator && !(node.op is If) || lessons.hosted.contains(index)
      if isHost || index > start && lessons.isolated.contains(index)
        || node.inputs.contains(where: { id in
          id.flatMap { values[Int($0.index)] }.map { $0.tensor == nil } ?? false
        })
      {
        return index
      }
    }
    return staged.graph.nodes.count
  }

  /// Makes the contents of a value that is there a constant, if they are few or the node stands by
  /// itself.
  ///
  /// - Returns: false where the stage must end before the node.
  private mutating func take(
    _ id: Graph.ValueID, for node: Int, _ stop: CompileError
  ) throws(StagingError) -> Bool {
    guard let tensor = tensor(id), !needed.contains(id) else { throw StagingError(stop) }
    if lessons.isolated.contains(node) ? node > start : !StagedGraph.isFew(tensor) {
      lessons.isolated.insert(node)
      if node > start { return false }
    }
    needed.insert(id)
    askers.insert(node)
    return true
  }

  /// The values from before the stage that a value inside it is computed from, if they are all few.
  private func roots(of id: Graph.ValueID, in part: SpecialisedStage) -> Set<Graph.ValueID>? {
    var producers: [Graph.ValueID: Int] = [:]
    for (index, node) in part.graph.nodes.enumerated() {
      for case let output? in node.outputs { producers[output] = index }
    }
    var found: Set<Graph.ValueID> = []
    var seen: Set<Graph.ValueID> = [id]
    var open = [id]
    while let next = open.popLast() {
      if part.graph[next].constant != nil { continue }
      guard let producer = producers[next] else {
        guard
          let tensor = staged.graph.values.indices.contains(Int(next.index))
            ? self.tensor(next) : nil, StagedGraph.isFew(tensor), !needed.contains(next)
        else { return nil }
        found.insert(next)
        continue
      }
      for case let input? in part.graph.nodes[producer].inputs where seen.insert(input).inserted {
        open.append(input)
      }
    }
    return found.isEmpty ? nil : found
  }

  // MARK: Compiling

  private func specialised(_ limit: Int) throws(StagingError) -> SpecialisedStage {
    var known: [Graph.ValueID: ValueInfo] = [:]
    for node in staged.graph.nodes[start..<limit] {
      for case let id? in node.inputs {
        guard known[id] == nil, let tensor = tensor(id) else { continue }
        known[id] = ValueInfo(
          type: tensor.type, shape: tensor.shape, constant: needed.contains(id) ? tensor : nil)
      }
    }
    do throws(CompileError) {
      return try compiler.specialise(staged.graph, nodes: start..<limit, known: known)
    } catch {
      throw StagingError(error)
    }
  }

  private func finish(
    _ part: SpecialisedStage, _ reads: Set<Graph.ValueID>
  ) throws(StagingError) -> Plan {
    if part.nodes.isEmpty { return settle(.host, reads) }
    do throws(CompileError) {
      let program = try compiler.program(
        for: part, results: staged.results(of: part.nodes), weights: weights)
      return settle(.stage(Stage(end: part.nodes.upperBound, program: program)), reads)
    } catch {
      throw StagingError(error)
    }
  }

  /// Keeps what was learned.
  private func settle(_ plan: Plan, _ reads: Set<Graph.ValueID>) -> Plan {
    var hasher = Hasher()
    for id in needed.sorted(by: { $0.index < $1.index }) {
      tensor(id)?.withBytes { hasher.combine(bytes: $0) }
    }
    let contents = hasher.finalize()
    staged.lessons.withLock { known in
      known.isolated.formUnion(lessons.isolated)
      known.hosted.formUnion(lessons.hosted)
      var memory = known.starts[start] ?? StagedGraph.Start()
      memory.reads = (memory.reads ?? []).union(reads)
      memory.needed.formUnion(needed)
      memory.askers.formUnion(askers)
      if !needed.isEmpty, memory.contents.count <= StagedGraph.mostContents {
        memory.contents.insert(contents)
      }
      if memory.contents.count > StagedGraph.mostContents, !known.isolated.contains(start) {
        // The contents keep changing: whoever needs them shall do so alone.
        known.isolated.formUnion(memory.askers)
        memory = StagedGraph.Start()
      }
      known.starts[start] = memory
    }
    return plan
  }
}
