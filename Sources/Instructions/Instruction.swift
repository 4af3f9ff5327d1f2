import Kernels
import Tensors

/// One step of a program: what the machine does, with every shape known.
///
/// An instruction is a plain value. Its life: made by lowering or read from a model file;
/// `prepare` checks it against the program's tensors and the machine, once; then `execute` runs it
/// any number of times without allocating or locking.
///
/// Sizes come from the tensors; fields hold only what the tensors do not say. That keeps files
/// small and hostile ones harmless: `prepare` must refuse every combination that could make
/// `execute` read or write outside the operands.
public protocol Instruction: Sendable {
  /// The name in files, dumps and traces, e.g. `convolution`. Never changes its meaning.
  static var opcode: String { get }

  /// Makes an instruction without operands, to be filled by `visit`.
  init()

  /// Shows every operand and field to `visitor`, always in the same order. Reading and writing
  /// files, dumps, and the analysis of what is read and written are all visitors.
  mutating func visit(_ visitor: inout some FieldVisitor)

  /// Checks operands and fields, chooses kernels, states scratch needs.
  mutating func prepare(_ preparation: inout Preparation) throws(InstructionError)

  /// Runs the share `context.part` of `context.parts`. Called by all parts at once; all of them
  /// return before the next instruction starts.
  func execute(_ context: borrowing ExecutionContext)

  /// Operations (2 per multiply-add) of one run; 0 for what only moves data. Valid after `prepare`.
  var operationCount: Int { get }

  /// How it runs, for people: kernel and method; empty where there is only one way. Valid after
  /// `prepare`.
  var method: String { get }

  /// The inputs in whose memory an output may lie, where both have one shape, one arrangement and
  /// elements of one size: every element is read for the last time before it is written. Valid
  /// before `prepare`.
  var replacements: [Replacement] { get }
}

/// An input whose memory an output may take over.
public struct Replacement: Sendable {
  package var input: Operand
  package var output: Operand

  package init(_ input: Operand, by output: Operand) {
    self.input = input
    self.output = output
  }
}

extension Instruction {
  public var operationCount: Int { 0 }
  public var method: String { "" }
  public var replacements: [Replacement] { [] }
  package var opcode: String { Self.opcode }
}

/// A visitor of an instruction's operands and fields.
public protocol FieldVisitor {
  /// A tensor that is read. `strided`: the instruction accepts rows that are not dense.
  mutating func input(_ name: StaticString, _ operand: inout Operand, strided: Bool)
  /// A tensor that is written completely. `strided`: may be written with gaps between rows.
  mutating func output(_ name: StaticString, _ operand: inout Operand, strided: Bool)
  /// A tensor of which a part is written, so that what it held before matters.
  mutating func update(_ name: StaticString, _ operand: inout Operand, strided: Bool)
  /// A list of tensors that are read.
  mutating func inputs(_ name: StaticString, _ operands: inout [Operand], strided: Bool)
  mutating func field(_ name: StaticString, _ value: inout Int)
  mutating func field(_ name: StaticString, _ value: inout [Int])
  mutating func field(_ name: StaticString, _ value: inout Float)
  mutating func field(_ name: StaticString, _ value: inout Bool)
  mutating func field<E: RawRepresentable<UInt8>>(_ name: StaticString, _ value: inout E)
}

extension FieldVisitor {
  package mutating func input(_ name: StaticString, _ operand: inout Operand) {
    input(name, &operand, strided: false)
  }
  package mutating func output(_ name: StaticString, _ operand: inout Operand) {
    output(name, &operand, strided: false)
  }
  package mutating func update(_ name: StaticString, _ operand: inout Operand) {
    update(name, &operand, strided: false)
  }
  package mutating func inputs(_ name: StaticString, _ operands: inout [Operand]) {
    inputs(name, &operands, strided: false)
  }
  package mutating func field(_ name: StaticString, _ value: inout Activation) {
    field(name, &value.function)
    field("alpha", &value.alpha)
    field("beta", &value.beta)
  }
}

/// Why an instruction cannot run: fields and tensors that contradict each other.
public struct InstructionError: Error, Sendable, CustomStringConvertible {
  public var opcode: String
  public var message: String

  package init(_ opcode: String, _ message: String) {
    self.opcode = opcode
    self.message = message
  }

  public var description: String { "\(opcode): \(message)" }
}

/// What `Instruction.prepare` may look at and must state.
public struct Preparation {
  /// The program's tensors.
  package let tensors: [TensorSpec]
  /// The kernels that may be used.
  package let isas: Set<ISA>
  /// Whether results must have the same bits on every ISA: so in int8 programs, and in all with
  /// quantised tensors.
  /// Instructions then choose kernels that use no fused multiply-add and one order of summation.
  package let isExact: Bool
  /// How many parts every instruction will be split into.
  package let parts: Int
  /// Whether the instructions were prepared before, for the same tensors, kernels and constants but
  /// another number of parts.
  private let isRepeated: Bool
  /// The scratch memory (bytes, 64-byte aligned, shared by all parts) that the instructions
  /// prepared so far need: the largest request.
  package private(set) var scratchByteCount = 0
  /// The contents of constants, where they are known.
  package let constants: ConstantStore?
  /// What was made of constants, each once.
  private var derived: [ObjectIdentifier: DerivedWeights] = [:]
  private let absence = Absence()

  private final class Absence {
    var isNoted = false
  }

  /// Says whether an operand was looked at that is absent, which makes the program invalid.
  package var sawAbsentOperand: Bool { absence.isNoted }

  package init(
    tensors: [TensorSpec], isas: Set<ISA>, parts: Int, constants: ConstantStore? = nil,
    isExact: Bool = false, isRepeated: Bool = false
  ) {
    self.tensors = tensors
    self.constants = constants
    self.isas = isas
    self.parts = parts
    self.isRepeated = isRepeated
    self.isExact = isExact || tensors.contains { $0.quantization != nil }
  }

  /// What an instruction made before and does not depend on the number of parts; nil where it must
  /// be made.
  func kept<Made>(_ made: Made?) -> Made? { isRepeated ? made : nil }

  /// The tensor of an operand that must be present; ask `isPresent` before for an optional one.
  /// An absent one gives an empty tensor, and the runtime refuses the program afterwards.
  package subscript(operand: Operand) -> TensorSpec {
    let index = Int(operand.index)
    guard tensors.indices.contains(index) else {
      absence.isNoted = true
      return TensorSpec(name: "absent", type: .string, shape: [0])
    }
    return tensors[index]
  }

  /// Asks for scratch memory for the instruction being prepared; its contents do not survive it.
  package mutating func requestScratch(_ byteCount: Int) {
    scratchByteCount = max(scratchByteCount, byteCount)
  }

  /// Counts a form of a constant that an instruction uses.
  mutating func note(_ weights: DerivedWeights) { derived[ObjectIdentifier(weights)] = weights }

  /// The bytes of all forms of constants that the instructions prepared so far use.
  package var derivedByteCount: Int { derived.values.reduce(0) { $0 + $1.byteCount } }

  /// Throws unless `condition` holds.
  package func require(
    _ condition: Bool, _ instruction: any Instruction, _ message: @autoclosure () -> String
  ) throws(InstructionError) {
    if !condition { throw InstructionError(type(of: instruction).opcode, message()) }
  }
}
