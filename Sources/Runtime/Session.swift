internal import CLinux
import Glibc
import Instructions
import Kernels
import ModelFile
import Planner
import Synchronization
import Tensors

/// One running instance of a program: it owns the arena and shares the weights.
///
/// Make one per stream. Everything is allocated by `init`; `run()` allocates nothing and takes no
/// lock. A session may be handed from thread to thread, but is used by one at a time: a second
/// thread that calls it meanwhile gets an error (`inUse`) and changes nothing.
///
/// Sendable because everything that changes is touched only while `claim` is held.
public final class Session: @unchecked Sendable {
  /// How a session uses the machine.
  public struct Options: Sendable {
    /// The threads of a run, the caller's own among them; nil: as many as the process may use.
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
    /// Intermediate results.
    public var arenaByteCount: Int
    /// Working space inside instructions.
    public var scratchByteCount: Int
    /// Inputs and outputs.
    public var ioByteCount: Int
  }

  let program: Program
  let weights: Weights
  private let prepared: PreparedProgram
  private let arena: MemoryBlock
  private let scratch: MemoryBlock
  private let table: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let state: UnsafeMutablePointer<RunState>
  private let roots: ViewRoots
  private let claim = Atomic<Bool>(false)
  public let memory: Memory

  /// Makes a session of a planned program.
  ///
  /// - Throws: `RuntimeError` for a program that contradicts itself, or for lack of memory.
  package init(
    _ program: Program, weights: Weights, options: Options = Options()
  ) throws(RuntimeError) {
    self.program = program
    self.weights = weights
    roots = try ProgramCheck.check(program, weightByteCount: weights.byteCount)
    prepared = try PreparedProgram(program, isas: options.isas, parts: 1)
    arena = try MemoryBlock(byteCount: program.arenaByteCount, purpose: "the arena")
    scratch = try MemoryBlock(
      byteCount: prepared.scratchByteCount, purpose: "the scratch memory")
    let io = (program.inputs + program.outputs).reduce(0) {
      $0 + program.tensors[Int($1.operand.index)].byteCount
    }
    memory = Memory(
      weightByteCount: weights.byteCount, arenaByteCount: max(program.arenaByteCount - io, 0),
      scratchByteCount: prepared.scratchByteCount, ioByteCount: io)
    table = .allocate(capacity: max(program.tensors.count, 1))
    table.initialize(repeating: nil, count: max(program.tensors.count, 1))
    state = .allocate(capacity: 1)
    state.initialize(
      to: RunState(prepared, tensors: table, scratch: scratch.base))
    for index in program.tensors.indices { table[index] = home(of: index) }
  }

  deinit {
    table.deallocate()
    state.deinitialize(count: 1)
    state.deallocate()
  }

  /// Where a tensor lies in the session's own memory or the weights; nil for one without a place.
  private func home(of index: Int) -> UnsafeMutableRawPointer? {
    let offset = roots.byteOffset[index]
    switch program.tensors[Int(roots.root[index])].storage {
    case .arena(let start): return arena.base + start + offset
    case .constant(let start):
      return UnsafeMutableRawPointer(mutating: weights.base) + start + offset
    case .unplaced, .view: return nil
    }
  }

  // MARK: Ports

  /// The inputs, in the source model's order.
  public var inputs: [Program.Port] { program.inputs }
  /// The outputs, in the source model's order.
  public var outputs: [Program.Port] { program.outputs }

  /// Copies a tensor into an input.
  ///
  /// - Throws: `RuntimeError` for another type or shape, naming both.
  public func setInput(_ index: Int, _ tensor: TensorBuffer) throws(RuntimeError) {
    try claimed { () throws(RuntimeError) in
      let port = try self.port(index, of: program.inputs, "input")
      guard port.type == tensor.type, port.shape == tensor.shape else {
        throw RuntimeError(
          .wrongTensor,
          "it is \(port.type) \(port.shape), the given tensor \(tensor.type) \(tensor.shape)",
          place: "input \"\(port.name)\"")
      }
      tensor.withBytes { bytes in
        guard let source = bytes.baseAddress, let target = table[Int(port.operand.index)] else {
          return
        }
        target.copyMemory(from: source, byteCount: bytes.count)
      }
    }
  }

  /// The bytes of an input, to be filled in place; valid inside `body` only.
  public func withInput<R>(
    _ index: Int, _ body: (UnsafeMutableRawBufferPointer) -> R
  ) throws(RuntimeError) -> R {
    try claimed { () throws(RuntimeError) in
      body(bytes(of: try port(index, of: program.inputs, "input").operand))
    }
  }

  /// The bytes of an output after a run, not copied; valid inside `body` only.
  public func withOutput<R>(
    _ index: Int, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(RuntimeError) -> R {
    try claimed { () throws(RuntimeError) in
      body(
        UnsafeRawBufferPointer(bytes(of: try port(index, of: program.outputs, "output").operand)))
    }
  }

  /// A copy of an output after a run.
  public func output(_ index: Int) throws(RuntimeError) -> TensorBuffer {
    try claimed { () throws(RuntimeError) in
      copy(of: try port(index, of: program.outputs, "output").operand)
    }
  }

  /// A dense copy of any tensor, as it lies in memory now. After a run it holds what the last
  /// instruction that used its memory left there; plan with `keepingAll` to see all results.
  package func contents(of operand: Operand) throws(RuntimeError) -> TensorBuffer {
    try claimed { () throws(RuntimeError) in copy(of: operand) }
  }

  private func bytes(of operand: Operand) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(
      start: table[Int(operand.index)], count: program.tensors[Int(operand.index)].byteCount)
  }

  private func copy(of operand: Operand) -> TensorBuffer {
    let spec = program.tensors[Int(operand.index)]
    let result = TensorBuffer(zeros: spec.type, spec.shape)
    guard let source = table[Int(operand.index)], spec.shape.elementCount > 0 else { return result }
    let rowByteCount = spec.type.byteCount(of: spec.rowLength) ?? 0
    let step = spec.type.byteCount(of: spec.rowStride) ?? 0
    result.withMutableBytes { target in
      guard let start = target.baseAddress else { return }
      if spec.isDense {
        start.copyMemory(from: source, byteCount: target.count)
      } else {
        for row in 0..<spec.rowCount {
          (start + row * rowByteCount).copyMemory(
            from: source + row * step, byteCount: rowByteCount)
        }
      }
    }
    return result
  }

  private func port(
    _ index: Int, of ports: [Program.Port], _ kind: String
  ) throws(RuntimeError) -> Program.Port {
    guard ports.indices.contains(index) else {
      throw RuntimeError(.unknownPort, "there is no \(kind) \(index); there are \(ports.count)")
    }
    return ports[index]
  }

  // MARK: Running

  /// Runs the program on what the inputs hold; the outputs hold the results afterwards.
  ///
  /// Allocates nothing and takes no lock.
  /// - Throws: `RuntimeError` where the data made an instruction impossible, naming it.
  public func run() throws(RuntimeError) {
    try claimed { () throws(RuntimeError) in
      state.pointee.reset()
      RunState.walk(state, part: 0)
      if state.pointee.fault.pointee != 0 { throw fault() }
    }
  }

  /// Runs the program on copies of `tensors`, in the order of the inputs; returns copies of the
  /// outputs.
  public func run(_ tensors: [TensorBuffer]) throws(RuntimeError) -> [TensorBuffer] {
    guard tensors.count == program.inputs.count else {
      throw RuntimeError(
        .wrongTensor, "\(tensors.count) tensors for \(program.inputs.count) inputs")
    }
    for (index, tensor) in tensors.enumerated() { try setInput(index, tensor) }
    try run()
    var results: [TensorBuffer] = []
    for index in program.outputs.indices { results.append(try output(index)) }
    return results
  }

  private func fault() -> RuntimeError {
    let index = Int(state.pointee.stop.pointee)
    let reason =
      switch ExecutionContext.Fault(rawValue: state.pointee.fault.pointee) {
      case .indexOutOfRange: "an index is out of range"
      case .divisionByZero: "an integer is divided by zero"
      case nil: "fault \(state.pointee.fault.pointee)"
      }
    guard program.instructions.indices.contains(index) else {
      return RuntimeError(.fault, reason)
    }
    return RuntimeError(
      .fault, "\(program.instructions[index].opcode): \(reason) with these inputs",
      place: "node \"\(program.origins[index])\"")
  }

  private func claimed<R>(_ body: () throws(RuntimeError) -> R) throws(RuntimeError) -> R {
    guard claim.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else {
      throw RuntimeError(
        .inUse, "another thread is using this session; make one session per thread")
    }
    defer { claim.store(false, ordering: .releasing) }
    return try body()
  }
}
