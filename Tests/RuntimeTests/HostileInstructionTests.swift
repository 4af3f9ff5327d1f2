import CTestSupport
import Glibc
import Instructions
import Tensors
import Testing

@testable import Runtime

/// Every instruction must refuse the fields and tensors that would make it reach outside its
/// operands: files are hostile. Each opcode is tried in a process of its own, which must survive.
@Suite struct HostileInstructionTests {
  @Test func `no fields and tensors make an instruction crash`() {
    var neverAccepted: [String] = []
    for type in InstructionCatalog.all {
      let status = status(of: type)
      if status == 3 << 8 {
        neverAccepted.append(type.opcode)
      } else {
        #expect(status == 0, "\(type.opcode)")
      }
    }
    // Chance must hit on things that are right, too, or nothing is executed. Instructions whose
    // tensors must agree in many ways are never hit; their own tests try them.
    #expect(neverAccepted.count * 2 < InstructionCatalog.all.count, "\(neverAccepted)")
  }

  /// Tries an opcode in a process of its own; returns how that ended, as `waitpid` says it.
  ///
  /// The child has the locks that other tests held when it was made, among them that of the test
  /// library's record of thrown errors, and may wait for them for ever. So one that an alarm ended
  /// is tried again: an instruction that hangs by itself hangs every time.
  private func status(of type: any Instruction.Type) -> Int32 {
    var status: Int32 = 0
    for _ in 1...3 {
      let child = ts_fork()
      if child == 0 {
        // Threads of a pool have signals blocked, and a child keeps that.
        var alarms = sigset_t()
        sigemptyset(&alarms)
        sigaddset(&alarms, SIGALRM)
        sigprocmask(SIG_UNBLOCK, &alarms, nil)
        alarm(30)
        _exit(HostileProgram.tryMany(type) > 0 ? 0 : 3)
      }
      waitpid(child, &status, 0)
      guard status & 0x7f == SIGALRM else { break }
    }
    return status
  }
}

/// Tensors of all kinds, small.
enum HostileProgram {
  static let constants = [
    Operand(0): TensorBuffer([3, 16], [Float](repeating: 1, count: 48)),
    Operand(1): TensorBuffer([4]),
  ]

  /// Returns how many of the programs were accepted and run.
  static func tryMany(_ type: any Instruction.Type) -> Int {
    var accepted = 0
    var random = SplitMix(type.opcode.utf8.reduce(1) { $0 &* 31 &+ UInt64($1) })
    for round in 0..<6000 {
      var program = make(&random)
      var instruction = type.init()
      var scribbler = Scribbler(
        random: random, tensorCount: program.tensors.count, boldness: round % 5)
      instruction.visit(&scribbler)
      random = scribbler.random
      program.instructions = [instruction]
      program.origins = ["hostile"]
      do throws(RuntimeError) {
        let weights = try Weights(constants, of: &program)
        let session = try Session(program, weights: weights, options: .init(threads: 1))
        try session.run()
        accepted += 1
      } catch {
        // Refusing is right; only crashing is wrong.
      }
    }
    return accepted
  }

  static func make(_ random: inout SplitMix) -> Program {
    let types: [ElementType] = [
      .float32, .float32, .float32, .bfloat16, .int64, .int32, .uint8, .bool, .float16, .string,
      .int4, .complex128, .int8, .uint8,
    ]
    var program = Program()
    program.tensors = [
      TensorSpec(name: "w", type: .float32, shape: [3, 16], storage: .constant(offset: 0)),
      TensorSpec(name: "i", type: .int64, shape: [1], storage: .constant(offset: 0)),
    ]
    // A third of the programs are of one type and one rank, another third of one shape and of
    // float32 and uint8, so that more of them are accepted.
    let common = types[random.below(4)]
    let rank = random.below(6)
    let kind = random.below(3)
    let isUniform = kind == 1
    func randomExtents(_ rank: Int) -> [Int] {
      (0..<rank).map { _ in [0, 1, 1, 2, 3, 4, 16][random.below(7)] }
    }
    let shared = randomExtents(rank)
    var offset = 0
    for index in 0..<6 {
      let extents = kind == 2 ? shared : randomExtents(isUniform ? rank : random.below(6))
      let free = kind == 2 ? [.float32, .uint8] : types
      let type = isUniform ? common : free[random.below(free.count)]
      var spec = TensorSpec(
        name: "t\(index)", type: type, shape: Shape(extents), storage: .arena(offset: offset))
      if random.below(8) == 0 { spec.rowStride += random.below(5) }
      if random.below(3) == 0 { spec.layout = .channelsLast }
      if type == .uint8 || type == .int8 && random.below(4) > 0 {
        let count = random.below(3) == 0 ? spec.rowLength : 1
        spec.quantization = Quantization(
          scales: (0..<count).map { _ in [1, 0.25, 1e-38, 1e38][random.below(4)] },
          zeroPoints: (0..<count).map { _ in type == .int8 ? 0 : Int32(random.below(256)) },
          axis: 0)
      }
      offset += (spec.byteCount + 63) & ~63
      program.tensors.append(spec)
    }
    program.arenaByteCount = offset + 64
    return program
  }
}

/// Fills fields with numbers that ought to be refused, and some that ought not.
struct Scribbler: FieldVisitor {
  var random: SplitMix
  let tensorCount: Int
  /// 0: small numbers; higher: more and larger ones.
  let boldness: Int

  private mutating func operand() -> Operand {
    Operand(random.below(12) == 0 ? -1 : random.below(tensorCount))
  }

  private mutating func integer() -> Int {
    let bold = [-1 << 48, 1 << 48, 1 << 47, 1 << 32, 1 << 31, -1 << 31, 1 << 20, -100, 1000]
    if random.below(6) < boldness - 1 { return bold[random.below(bold.count)] }
    return random.below(7) - (boldness > 0 ? 2 : 0)
  }

  mutating func input(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    operand = self.operand()
  }
  mutating func output(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    operand = self.operand()
  }
  mutating func update(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    operand = self.operand()
  }
  mutating func inputs(_ name: StaticString, _ operands: inout [Operand], strided: Bool) {
    operands = []
    for _ in 0..<random.below(5) { operands.append(operand()) }
  }
  mutating func field(_ name: StaticString, _ value: inout Int) { value = integer() }
  mutating func field(_ name: StaticString, _ value: inout [Int]) {
    value = []
    for _ in 0..<random.below(7) { value.append(integer()) }
  }
  mutating func field(_ name: StaticString, _ value: inout Float) {
    value = [0, 1, -1, .nan, .infinity, -.infinity, 1e38, 0.5][random.below(8)]
  }
  mutating func field(_ name: StaticString, _ value: inout Bool) { value = random.below(2) == 0 }
  mutating func field<E: RawRepresentable<UInt8>>(_ name: StaticString, _ value: inout E) {
    for _ in 0..<8 {
      if let choice = E(rawValue: UInt8(random.below(48))) {
        value = choice
        return
      }
    }
  }
}
