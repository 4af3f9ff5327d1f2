// Memory planning: every activation gets an offset in one block, the arena, such that tensors that
// are alive at the same time do not overlap.
//
// A tensor is alive from the first instruction that touches it (or a view of it) to the last. Where
// an instruction may write over an input that it is the last to read, result and input are one
// block: work in place leaves more of a cache to others.
// Finding the smallest arena is the problem of dynamic storage allocation, NP-hard (Garey and
// Johnson, SR2); the greedy way is close in practice: take the tensors in some order and put each
// at the lowest offset at which it fits between the tensors that are already placed and alive at
// the same time. No order is always best, so several are tried and the smallest arena is kept.
//
//     arena   | inputs | outputs | activations, sharing space over time ...        | slack |
//             0        '- ioByteCount of the plan                    arenaByteCount -'
//
// The ports lie at the start and are alive all the time, so that a session can report them apart.

import Instructions
import Tensors

/// Gives the tensors of a program their places in the arena.
public enum MemoryPlanner {
  /// Every tensor begins at a multiple of this.
  package static let alignment = 64
  /// The bytes after the end of every tensor that kernels may read (not write).
  package static let slackByteCount = 64
  /// No program needs an arena of more bytes.
  package static let largestArena = 1 << 46

  /// What a plan came to.
  package struct Plan: Sendable {
    /// The bytes of inputs and outputs, at the start of the arena.
    package var ioByteCount = 0
    package var arenaByteCount = 0
    /// The order that gave the smallest arena.
    package var order = Order.size
  }

  /// The orders in which tensors are placed.
  package enum Order: Sendable, CaseIterable {
    /// Largest first.
    case size
    /// As the program makes them.
    case start
    /// Largest product of size and lifetime first.
    case area
    /// Longest lifetime first.
    case lifetime
  }

  /// Places every unplaced tensor that the program touches, and sets `arenaByteCount`. Tensors
  /// that no instruction touches and that are no port stay unplaced.
  ///
  /// - Parameter keepingAll: gives every tensor memory of its own, so that all contents can be
  ///   looked at after a run.
  /// - Throws: `PlanningError` for a program that reads what nobody writes, or is too large.
  @discardableResult
  package static func plan(
    _ program: inout Program, keepingAll: Bool = false
  ) throws(PlanningError) -> Plan {
    var lifetimes = try Lifetimes(program, reuses: !keepingAll).blocks
    if keepingAll {
      for index in lifetimes.indices { lifetimes[index].range = 0...program.instructions.count }
    }
    let ports = lifetimes.filter(\.isPort)
    let others = lifetimes.filter { !$0.isPort }
    var best = Plan()
    best.arenaByteCount = .max
    var bestOffsets: [Int] = []
    for order in Order.allCases {
      var placement = Placement()
      for port in ports { try placement.append(port) }
      let ioByteCount = placement.byteCount
      for block in sorted(others, by: order) { try placement.add(block) }
      if placement.byteCount < best.arenaByteCount {
        best = Plan(
          ioByteCount: ioByteCount, arenaByteCount: placement.byteCount, order: order)
        bestOffsets = placement.offsets(count: program.tensors.count)
      }
    }
    for block in lifetimes {
      for tensor in [block.tensor] + block.guests {
        program.tensors[tensor].storage = .arena(offset: bestOffsets[block.tensor])
      }
    }
    best.arenaByteCount += slackByteCount
    program.arenaByteCount = best.arenaByteCount
    return best
  }

  private static func sorted(_ blocks: [Block], by order: Order) -> [Block] {
    // Ties are broken by the place in the program, so that plans are reproducible.
    switch order {
    case .size:
      blocks.sorted { ($1.byteCount, $0.tensor) < ($0.byteCount, $1.tensor) }
    case .start:
      blocks.sorted { ($0.range.lowerBound, $0.tensor) < ($1.range.lowerBound, $1.tensor) }
    case .area:
      blocks.sorted { ($1.area, $0.tensor) < ($0.area, $1.tensor) }
    case .lifetime:
      blocks.sorted { ($1.range.count, $0.tensor) < ($0.range.count, $1.tensor) }
    }
  }
}

/// A tensor that needs memory of its own.
struct Block {
  var tensor: Int
  var byteCount: Int
  /// The instructions from the first to the last that touches it.
  var range: ClosedRange<Int>
  /// Inputs and outputs are alive all the time.
  var isPort: Bool
  /// The tensors that lie in its memory after it.
  var guests: [Int] = []

  var area: Double { Double(byteCount) * Double(range.count) }
}

/// The tensors of a program that need memory, and when.
struct Lifetimes {
  private(set) var blocks: [Block] = []

  /// - Parameter reuses: whether results may lie in the memory of inputs.
  init(_ program: Program, reuses: Bool = true) throws(PlanningError) {
    let roots = try ViewRoots(program.tensors)
    let uses = ProgramUses(program)
    var ranges = [ClosedRange<Int>?](repeating: nil, count: program.tensors.count)
    let inputs = Set(program.inputs.map(\.operand))
    for (step, operands) in uses.byInstruction.enumerated() {
      for use in operands {
        guard program.tensors.indices.contains(Int(use.operand.index)) else {
          throw PlanningError("instruction \(step) names a tensor that does not exist")
        }
        let root = Int(roots.root[Int(use.operand.index)])
        let spec = program.tensors[root]
        if ranges[root] == nil, use.access == .read, case .unplaced = spec.storage,
          spec.byteCount > 0, !inputs.contains(Operand(root))
        {
          throw PlanningError(
            "\"\(program.tensors[Int(use.operand.index)].name)\" is read by instruction \(step) "
              + "before anything is written to it")
        }
        ranges[root] = min(ranges[root]?.lowerBound ?? step, step)...step
      }
    }
    let ports = program.inputs.map(\.operand) + program.outputs.map(\.operand)
    var isPort = [Bool](repeating: false, count: program.tensors.count)
    for port in ports {
      guard program.tensors.indices.contains(Int(port.index)) else {
        throw PlanningError("a port names a tensor that does not exist")
      }
      let root = Int(roots.root[Int(port.index)])
      ranges[root] = 0...program.instructions.count
      isPort[root] = true
    }
    let hosts = reuses ? Lifetimes.hosts(program, roots, uses, isPort, &ranges) : [:]
    let guests = Dictionary(grouping: hosts.keys.sorted()) { hosts[$0] ?? $0 }
    for (index, spec) in program.tensors.enumerated() where hosts[index] == nil {
      guard case .unplaced = spec.storage, let range = ranges[index] else { continue }
      blocks.append(
        Block(
          tensor: index, byteCount: spec.byteCount, range: range, isPort: isPort[index],
          guests: guests[index] ?? []))
    }
  }

  /// For every result that is written over an input, the tensor whose block it shares; that one's
  /// range grows by the result's.
  private static func hosts(
    _ program: Program, _ roots: ViewRoots, _ uses: ProgramUses, _ isPort: [Bool],
    _ ranges: inout [ClosedRange<Int>?]
  ) -> [Int: Int] {
    var hosts: [Int: Int] = [:]
    for (step, instruction) in program.instructions.enumerated() {
      for pair in instruction.replacements where pair.input.isPresent && pair.output.isPresent {
        let (x, y) = (Int(pair.input.index), Int(pair.output.index))
        let (source, target) = (Int(roots.root[x]), Int(roots.root[y]))
        let (have, want) = (program.tensors[x], program.tensors[y])
        guard target == y, source != target, hosts[target] == nil, !isPort[source],
          !isPort[target], case .unplaced = program.tensors[source].storage,
          case .unplaced = want.storage, roots.byteOffset[x] == 0,
          ranges[source]?.upperBound == step, ranges[target]?.lowerBound == step,
          let end = ranges[target]?.upperBound, have.shape == want.shape,
          have.rowStride == want.rowStride, have.type.byteCount == want.type.byteCount,
          program.tensors[source].byteCount == want.byteCount,
          uses.byInstruction[step].allSatisfy({
            $0.operand == pair.input || Int(roots.root[Int($0.operand.index)]) != source
          })
        else { continue }
        let host = hosts[source] ?? source
        hosts[target] = host
        if let range = ranges[host] { ranges[host] = range.lowerBound...end }
        break
      }
    }
    return hosts
  }
}

/// Blocks with their offsets, sorted by offset.
private struct Placement {
  private struct Placed {
    var tensor: Int
    var offset: Int
    var end: Int
    var range: ClosedRange<Int>
  }

  private var placed: [Placed] = []
  /// The end of the last block.
  private(set) var byteCount = 0

  /// Puts a block after all others.
  mutating func append(_ block: Block) throws(PlanningError) {
    try insert(block, at: byteCount)
  }

  /// Puts a block at the lowest offset at which it overlaps no block that is alive with it.
  mutating func add(_ block: Block) throws(PlanningError) {
    guard block.byteCount > 0 else { return }
    var offset = 0
    for other in placed where other.range.overlaps(block.range) {
      if other.offset >= offset && other.offset - offset >= block.byteCount { break }
      offset = max(offset, Placement.aligned(other.end))
    }
    try insert(block, at: offset)
  }

  private mutating func insert(_ block: Block, at offset: Int) throws(PlanningError) {
    guard block.byteCount <= MemoryPlanner.largestArena - offset else {
      throw PlanningError("the program needs an arena of more than 64 TiB")
    }
    guard block.byteCount > 0 else { return }
    let item = Placed(
      tensor: block.tensor, offset: offset, end: offset + block.byteCount, range: block.range)
    var low = 0
    var high = placed.count
    while low < high {
      let middle = (low + high) / 2
      if placed[middle].offset <= offset { low = middle + 1 } else { high = middle }
    }
    placed.insert(item, at: low)
    byteCount = max(byteCount, Placement.aligned(item.end))
  }

  /// The offsets by tensor; 0 for tensors of no bytes.
  func offsets(count: Int) -> [Int] {
    var offsets = [Int](repeating: 0, count: count)
    for item in placed { offsets[item.tensor] = item.offset }
    return offsets
  }

  private static func aligned(_ value: Int) -> Int {
    let mask = MemoryPlanner.alignment - 1
    return (value + mask) & ~mask
  }
}
