import Instructions
import Tensors
import Testing

@testable import Planner

@Suite struct MemoryPlannerTests {
  @Test func `never lets two live tensors overlap`() throws {
    let seed: UInt64 = 2026
    var random = SplitMix(seed)
    for round in 0..<300 {
      var program = RandomProgram.make(&random)
      let plan = try MemoryPlanner.plan(&program)
      let what: Comment = "seed \(seed), round \(round)"
      #expect(program.arenaByteCount == plan.arenaByteCount, what)
      try expectDisjoint(program, what)
    }
  }

  @Test func `reuses the memory of dead tensors`() throws {
    var program = chain(of: 10, elements: 1000)
    try MemoryPlanner.plan(&program)
    // Two ports and two intermediates of 4000 bytes are alive at the same time at most.
    #expect(program.arenaByteCount <= 4 * 4032 + MemoryPlanner.slackByteCount)
  }

  @Test func `keeps every tensor when asked to`() throws {
    var program = chain(of: 10, elements: 1000)
    try MemoryPlanner.plan(&program, keepingAll: true)
    let starts = Set(program.tensors.map(\.storage))
    #expect(starts.count == program.tensors.count)
    #expect(program.arenaByteCount >= 11 * 4000)
  }

  @Test func `a result lies where the input that is read for the last time lay`() throws {
    /// x → a → b → c → y by functions, and b is read again by the last one if `keepsB`.
    func places(keepsB: Bool, view: Bool = false) throws -> [TensorSpec.Storage] {
      var program = Program()
      program.tensors = ["x", "a", "b", "c", "y"].map {
        TensorSpec(name: $0, type: .float32, shape: [64])
      }
      var source = Operand(1)
      if view {
        program.tensors.append(
          TensorSpec(
            name: "view", type: .float32, shape: [64], storage: .view(of: source, byteOffset: 0)))
        source = Operand(5)
      }
      program.add(copy(0, to: 1, 64))
      program.add(Unary(source, to: Operand(2), Activation(.exp)))
      program.add(Unary(Operand(2), to: Operand(3), Activation(.exp)))
      program.add(Binary(.add, Operand(3), Operand(keepsB ? 2 : 3), to: Operand(4)))
      program.inputs = [.init(name: "x", type: .float32, shape: [64], operand: Operand(0))]
      program.outputs = [.init(name: "y", type: .float32, shape: [64], operand: Operand(4))]
      try MemoryPlanner.plan(&program)
      return program.tensors.map(\.storage)
    }
    for view in [false, true] {
      let all = try places(keepsB: false, view: view)
      #expect(all[1] == all[2] && all[2] == all[3])
      #expect(Set(all[...4]).count == 3, "inputs and outputs keep their memory")
      let kept = try places(keepsB: true, view: view)
      #expect(kept[1] == kept[2] && kept[2] != kept[3])
    }
  }

  @Test func `a view keeps its owner alive`() throws {
    var program = Program()
    program.tensors = [
      TensorSpec(name: "x", type: .float32, shape: [16]),
      TensorSpec(name: "owner", type: .float32, shape: [16]),
      TensorSpec(
        name: "view", type: .float32, shape: [4],
        storage: .view(of: Operand(1), byteOffset: 16)),
      TensorSpec(
        name: "view of view", type: .float32, shape: [2],
        storage: .view(of: Operand(2), byteOffset: 8)),
      TensorSpec(name: "between", type: .float32, shape: [16]),
      TensorSpec(name: "y", type: .float32, shape: [2]),
    ]
    program.add(copy(0, to: 1, 16))
    program.add(copy(0, to: 4, 16))
    program.add(copy(3, to: 5, 2))
    program.inputs = [.init(name: "x", type: .float32, shape: [16], operand: Operand(0))]
    program.outputs = [.init(name: "y", type: .float32, shape: [2], operand: Operand(5))]
    try MemoryPlanner.plan(&program)
    try expectDisjoint(program, "view")
    let roots = try ViewRoots(program.tensors)
    #expect(roots.root[3] == 1)
    #expect(roots.byteOffset[3] == 24)
    #expect(try Lifetimes(program).blocks.isEmpty, "all are placed")
  }

  @Test func `refuses a read of what nobody writes`() throws {
    var program = chain(of: 2, elements: 4)
    program.instructions.removeFirst()
    program.origins.removeFirst()
    #expect(throws: PlanningError.self) { try MemoryPlanner.plan(&program) }
  }

  @Test func `refuses views of themselves`() {
    let spec = TensorSpec(
      name: "loop", type: .float32, shape: [1], storage: .view(of: Operand(0), byteOffset: 0))
    var other = spec
    other.storage = .view(of: Operand(2), byteOffset: 0)
    var third = spec
    third.storage = .view(of: Operand(1), byteOffset: 0)
    #expect(throws: PlanningError.self) { try ViewRoots([spec]) }
    #expect(throws: PlanningError.self) { try ViewRoots([spec, other, third]) }
  }

  @Test func `refuses views outside their owner`() {
    let owner = TensorSpec(name: "owner", type: .float32, shape: [4])
    for offset in [-4, 4, Int.max, Int.min] {
      let view = TensorSpec(
        name: "view", type: .float32, shape: [4],
        storage: .view(of: Operand(0), byteOffset: offset))
      #expect(throws: PlanningError.self) { try ViewRoots([owner, view]) }
    }
  }

  @Test func `tells readers and writers and who accepts strides`() throws {
    var program = Program()
    program.tensors = (0..<3).map {
      TensorSpec(name: "t\($0)", type: .float32, shape: [2, 4])
    }
    program.add(copy(0, to: 1, 8))
    program.add(CopyRows(Operand(1), to: Operand(2), count: 4))
    let uses = ProgramUses(program)
    #expect(uses.readers(of: Operand(1)).map(\.instruction) == [0, 1])
    #expect(uses.writers(of: Operand(1)).map(\.instruction) == [0])
    #expect(!uses.acceptsStrides(Operand(1)))
    #expect(uses.acceptsStrides(Operand(2)))
  }

  /// Input, then `count` copies one after the other.
  private func chain(of count: Int, elements: Int) -> Program {
    var program = Program()
    program.tensors = (0...count).map {
      TensorSpec(name: "t\($0)", type: .float32, shape: [elements])
    }
    for index in 0..<count { program.add(copy(index, to: index + 1, elements)) }
    program.inputs = [
      .init(name: "x", type: .float32, shape: [elements], operand: Operand(0))
    ]
    program.outputs = [
      .init(name: "y", type: .float32, shape: [elements], operand: Operand(count))
    ]
    return program
  }

  /// Checks places against lifetimes that are worked out here, independently of the planner.
  private func expectDisjoint(_ program: Program, _ what: Comment) throws {
    var first: [Int: Int] = [:]
    var last: [Int: Int] = [:]
    func owner(_ index: Int) -> Int {
      if case .view(let parent, _) = program.tensors[index].storage {
        return owner(Int(parent.index))
      }
      return index
    }
    for (step, instruction) in program.instructions.enumerated() {
      for use in ProgramUses.uses(of: instruction) {
        let root = owner(Int(use.operand.index))
        first[root] = min(first[root] ?? step, step)
        last[root] = step
      }
    }
    for port in program.inputs + program.outputs {
      first[Int(port.operand.index)] = 0
      last[Int(port.operand.index)] = program.instructions.count
    }
    let live = first.keys.sorted()
    for a in live {
      guard case .arena(let startA) = program.tensors[a].storage else {
        Issue.record("tensor \(a) has no place")
        continue
      }
      let endA = startA + program.tensors[a].byteCount
      #expect(startA % MemoryPlanner.alignment == 0, what)
      #expect(endA + MemoryPlanner.slackByteCount <= program.arenaByteCount, what)
      for b in live where b > a {
        guard case .arena(let startB) = program.tensors[b].storage,
          let firstA = first[a], let lastA = last[a], let firstB = first[b], let lastB = last[b],
          firstA <= lastB, firstB <= lastA
        else { continue }
        let endB = startB + program.tensors[b].byteCount
        #expect(endA <= startB || endB <= startA, what)
      }
    }
  }
}

func copy(_ source: Int, to target: Int, _ count: Int) -> Copy {
  Copy(
    Operand(source), to: Operand(target), extents: [count], sourceStrides: [1], targetStrides: [1])
}

extension Program {
  mutating func add(_ instruction: any Instruction) {
    instructions.append(instruction)
    origins.append("node \(instructions.count)")
  }
}

/// Programs with random sizes, readers and views.
enum RandomProgram {
  static func make(_ random: inout SplitMix) -> Program {
    var program = Program()
    let count = random.below(40) + 2
    program.tensors = [TensorSpec(name: "x", type: .uint8, shape: [random.below(500) + 1])]
    for index in 1...count {
      var spec = TensorSpec(
        name: "t\(index)", type: .uint8, shape: [random.below(2000)])
      var source = random.below(program.tensors.count)
      if random.below(5) == 0, program.tensors[source].byteCount > 0 {
        // A view of part of an earlier tensor, used in the place of it.
        let owner = program.tensors[source]
        let start = random.below(owner.byteCount)
        let view = TensorSpec(
          name: "view\(index)", type: .uint8, shape: [owner.byteCount - start],
          storage: .view(of: Operand(source), byteOffset: start))
        program.tensors.append(view)
        source = program.tensors.count - 1
      }
      let length = min(spec.byteCount, program.tensors[source].byteCount)
      spec.name += " of \(source)"
      program.tensors.append(spec)
      program.add(copy(source, to: program.tensors.count - 1, length))
    }
    let last = program.tensors.count - 1
    program.inputs = [
      .init(
        name: "x", type: .uint8, shape: program.tensors[0].shape, operand: Operand(0))
    ]
    program.outputs = [
      .init(
        name: "y", type: .uint8, shape: program.tensors[last].shape, operand: Operand(last))
    ]
    return program
  }
}

/// A small seeded generator (Steele, Lea and Flood 2014).
struct SplitMix {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(limit, 1))) }
}
