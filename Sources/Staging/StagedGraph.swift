import Graphs
import Operators
import Synchronization
import Tensors

/// A graph of a model, the model's own or one inside a node, with what runs of it have taught.
final class StagedGraph: Sendable {
  /// What is known of stages that begin at one node.
  struct Start: Sendable {
    /// The values that stages from here have looked at; nil while there was none.
    var reads: Set<Graph.ValueID>?
    /// The values whose contents become constants.
    var needed: Set<Graph.ValueID> = []
    /// The nodes that asked for contents.
    var askers: Set<Int> = []
    /// Hashes of the contents that stages were made for.
    var contents: Set<Int> = []
  }

  struct Lessons: Sendable {
    var starts: [Int: Start] = [:]
    /// Nodes that become stages by themselves, because the contents they need are many or keep
    /// changing.
    var isolated: Set<Int> = []
    /// If nodes whose branches cannot become a part of this graph.
    var hosted: Set<Int> = []
  }

  let graph: Graph
  /// For each value the last node that uses it: `Int.max` for outputs, -1 for nobody.
  let lastUses: [Int]
  /// The values that are made by each node or die there, to be forgotten behind it.
  let dying: [[Int]]
  /// The graphs inside nodes: those of an If are then, else.
  let children: [Int: [StagedGraph]]
  let lessons = Mutex(Lessons())

  init(_ graph: Graph) {
    self.graph = graph
    var lastUses = [Int](repeating: -1, count: graph.values.count)
    var children: [Int: [StagedGraph]] = [:]
    for (index, node) in graph.nodes.enumerated() {
      for case let id? in node.inputs { lastUses[Int(id.index)] = index }
      let inner: [Graph] =
        switch node.op {
        case let op as If: [op.thenBranch, op.elseBranch]
        case let op as Loop: [op.body]
        case let op as Scan: [op.body]
        case let op as SequenceMap: [op.body]
        default: []
        }
      if !inner.isEmpty { children[index] = inner.map { StagedGraph($0) } }
    }
    for id in graph.outputs { lastUses[Int(id.index)] = .max }
    var dying = [[Int]](repeating: [], count: graph.nodes.count)
    for (value, last) in lastUses.enumerated() where last >= 0 && last < .max {
      dying[last].append(value)
    }
    self.lastUses = lastUses
    self.dying = dying
    self.children = children
  }

  /// The values that nodes make and that are used behind them, or are outputs.
  func results(of nodes: Range<Int>) -> [Graph.ValueID] {
    graph.nodes[nodes].flatMap { node in
      node.outputs.compactMap { $0 }.filter { lastUses[Int($0.index)] >= nodes.upperBound }
    }
  }

  /// Contents that may become constants: few integers, as shapes, axes and counts are, or next to
  /// nothing.
  static func isFew(_ tensor: TensorBuffer) -> Bool {
    tensor.elementCount <= 8
      || tensor.elementCount <= 64 && tensor.type != .bool && tensor.integers() != nil
  }

  /// How many contents are compiled in before a node that asks for them becomes a stage by itself.
  static let mostContents = 8
  /// Stages with more bytes of contents are not kept.
  static let largestKey = 4096
}
