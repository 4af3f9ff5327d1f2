import Instructions
import Tensors

/// The kinds of an instruction's fields, as files name them.
enum FieldKind: UInt8 {
  case operand = 1
  case operands = 2
  case integer = 3
  case integers = 4
  case float = 5
  case bool = 6
  case choice = 7
}

/// Writes a program: a head that can be read on its own, the tensor table, the form of each
/// opcode's fields, and the instructions.
struct ProgramWriter {
  private var out = ByteWriter()

  /// Returns the contents of a program section.
  ///
  /// - Throws: `ModelFileError` for fields that the format has no room for.
  static func bytes(of variant: ModelContents.Variant) throws(ModelFileError) -> [UInt8] {
    var writer = ProgramWriter()
    writer.head(variant)
    try writer.tensors(variant.program)
    try writer.instructions(variant.program)
    return writer.out.bytes
  }

  private mutating func head(_ variant: ModelContents.Variant) {
    let program = variant.program
    out.string(variant.precision)
    out.count(variant.operationCount)
    out.count(program.arenaByteCount)
    out.count(variant.weightByteCount)
    for ports in [program.inputs, program.outputs] {
      out.count(ports.count)
      for port in ports {
        out.string(port.name)
        out.byte(port.type.rawValue)
        out.count(port.shape.rank)
        for extent in port.shape.dimensions { out.count(extent) }
        out.count(Int(port.operand.index))
      }
    }
  }

  private mutating func tensors(_ program: Program) throws(ModelFileError) {
    out.count(program.tensors.count)
    for spec in program.tensors {
      guard spec.rowStride >= spec.rowLength else {
        throw ModelFileError(
          .invalidContents, "\"\(spec.name)\" has rows that overlap: stride \(spec.rowStride)")
      }
      out.string(spec.name)
      out.byte(spec.type.rawValue)
      out.byte(spec.layout.rawValue | (spec.quantization == nil ? 0 : FileFormat.quantizedFlag))
      out.count(spec.shape.rank)
      for extent in spec.shape.dimensions { out.count(extent) }
      out.count(spec.rowStride - spec.rowLength)
      if let quantization = spec.quantization { write(quantization) }
      switch spec.storage {
      case .unplaced:
        out.byte(0)
      case .arena(let offset):
        out.byte(1)
        out.count(offset)
      case .constant(let offset):
        out.byte(2)
        out.count(offset)
      case .view(let owner, let offset):
        out.byte(3)
        out.count(Int(owner.index))
        out.count(offset)
      }
    }
  }

  private mutating func write(_ quantization: Quantization) {
    out.count(quantization.axis)
    out.count(quantization.scales.count)
    for scale in quantization.scales { out.float(scale) }
    for zeroPoint in quantization.zeroPoints { out.signed(Int(zeroPoint)) }
  }

  private mutating func instructions(_ program: Program) throws(ModelFileError) {
    var forms: [String: Int] = [:]
    var kinds: [any Instruction] = []
    var origins: [String: Int] = [:]
    var names: [String] = []
    for (instruction, origin) in zip(program.instructions, program.origins) {
      if forms[instruction.opcode] == nil {
        forms[instruction.opcode] = kinds.count
        kinds.append(instruction)
      }
      if origins[origin] == nil {
        origins[origin] = names.count
        names.append(origin)
      }
    }
    out.count(names.count)
    for name in names { out.string(name) }
    out.count(kinds.count)
    for instruction in kinds {
      var form = FormWriter()
      var copy = instruction
      copy.visit(&form)
      out.string(instruction.opcode)
      out.count(form.count)
      out.raw(form.out.bytes)
    }
    out.count(program.instructions.count)
    for (instruction, origin) in zip(program.instructions, program.origins) {
      out.count(forms[instruction.opcode] ?? 0)
      out.count(origins[origin] ?? 0)
      var fields = FieldWriter(out: out)
      var copy = instruction
      copy.visit(&fields)
      if let value = fields.tooLarge {
        throw ModelFileError(
          .invalidContents,
          "the field \(value) of a \(instruction.opcode) of \"\(origin)\" is too large")
      }
      out = fields.out
    }
  }
}

/// Writes the kinds and names of an instruction's fields.
private struct FormWriter: FieldVisitor {
  var out = ByteWriter()
  var count = 0

  private mutating func add(_ kind: FieldKind, _ name: StaticString) {
    out.byte(kind.rawValue)
    out.string(name)
    count += 1
  }

  mutating func input(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(.operand, name)
  }
  mutating func output(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(.operand, name)
  }
  mutating func update(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(.operand, name)
  }
  mutating func inputs(_ name: StaticString, _ operands: inout [Operand], strided: Bool) {
    add(.operands, name)
  }
  mutating func field(_ name: StaticString, _ value: inout Int) { add(.integer, name) }
  mutating func field(_ name: StaticString, _ value: inout [Int]) { add(.integers, name) }
  mutating func field(_ name: StaticString, _ value: inout Float) { add(.float, name) }
  mutating func field(_ name: StaticString, _ value: inout Bool) { add(.bool, name) }
  mutating func field<E: RawRepresentable<UInt8>>(_ name: StaticString, _ value: inout E) {
    add(.choice, name)
  }
}

/// Writes the values of an instruction's fields.
private struct FieldWriter: FieldVisitor {
  var out: ByteWriter
  /// A number outside `FileFormat.integers`.
  var tooLarge: Int?

  private mutating func add(_ value: Int) {
    if !FileFormat.integers.contains(value) { tooLarge = value }
    out.signed(value)
  }

  /// Absent is 0, the first tensor 1.
  private mutating func add(_ operand: Operand) { out.count(max(Int(operand.index), -1) + 1) }

  mutating func input(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(operand)
  }
  mutating func output(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(operand)
  }
  mutating func update(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(operand)
  }
  mutating func inputs(_ name: StaticString, _ operands: inout [Operand], strided: Bool) {
    out.count(operands.count)
    for operand in operands { add(operand) }
  }
  mutating func field(_ name: StaticString, _ value: inout Int) { add(value) }
  mutating func field(_ name: StaticString, _ value: inout [Int]) {
    out.count(value.count)
    for item in value { add(item) }
  }
  mutating func field(_ name: StaticString, _ value: inout Float) { out.float(value) }
  mutating func field(_ name: StaticString, _ value: inout Bool) { out.byte(value ? 1 : 0) }
  mutating func field<E: RawRepresentable<UInt8>>(_ name: StaticString, _ value: inout E) {
    out.byte(value.rawValue)
  }
}
