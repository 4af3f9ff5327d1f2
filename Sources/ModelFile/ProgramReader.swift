import Instructions
import Tensors

/// What the head of a program section says.
public struct ProgramHead: Sendable {
  /// The precision it was compiled for: `fp32`, `bf16` …
  public var precision: String
  /// Operations (2 per multiply-add) of one run of the source graph.
  public var operationCount: Int
  public var arenaByteCount: Int
  /// The bytes of weights that this program uses.
  public var weightByteCount: Int
  public var inputs: [Program.Port]
  public var outputs: [Program.Port]
}

extension ProgramHead {
  /// The head that a variant has in a file.
  package init(_ variant: ModelContents.Variant) {
    self.init(
      precision: variant.precision, operationCount: variant.operationCount,
      arenaByteCount: variant.program.arenaByteCount, weightByteCount: variant.weightByteCount,
      inputs: variant.program.inputs, outputs: variant.program.outputs)
  }
}

/// Reads program sections. Nothing is allocated by a number that the bytes merely claim: counts
/// are compared with the bytes that are left.
struct ProgramReader {
  private var input: ByteReader

  static func head(
    _ bytes: UnsafeRawBufferPointer, section: String
  ) throws(ModelFileError) -> ProgramHead {
    var reader = ProgramReader(input: ByteReader(bytes, section: section))
    return try reader.head()
  }

  static func program(
    _ bytes: UnsafeRawBufferPointer, section: String
  ) throws(ModelFileError) -> Program {
    var reader = ProgramReader(input: ByteReader(bytes, section: section))
    let head = try reader.head()
    var program = Program()
    program.inputs = head.inputs
    program.outputs = head.outputs
    program.arenaByteCount = head.arenaByteCount
    program.isExact = head.precision == "int8"
    program.tensors = try reader.tensors()
    try reader.instructions(into: &program)
    try reader.input.end()
    return program
  }

  private mutating func head() throws(ModelFileError) -> ProgramHead {
    ProgramHead(
      precision: try input.string(), operationCount: try input.size(),
      arenaByteCount: try input.size(), weightByteCount: try input.size(),
      inputs: try ports(), outputs: try ports())
  }

  private mutating func ports() throws(ModelFileError) -> [Program.Port] {
    var ports: [Program.Port] = []
    for _ in 0..<(try input.count(smallest: 4)) {
      ports.append(
        Program.Port(
          name: try input.string(), type: try input.elementType(), shape: try input.shape(),
          operand: try operandIndex()))
    }
    return ports
  }

  private mutating func operandIndex() throws(ModelFileError) -> Operand {
    let value = try input.size()
    guard value < Int(Int32.max) else { throw input.corrupt("there is no tensor \(value)") }
    return Operand(value)
  }

  private mutating func tensors() throws(ModelFileError) -> [TensorSpec] {
    var tensors: [TensorSpec] = []
    let count = try input.count(smallest: 6)
    tensors.reserveCapacity(min(count, 1 << 12))
    for _ in 0..<count {
      let name = try input.string()
      let type = try input.elementType()
      let layoutValue = try input.byte()
      guard let layout = Layout(rawValue: layoutValue & ~FileFormat.quantizedFlag) else {
        throw input.corrupt("there is no layout \(layoutValue)")
      }
      let shape = try input.shape()
      let gap = try input.size()
      guard gap <= FileFormat.largestTensor else {
        throw input.corrupt("a row stride is too large")
      }
      var quantization: Quantization?
      if layoutValue & FileFormat.quantizedFlag != 0 { quantization = try self.quantization(type) }
      tensors.append(
        TensorSpec(
          name: name, type: type, shape: shape, rowStride: (shape.dimensions.last ?? 1) + gap,
          layout: layout, quantization: quantization, storage: try storage()))
    }
    return tensors
  }

  private mutating func quantization(
    _ type: ElementType
  ) throws(ModelFileError) -> Quantization {
    let axis = try input.size()
    let count = try input.count(smallest: 5)
    let result = Quantization(
      scales: try input.floats(count), zeroPoints: try input.integers(count), axis: axis)
    guard count > 0, axis <= FileFormat.largestRank, result.fits(type, count: count) else {
      throw input.corrupt("a quantisation of \(type) makes no sense")
    }
    return result
  }

  private mutating func storage() throws(ModelFileError) -> TensorSpec.Storage {
    let kind = try input.byte()
    switch kind {
    case 0: return .unplaced
    case 1: return .arena(offset: try input.size())
    case 2: return .constant(offset: try input.size())
    case 3: return .view(of: try operandIndex(), byteOffset: try input.size())
    default: throw input.corrupt("there is no kind of memory \(kind)")
    }
  }

  /// The fields of one opcode, as the release that wrote the file knew them.
  private struct Form {
    var type: any Instruction.Type
    var fields: [(kind: UInt8, name: String)]
  }

  private mutating func instructions(into program: inout Program) throws(ModelFileError) {
    var names: [String] = []
    for _ in 0..<(try input.count()) { names.append(try input.string()) }
    var forms: [Form] = []
    for _ in 0..<(try input.count(smallest: 2)) { forms.append(try form()) }
    let count = try input.count(smallest: 2)
    program.instructions.reserveCapacity(min(count, 1 << 12))
    program.origins.reserveCapacity(min(count, 1 << 12))
    for _ in 0..<count {
      let kind = try input.size()
      guard forms.indices.contains(kind) else { throw input.corrupt("there is no opcode \(kind)") }
      let name = try input.size()
      guard names.indices.contains(name) else { throw input.corrupt("there is no origin \(name)") }
      program.instructions.append(
        try instruction(forms[kind], tensorCount: program.tensors.count))
      program.origins.append(names[name])
    }
  }

  private mutating func form() throws(ModelFileError) -> Form {
    let opcode = try input.string()
    guard let type = InstructionCatalog.type(opcode: opcode) else {
      throw ModelFileError(
        .newerVersion,
        "the instruction \"\(opcode)\" is not known to this release; use a newer one, or compile "
          + "the model again")
    }
    var fields: [(kind: UInt8, name: String)] = []
    for _ in 0..<(try input.count(smallest: 2)) {
      fields.append((try input.byte(), try input.string()))
    }
    return Form(type: type, fields: fields)
  }

  private mutating func instruction(
    _ form: Form, tensorCount: Int
  ) throws(ModelFileError) -> any Instruction {
    var instruction = form.type.init()
    var visitor = FieldReader(input: input, fields: form.fields, tensorCount: tensorCount)
    instruction.visit(&visitor)
    if let error = visitor.error { throw error }
    guard visitor.next == form.fields.count else {
      throw ModelFileError(
        .newerVersion,
        "the instruction \"\(form.type.opcode)\" has a field "
          + "\"\(form.fields[visitor.next].name)\" that this release does not know; use a newer "
          + "one, or compile the model again")
    }
    input = visitor.input
    return instruction
  }
}

/// Fills the fields of an instruction. A field that the file's form does not have keeps its
/// default: that is how instructions gain fields and old files still load.
private struct FieldReader: FieldVisitor {
  var input: ByteReader
  let fields: [(kind: UInt8, name: String)]
  let tensorCount: Int
  var next = 0
  var error: ModelFileError?

  private mutating func read<T>(
    _ kind: FieldKind, _ name: StaticString, _ value: inout T,
    _ body: (inout ByteReader) throws(ModelFileError) -> T
  ) {
    guard error == nil, next < fields.count, matches(fields[next].name, name) else { return }
    guard fields[next].kind == kind.rawValue else {
      error = input.corrupt("the field \"\(name)\" has another kind")
      return
    }
    next += 1
    do throws(ModelFileError) {
      value = try body(&input)
    } catch {
      self.error = error
    }
  }

  private func matches(_ text: String, _ name: StaticString) -> Bool {
    name.withUTF8Buffer { expected in text.utf8.elementsEqual(expected) }
  }

  private static func operand(
    _ input: inout ByteReader, _ tensorCount: Int
  ) throws(ModelFileError) -> Operand {
    let value = try input.size()
    guard value <= tensorCount else { throw input.corrupt("there is no tensor \(value - 1)") }
    return Operand(value - 1)
  }

  private static func integer(_ input: inout ByteReader) throws(ModelFileError) -> Int {
    let value = try input.signed()
    guard FileFormat.integers.contains(value) else { throw input.corrupt("\(value) is too large") }
    return value
  }

  private mutating func read(_ name: StaticString, _ operand: inout Operand) {
    let count = tensorCount
    read(.operand, name, &operand) { reader throws(ModelFileError) in
      try FieldReader.operand(&reader, count)
    }
  }

  mutating func input(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    read(name, &operand)
  }
  mutating func output(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    read(name, &operand)
  }
  mutating func update(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    read(name, &operand)
  }
  mutating func inputs(_ name: StaticString, _ operands: inout [Operand], strided: Bool) {
    let count = tensorCount
    read(.operands, name, &operands) { reader throws(ModelFileError) in
      var list: [Operand] = []
      for _ in 0..<(try reader.count()) { list.append(try FieldReader.operand(&reader, count)) }
      return list
    }
  }
  mutating func field(_ name: StaticString, _ value: inout Int) {
    read(.integer, name, &value) { reader throws(ModelFileError) in
      try FieldReader.integer(&reader)
    }
  }
  mutating func field(_ name: StaticString, _ value: inout [Int]) {
    read(.integers, name, &value) { reader throws(ModelFileError) in
      var list: [Int] = []
      for _ in 0..<(try reader.count()) { list.append(try FieldReader.integer(&reader)) }
      return list
    }
  }
  mutating func field(_ name: StaticString, _ value: inout Float) {
    read(.float, name, &value) { reader throws(ModelFileError) in try reader.float() }
  }
  mutating func field(_ name: StaticString, _ value: inout Bool) {
    read(.bool, name, &value) { reader throws(ModelFileError) in try reader.bool() }
  }
  mutating func field<E: RawRepresentable<UInt8>>(_ name: StaticString, _ value: inout E) {
    read(.choice, name, &value) { reader throws(ModelFileError) in
      let raw = try reader.byte()
      guard let choice = E(rawValue: raw) else {
        throw reader.corrupt("\(raw) is no value of the field \"\(name)\"")
      }
      return choice
    }
  }
}
