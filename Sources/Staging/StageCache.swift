import Compilation
import Graphs
import Runtime
import Tensors

/// A stage that is ready to run.
final class Stage: Sendable {
  /// The node behind its last one.
  let end: Int
  let program: StageProgram

  init(end: Int, program: StageProgram) {
    self.end = end
    self.program = program
  }
}

/// What a stage was made for: where it begins, the types and shapes of what it reads, and the
/// contents of what became constants.
struct StageKey: Hashable {
  private let graph: ObjectIdentifier
  private let start: Int
  private var words: [Int] = []

  init(_ graph: StagedGraph, _ start: Int) {
    self.graph = ObjectIdentifier(graph)
    self.start = start
  }

  /// Adds what is known of one value.
  mutating func add(_ tensor: TensorBuffer?, withContents: Bool) {
    guard let tensor else { return words.append(-1) }
    words.append(Int(tensor.type.rawValue))
    words.append(tensor.shape.rank)
    words += tensor.shape.dimensions
    guard withContents else { return }
    tensor.withBytes { bytes in
      words += bytes.map { Int($0) }
    }
  }
}

/// The stages that are kept, the least recently used leaving first.
struct StageCache {
  private struct Entry {
    var stage: Stage
    var lastUse: Int
  }

  private let largestCount: Int
  private let largestByteCount: Int
  private var entries: [StageKey: Entry] = [:]
  private var clock = 0
  private var byteCount = 0

  init(count: Int, byteCount: Int) {
    largestCount = max(count, 1)
    largestByteCount = byteCount
  }

  var count: Int { entries.count }

  mutating func find(_ key: StageKey) -> Stage? {
    clock += 1
    entries[key]?.lastUse = clock
    return entries[key]?.stage
  }

  mutating func insert(_ stage: Stage, for key: StageKey) {
    clock += 1
    if let old = entries.updateValue(Entry(stage: stage, lastUse: clock), forKey: key) {
      byteCount -= old.stage.program.byteCount
    }
    byteCount += stage.program.byteCount
    while entries.count > 1, entries.count > largestCount || byteCount > largestByteCount,
      let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      entries[oldest.key] = nil
      byteCount -= oldest.value.stage.program.byteCount
    }
  }
}
