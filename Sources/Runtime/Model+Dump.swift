import Instructions
import Tensors

extension Model {
  /// The tensors of a program that stand for real numbers in 8 bits, with what they stand for; each
  /// value once.
  public func quantizedTensors(
    _ index: Int
  ) throws(RuntimeError) -> [(name: String, type: ElementType, quantization: Quantization)] {
    var seen: Set<String> = []
    var result: [(name: String, type: ElementType, quantization: Quantization)] = []
    for tensor in try program(index).tensors {
      guard let quantization = tensor.quantization, seen.insert(tensor.name).inserted else {
        continue
      }
      result.append((tensor.name, tensor.type, quantization))
    }
    return result
  }

  /// A program as text: its tensors and its instructions with operands and fields.
  package func dump(_ index: Int) throws(RuntimeError) -> String {
    let program = try program(index)
    var text = "program \(index): \(programs[index].precision)\n"
    for (number, tensor) in program.tensors.enumerated() {
      let place =
        switch tensor.storage {
        case .unplaced: "unused"
        case .arena(let offset): "arena \(offset)"
        case .constant(let offset): "weights \(offset)"
        case .view(let root, let offset): "view of %\(root.index) + \(offset)"
        }
      let stride = tensor.isDense ? "" : ", row stride \(tensor.rowStride)"
      let scales = tensor.quantization.map { ", \($0)" } ?? ""
      text += "  %\(number) \(tensor.type) \(tensor.shape)\(stride)\(scales), \(place): "
      text += "\(tensor.name)\n"
    }
    for (number, instruction) in program.instructions.enumerated() {
      var printer = FieldPrinter()
      var copy = instruction
      copy.visit(&printer)
      text += "  \(number) \(instruction.opcode) \(printer.parts.joined(separator: " "))"
      text += "  [\(program.origins[number])]\n"
    }
    return text
  }
}

/// Writes operands as `name=%3` and fields as `name=value`.
private struct FieldPrinter: FieldVisitor {
  var parts: [String] = []

  private mutating func add(_ name: StaticString, _ operand: Operand, _ mark: String) {
    if operand.isPresent { parts.append("\(name)\(mark)%\(operand.index)") }
  }

  mutating func input(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(name, operand, "=")
  }
  mutating func output(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(name, operand, ":=")
  }
  mutating func update(_ name: StaticString, _ operand: inout Operand, strided: Bool) {
    add(name, operand, "+=")
  }
  mutating func inputs(_ name: StaticString, _ operands: inout [Operand], strided: Bool) {
    parts.append("\(name)=[\(operands.map { "%\($0.index)" }.joined(separator: ", "))]")
  }
  mutating func field(_ name: StaticString, _ value: inout Int) { parts.append("\(name)=\(value)") }
  mutating func field(_ name: StaticString, _ value: inout [Int]) {
    parts.append("\(name)=\(value)")
  }
  mutating func field(_ name: StaticString, _ value: inout Float) {
    parts.append("\(name)=\(value)")
  }
  mutating func field(_ name: StaticString, _ value: inout Bool) {
    parts.append("\(name)=\(value)")
  }
  mutating func field<E: RawRepresentable<UInt8>>(_ name: StaticString, _ value: inout E) {
    parts.append("\(name)=\(value)")
  }
}
