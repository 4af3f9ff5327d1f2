internal import CLinux
import Instructions
import Kernels
import Planner
import Synchronization
import Tensors

/// One running instance of a program: it owns the arena and shares the weights.
///
/// Make one per stream. Everything is allocated by `init`; `run()` allocates nothing and takes no
/// lock. A session may be handed from thread to thread, but is used by one at a time: a second
/// thread that calls it meanwhile gets an error (`inUse`) and changes nothing.
///
/// A session for several threads holds its instructions twice, prepared for all of them and for
/// one: a run that finds the worker pool busy does everything on its own thread. Results do not
/// depend on which it was.
///
/// Sendable because everything that changes is touched only while `claim` is held, but for the
/// cancellation flag, which is atomic.
public final class Session: @unchecked Sendable {
  /// How a session uses the machine.
  public struct Options: Sendable {
    /// The threads of a run, the caller's own among them; nil: `WorkerPool.recommendedThreadCount`.
    public var threads: Int?
    /// The kernels that may be used.
    public var isas: Set<ISA>

    public init(threads: Int? = nil, isas: Set<ISA> = ISA.host) {
      self.threads = threads
      self.isas = isas
    }
  }

  /// The bytes of memory of a session, by kind.
  public struct Memory: Sendable, Hashable {
    /// Shared by all sessions of the model.
    public var weightByteCount: Int
    /// Weights in forms made at load for this machine: in memory of the process, shared by its
    /// sessions of the model.
    public var derivedWeightByteCount = 0
    /// Intermediate results.
    public var arenaByteCount: Int
    /// Working space inside instructions.
    public var scratchByteCount: Int
    /// Inputs and outputs.
    public var ioByteCount: Int
  }

  let program: Program
  let weights: Weights
  let roots: ViewRoots
  /// The threads of a run.
  public let threadCount: Int
  public let memory: Memory
  /// The kernels that may be used.
  public let isas: Set<ISA>
  /// The inputs whose conversion is left out, by place.
  var taken: [Int: DirectInput] = [:]
  /// The arena, and behind it the scratch memory.
  private let arena: MemoryBlock
  private let alone: PreparedProgram
  private let together: PreparedProgram?
  let table: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  let cancellation: UnsafeMutablePointer<UInt32>
  let aloneState: UnsafeMutablePointer<RunState>
  private let togetherState: UnsafeMutablePointer<RunState>?
  private let claim = Atomic<Bool>(false)

  /// Makes a session of a planned program.
  ///
  /// - Throws: `RuntimeError` for a program that contradicts itself, or for lack of memory or
  ///   threads.
  package init(
    _ program: Program, weights: Weights, options: Options = Options()
  ) throws(RuntimeError) {
    self.program = program
    self.weights = weights
    let threads = options.threads ?? WorkerPool.recommendedThreadCount
    threadCount = threads
    isas = options.isas
    if threads != 1 { try WorkerPool.prepare(threads: threads) }
    roots = try ProgramCheck.check(program, weightByteCount: weights.byteCount)
    alone = try PreparedProgram(program, weights: weights, isas: options.isas, parts: 1)
    together =
      threads > 1
      ? try PreparedProgram(
        program, weights: weights, isas: options.isas, parts: threads, sharing: alone) : nil
    let scratchByteCount = max(alone.scratchByteCount, together?.scratchByteCount ?? 0)
    // One block, so that its huge pages serve both.
    let arenaByteCount = (program.arenaByteCount + 63) & ~63
    let (sum, overflow) = arenaByteCount.addingReportingOverflow(scratchByteCount)
    arena = try MemoryBlock(
      byteCount: overflow ? Int.max : sum, purpose: "the arena with scratch memory")
    let scratch = arena.base + arenaByteCount
    let io = (program.inputs + program.outputs).reduce(0) {
      $0 + program.tensors[Int($1.operand.index)].byteCount
    }
    memory = Memory(
      weightByteCount: weights.byteCount,
      derivedWeightByteCount: max(alone.derivedByteCount, together?.derivedByteCount ?? 0),
      arenaByteCount: max(program.arenaByteCount - io, 0),
      scratchByteCount: scratchByteCount, ioByteCount: io)
    table = .allocate(capacity: max(program.tensors.count, 1))
    table.initialize(repeating: nil, count: max(program.tensors.count, 1))
    cancellation = .allocate(capacity: 1)
    cancellation.initialize(to: 0)
    aloneState = .allocate(capacity: 1)
    aloneState.initialize(
      to: RunState(alone, tensors: table, scratch: scratch, cancellation: cancellation))
    if let together {
      let state = UnsafeMutablePointer<RunState>.allocate(capacity: 1)
      state.initialize(
        to: RunState(together, tensors: table, scratch: scratch, cancellation: cancellation))
      togetherState = state
    } else {
      togetherState = nil
    }
    for index in program.tensors.indices { table[index] = home(of: index) }
  }

  deinit {
    aloneState.deinitialize(count: 1)
    aloneState.deallocate()
    togetherState?.deinitialize(count: 1)
    togetherState?.deallocate()
    cancellation.deallocate()
    table.deallocate()
  }

  /// Where a tensor lies in the session's own memory or the weights; nil for one without a place.
  func home(of index: Int) -> UnsafeMutableRawPointer? {
    let offset = roots.byteOffset[index]
    switch program.tensors[Int(roots.root[index])].storage {
    case .arena(let start): return arena.base + start + offset
    case .constant(let start):
      return UnsafeMutableRawPointer(mutating: weights.base) + start + offset
    case .unplaced, .view: return nil
    }
  }

  /// Makes runs begin after the first `count` instructions.
  func skip(_ count: Int) {
    aloneState.pointee.first = count
    togetherState?.pointee.first = count
  }

  // MARK: Running

  /// Runs the program on what the inputs hold; the outputs hold the results afterwards.
  ///
  /// Allocates nothing and takes no lock.
  /// - Throws: `RuntimeError` where the data made an instruction impossible, naming it, or where
  ///   the run was cancelled.
  public func run() throws(RuntimeError) {
    try claimed { () throws(RuntimeError) in try walk() }
  }

  /// Ends the run that another thread is doing, after the instruction it is at; without a run,
  /// does nothing.
  public func cancel() { cl_store(cancellation, 1) }

  private func walk() throws(RuntimeError) {
    cl_store(cancellation, 0)
    if let togetherState {
      togetherState.pointee.reset()
      if WorkerPool.run(togetherState) {
        try check(togetherState)
        return
      }
    }
    aloneState.pointee.reset()
    RunState.walk(aloneState, part: 0)
    try check(aloneState)
  }

  func check(_ state: UnsafeMutablePointer<RunState>) throws(RuntimeError) {
    let index = Int(state.pointee.stop.pointee)
    guard index != Int(Int32.max) else { return }
    let place = program.origins.indices.contains(index) ? "node \"\(program.origins[index])\"" : nil
    let fault = state.pointee.fault.pointee
    guard fault != 0 else {
      throw RuntimeError(.cancelled, "the run was cancelled", place: place)
    }
    let reason =
      switch ExecutionContext.Fault(rawValue: fault) {
      case .indexOutOfRange: "an index is out of range"
      case .divisionByZero: "an integer is divided by zero"
      case nil: "fault \(fault)"
      }
    throw RuntimeError(
      .fault, "\(program.instructions[index].opcode): \(reason) with these inputs", place: place)
  }

  /// Runs once, with the times of all instructions. Slower than `run()` by the cost of two clock
  /// readings per instruction.
  public func trace() throws(RuntimeError) -> Trace {
    let count = program.instructions.count
    let times = UnsafeMutablePointer<UInt64>.allocate(capacity: count + 1)
    times.initialize(repeating: 0, count: count + 1)
    defer { times.deallocate() }
    try claimed { () throws(RuntimeError) in
      aloneState.pointee.times = times
      togetherState?.pointee.times = times
      defer {
        aloneState.pointee.times = nil
        togetherState?.pointee.times = nil
      }
      try walk()
    }
    let steps = (0..<count).map { index in
      Trace.Step(
        name: program.origins[index], opcode: program.instructions[index].opcode,
        method: alone.instructions[index].method,
        startNanoseconds: Int(times[index] - times[0]),
        nanoseconds: Int(times[index + 1] - times[index]),
        operationCount: alone.instructions[index].operationCount,
        byteCount: Trace.byteCount(of: program.instructions[index], program.tensors))
    }
    return Trace(threadCount: threadCount, steps: steps)
  }

  /// Calls `body` unless another thread is using the session.
  func claimed<R>(_ body: () throws(RuntimeError) -> R) throws(RuntimeError) -> R {
    guard claim.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else {
      throw RuntimeError(
        .inUse, "another thread is using this session; make one session per thread")
    }
    defer { claim.store(false, ordering: .releasing) }
    return try body()
  }
}
