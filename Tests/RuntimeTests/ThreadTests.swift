import CTestSupport
import Glibc
import Instructions
import Planner
import Tensors
import Testing

@testable import Runtime

@Suite struct ThreadTests {
  @Test(arguments: [2, 3, 5, 16]) func `any number of threads gives the same bits`(threads: Int)
    throws
  {
    let program = Samples.chain(length: 12, rows: 64)
    let x = Samples.ramp(64)
    let expected = try Evaluation.run(program, constants: [:], inputs: [x])[0].floats()
    let session = try Evaluation.session(program, constants: [:], threads: threads)
    #expect(session.threadCount == threads)
    #expect(WorkerPool.workerCount >= threads - 1)
    for _ in 0..<200 {
      #expect(try session.run([x])[0].floats() == expected)
    }
  }

  @Test func `parts see each other's work after synchronising`() throws {
    let program = Samples.exchange(rows: 97)
    let x = Samples.ramp(97)
    let expected = try Evaluation.run(program, constants: [:], inputs: [x])[0].floats()
    for threads in 2...4 {
      let session = try Evaluation.session(program, constants: [:], threads: threads)
      for _ in 0..<100 { #expect(try session.run([x])[0].floats() == expected) }
    }
  }

  @Test func `sessions that run at the same time share the pool`() async throws {
    let program = Samples.chain(length: 8, rows: 32)
    let x = Samples.ramp(32)
    let expected = try Evaluation.run(program, constants: [:], inputs: [x])[0].floats()
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 {
        group.addTask {
          let session = try Evaluation.session(program, constants: [:], threads: 3)
          for _ in 0..<300 where try session.run([x])[0].floats() != expected { return false }
          return true
        }
      }
      for try await same in group { #expect(same) }
    }
  }

  @Test func `a session that is in use says so`() throws {
    let (program, constants) = Samples.transposeAndJoin()
    let session = try Evaluation.session(program, constants: constants)
    let error: RuntimeError? = try session.withInput(0) { _ in
      do throws(RuntimeError) {
        try session.run()
        return nil
      } catch {
        return error
      }
    }
    #expect(error?.code == .inUse)
  }

  @Test func `faults name the node, whichever part sees them`() throws {
    for threads in 1...3 {
      var program = Samples.chain(length: 4, rows: 8)
      program.instructions[2] = Fussy(Operand(2), Operand(3))
      let session = try Evaluation.session(program, constants: [:], threads: threads)
      let error = #expect(throws: RuntimeError.self) { try session.run([Samples.ramp(8)]) }
      #expect(error?.code == .fault)
      #expect(error?.place == "node \"node 2\"")
      #expect(error?.message.contains("fussy") == true)
      // The next run starts afresh.
      _ = try session.run([TensorBuffer([8, 8], [Float](repeating: 0, count: 64))])
    }
  }

  @Test func `too many threads are refused with the numbers`() throws {
    let error = #expect(throws: RuntimeError.self) {
      try Evaluation.session(Samples.chain(length: 2, rows: 2), constants: [:], threads: 1000)
    }
    #expect(error?.code == .outOfThreads)
    #expect(error?.message.contains("1000") == true)
  }

  @Test func `a run allocates nothing`() async {
    await #expect(processExitsWith: .exitCode(0)) {
      for threads in 1...3 {
        let session = try Evaluation.session(
          Samples.chain(length: 12, rows: 64), constants: [:], threads: threads)
        try session.run()
        ts_start_counting_allocations()
        for _ in 0..<100 { try session.run() }
        let count = ts_stop_counting_allocations()
        if count != 0 { exit(Int32(min(count, 100))) }
      }
      // The counter counts: the C library allocates what an open folder needs.
      ts_start_counting_allocations()
      let folder = opendir("/")
      if ts_stop_counting_allocations() == 0 { exit(101) }
      if let folder { closedir(folder) }
    }
  }

  @Test func `workers sleep between runs`() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let session = try Evaluation.session(
        Samples.chain(length: 12, rows: 64), constants: [:], threads: 4)
      for _ in 0..<20 { try session.run() }
      usleep(20_000)
      let before = processorMicroseconds()
      usleep(400_000)
      if processorMicroseconds() - before > 20_000 { exit(1) }
    }
  }

  @Test func `a child of a fork gets workers of its own`() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let program = Samples.chain(length: 6, rows: 16)
      let x = Samples.ramp(16)
      let session = try Evaluation.session(program, constants: [:], threads: 3)
      let expected = try session.run([x])[0].floats()
      let child = ts_fork()
      if child == 0 {
        guard WorkerPool.workerCount == 0 else { _exit(2) }
        guard try session.run([x])[0].floats() == expected else { _exit(3) }
        guard WorkerPool.workerCount == 2 else { _exit(4) }
        _exit(0)
      }
      var status: Int32 = 0
      waitpid(child, &status, 0)
      guard status == 0 else { exit(1 + (status >> 8)) }
      guard try session.run([x])[0].floats() == expected else { exit(6) }
    }
  }
}

/// The processor time of this process so far.
func processorMicroseconds() -> Int {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  func microseconds(_ time: timeval) -> Int { time.tv_sec * 1_000_000 + time.tv_usec }
  return microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
}

extension Samples {
  static func ramp(_ rows: Int) -> TensorBuffer {
    TensorBuffer([rows, rows], (0..<rows * rows).map { Float($0 % 1001) - 500 })
  }

  /// `length` transposing copies of a square, one after the other.
  static func chain(length: Int, rows: Int) -> Program {
    var program = Program()
    program.tensors = (0...length).map {
      TensorSpec(name: "t\($0)", type: .float32, shape: [rows, rows])
    }
    for index in 0..<length {
      program.instructions.append(
        Copy(
          Operand(index), to: Operand(index + 1), extents: [rows, rows],
          sourceStrides: [1, rows], targetStrides: [rows, 1]))
      program.origins.append("node \(index)")
    }
    program.inputs = [
      .init(name: "x", type: .float32, shape: [rows, rows], operand: Operand(0))
    ]
    program.outputs = [
      .init(name: "y", type: .float32, shape: [rows, rows], operand: Operand(length))
    ]
    return program
  }

  /// A chain of instructions whose parts use each other's halves through scratch memory.
  static func exchange(rows: Int) -> Program {
    var program = chain(length: 6, rows: rows)
    for index in program.instructions.indices {
      program.instructions[index] = ColumnSums(Operand(index), Operand(index + 1))
    }
    return program
  }
}

/// y[i, j] = x[i, j] / 2 + Σₖ x[k, j]; the parts sum rows of their own, and meet in scratch memory.
struct ColumnSums: Instruction {
  static let opcode = "test_column_sums"
  var x = Operand.none
  var y = Operand.none
  private var rows = 0

  init() {}
  init(_ x: Operand, _ y: Operand) {
    self.x = x
    self.y = y
  }

  mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &x, strided: false)
    visitor.output("y", &y, strided: false)
  }

  mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    rows = preparation[x].rowCount
    preparation.requestScratch(rows * 4)
  }

  func execute(_ context: borrowing ExecutionContext) {
    let x = context.pointer(x, as: Float.self)
    let y = context.pointer(y, as: Float.self)
    let sums = context.scratch.assumingMemoryBound(to: Float.self)
    for column in context.share(of: rows) {
      sums[column] = 0
      for row in 0..<rows { sums[column] += x[row * rows + column] }
    }
    context.synchronize()
    for row in context.share(of: rows) {
      for column in 0..<rows {
        y[row * rows + column] = x[row * rows + column] / 2 + sums[column] / 1024
      }
    }
  }
}

/// Copies; fails for numbers below -490.
struct Fussy: Instruction {
  static let opcode = "test_fussy"
  var x = Operand.none
  var y = Operand.none
  private var count = 0

  init() {}
  init(_ x: Operand, _ y: Operand) {
    self.x = x
    self.y = y
  }

  mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &x, strided: false)
    visitor.output("y", &y, strided: false)
  }

  mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    count = preparation[x].shape.elementCount
  }

  func execute(_ context: borrowing ExecutionContext) {
    for index in context.share(of: count) {
      let value = context.pointer(x, as: Float.self)[index]
      if value < -490 { context.fail(.indexOutOfRange) }
      context.pointer(y, as: Float.self)[index] = value
    }
  }
}
