// A model whose shapes or values are known only at run time runs in stages.
//
// The nodes are walked from the front. As many as possible become one program, with the shapes of
// what is there and nothing else: a stage. Where a node must know the contents of a value (the
// shape for a Reshape, the condition of an If), there are three ways:
//
// - The contents are there, and few: they become a constant of the stage. A value that keeps
//   changing is found out, and its node becomes a stage by itself.
// - The contents are there, and many (what NonZero counts): the node becomes a stage by itself, and
//   what follows it depends on the shape of its result only.
// - The contents are computed in this very stage: it ends before the node, runs, and the next one
//   begins with the node.
//
// Stages are kept by where they begin, the shapes of what they read, and the contents that became
// constants; so a second run with the same shapes compiles nothing. What was learned, where stages
// end and what they must know, is kept too. Loop, Scan, If and SequenceMap run other graphs in the
// same way; sequences and optionals exist between stages only.

import Compilation
import Graphs
import Operators
import Runtime
import Synchronization
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// A model that runs on tensors of whatever shapes its nodes can take: programs are made while it
/// runs, where a device has the compiler.
///
/// Made of a graph; `session` makes what runs. Sessions share the programs.
public final class StagedModel: Sendable {
  /// Bounds on what a run may do and what is kept.
  public struct Limits: Sendable {
    /// The times that loops of one run go round, all together.
    public var iterations = 10_000_000
    /// The bytes of the results that loops of one run gather, all together.
    public var resultByteCount = sysconf(Int32(_SC_PHYS_PAGES)) / 2 * sysconf(Int32(_SC_PAGESIZE))
    /// The programs that are kept for later runs.
    public var cachedStages = 256
    /// The memory of the programs that are kept for later runs; the last one is always kept.
    public var cachedByteCount = 1 << 30

    public init() {}
  }

  /// An input or an output as the model declares it.
  public struct Port: Sendable {
    public let name: String
    public let kind: Graph.Kind
    /// The element type (of a sequence: of its tensors), where the model says it.
    public let type: ElementType?
    /// The extents, where the model says them.
    public let dimensions: [Graph.Dimension]?
  }

  /// The graph as imported.
  public let graph: Graph
  public let inputs: [Port]
  public let outputs: [Port]
  public let limits: Limits
  let compiler: Compiler
  let root: StagedGraph
  let cache: Mutex<StageCache>
  let weights: WeightPools
  private let whole = Mutex<[(shapes: InputShapes, model: Model?)]>([])

  /// Prepares a model; nothing is compiled yet.
  ///
  /// - Parameter compiler: how stages are compiled: the precision, and the ranges for int8.
  public init(_ graph: Graph, compiler: Compiler = Compiler(), limits: Limits = Limits()) {
    self.graph = graph
    self.compiler = compiler
    self.limits = limits
    root = StagedGraph(graph)
    let port = { (id: Graph.ValueID) in
      let value = graph[id]
      return Port(
        name: value.name, kind: value.kind, type: value.type, dimensions: value.dimensions)
    }
    inputs = graph.inputs.map(port)
    outputs = graph.outputs.map(port)
    let memory = sysconf(Int32(_SC_PHYS_PAGES)) / 2 * sysconf(Int32(_SC_PAGESIZE))
    weights = WeightPools(capacity: min(limits.cachedByteCount, memory))
    cache = Mutex(StageCache(count: limits.cachedStages, byteCount: limits.cachedByteCount))
  }

  /// A session that runs the model on whatever it is given.
  public func session(options: Session.Options = Session.Options()) -> StagedSession {
    StagedSession(self, options: options)
  }

  /// A session of the one program that the model is for these input shapes, so that memory can be
  /// bound to it; nil where shapes depend on data, or the model has control flow: then it runs in
  /// stages only.
  ///
  /// - Throws: `StagingError` where the shapes do not fit, or the model makes no sense.
  public func session(
    for shapes: InputShapes, options: Session.Options = Session.Options()
  ) throws(StagingError) -> Session? {
    guard let model = try model(for: shapes) else { return nil }
    do throws(RuntimeError) { return try model.session(options: options) } catch {
      throw StagingError(error)
    }
  }

  /// The one program for these shapes as a model; the last few are kept.
  private func model(for shapes: InputShapes) throws(StagingError) -> Model? {
    if let known = whole.withLock({ $0.first { $0.shapes == shapes } }) { return known.model }
    let made: Model?
    do throws(CompileError) {
      let program = try compiler.compile(graph, shapes: shapes)
      made = try ModelAssembly.model(of: ModelAssembly.contents(of: [program]))
    } catch {
      guard error.code == .dataDependent else { throw StagingError(error) }
      made = nil
    }
    whole.withLock { list in
      list.append((shapes, made))
      if list.count > 8 { list.removeFirst() }
    }
    return made
  }
}
