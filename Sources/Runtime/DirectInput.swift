import Instructions
import Kernels
import Planner
import Tensors

/// What a program makes of an input before anything else: the same numbers as another element type
/// or in another order. A caller that can write them so saves the program that step.
public struct DirectInput: Sendable {
  /// The element type in memory: uint8 with `quantization`, bfloat16, or the input's own.
  public let type: ElementType
  /// The extents in memory order; dense, row-major.
  public let shape: Shape
  /// The axes of the declared input in memory order: [0, 2, 3, 1] where channels come last.
  public let axes: [Int]
  /// What uint8 elements stand for.
  public let quantization: Quantization?
  let operand: Operand
  private let layout: Layout
  private let isas: Set<ISA>
  private let isQuantizing: Bool

  /// Describes what `instruction` writes; nil for one that is no conversion of a whole tensor.
  init?(_ instruction: any Instruction, _ tensors: [TensorSpec], isas: Set<ISA>) {
    let source: Operand
    if let quantize = instruction as? QuantizeToUInt8 {
      (source, operand, isQuantizing) = (quantize.input, quantize.output, true)
    } else if let copy = instruction as? Copy {
      (source, operand, isQuantizing) = (copy.input, copy.output, false)
    } else {
      return nil
    }
    let x = tensors[Int(source.index)]
    let y = tensors[Int(operand.index)]
    guard x.layout == .declared, x.isDense, y.isDense, x.shape.rank == y.shape.rank else {
      return nil
    }
    let identity = Array(0..<x.shape.rank)
    if let copy = instruction as? Copy {
      guard let axes = DirectInput.axes(of: copy, from: x, to: y) else { return nil }
      self.axes = axes
    } else {
      axes = y.layout == .declared ? identity : y.layout.axes(rank: x.shape.rank)
      guard x.shape.permuted(axes) == y.shape else { return nil }
    }
    type = y.type
    shape = y.shape
    quantization = y.quantization
    layout = y.layout
    self.isas = isas
  }

  /// The order of axes in which a copy goes through its whole source; nil for any other copy.
  private static func axes(of copy: Copy, from x: TensorSpec, to y: TensorSpec) -> [Int]? {
    guard copy.extents == y.shape.dimensions, copy.targetStrides == y.shape.denseStrides,
      copy.sourceOffset == 0, copy.targetOffset == 0
    else { return nil }
    let strides = x.shape.denseStrides
    var axes: [Int] = []
    for (extent, stride) in zip(copy.extents, copy.sourceStrides) {
      // Axes of extent 1 may share a stride with their neighbours; any order of them is right.
      let match = strides.indices.first {
        strides[$0] == stride && x.shape[$0] == extent && !axes.contains($0)
      }
      guard let match else { return nil }
      axes.append(match)
    }
    return axes
  }

  /// Returns the numbers of a tensor of the input's rank and type (and channels, where they have
  /// scales of their own) as they would lie in memory: what the program's own instruction makes of
  /// them.
  ///
  /// - Throws: `RuntimeError` where the instruction refuses the tensor.
  public func converted(_ tensor: TensorBuffer) throws(RuntimeError) -> TensorBuffer {
    guard tensor.shape.rank == axes.count else {
      throw RuntimeError(.wrongTensor, "\(tensor.shape) has not the input's rank \(axes.count)")
    }
    let source = TensorSpec(name: "x", type: tensor.type, shape: tensor.shape)
    let target = TensorSpec(
      name: "y", type: type, shape: tensor.shape.permuted(axes), layout: layout,
      quantization: quantization)
    let (x, y) = (Operand(0), Operand(1))
    var program = Program()
    program.tensors = [source, target]
    program.instructions =
      isQuantizing
      ? [QuantizeToUInt8(x, to: y)] : [Copy.converting(x, source, to: y, target, axes: axes)]
    program.origins = ["input"]
    program.inputs = [
      Program.Port(name: "x", type: source.type, shape: source.shape, operand: x)
    ]
    program.outputs = [
      Program.Port(name: "y", type: target.type, shape: target.shape, operand: y)
    ]
    return try Evaluation.run(program, constants: [:], inputs: [tensor], isas: isas)[0]
  }
}

// Direct inputs and the arena.
//
// The memory of the converted tensor is its own from the conversion to its last reader; before the
// conversion it may belong to others. So a conversion can be left out only where nothing runs
// before it but conversions that are left out too. After a run the memory may hold anything: a
// direct input is written before every run.
extension Session {
  /// Describes what the program makes of an input first, if that is all that it does with it;
  /// nil where the input must be given as it is declared.
  ///
  /// - Throws: `RuntimeError` for an input that does not exist.
  public func directInput(_ index: Int) throws(RuntimeError) -> DirectInput? {
    try claimed { () throws(RuntimeError) in
      if let taken = taken[index] { return taken }
      return findDirectInput(try port(index, of: program.inputs, "input"))
    }
  }

  /// Leaves out the instruction that makes the direct form of an input: from now on the caller
  /// writes that form with `withDirectInput` before every run. The input as it is declared is no
  /// longer read, and cannot be set.
  ///
  /// - Returns: nil, and changes nothing, where the input has no direct form.
  /// - Throws: `RuntimeError` for an input that does not exist.
  @discardableResult
  public func takeDirectInput(_ index: Int) throws(RuntimeError) -> DirectInput? {
    try claimed { () throws(RuntimeError) in
      if let taken = taken[index] { return taken }
      guard let direct = findDirectInput(try port(index, of: program.inputs, "input")) else {
        return nil
      }
      taken[index] = direct
      skip(taken.count)
      return direct
    }
  }

  /// The bytes of an input's direct form, to be filled completely before every run; valid inside
  /// `body` only.
  ///
  /// - Throws: `RuntimeError` for an input that was not taken.
  public func withDirectInput<R>(
    _ index: Int, _ body: (UnsafeMutableRawBufferPointer) -> R
  ) throws(RuntimeError) -> R {
    try claimed { () throws(RuntimeError) in
      guard let direct = taken[index] else {
        throw RuntimeError(.unknownPort, "input \(index) has not been taken with takeDirectInput")
      }
      return body(bytes(of: direct.operand))
    }
  }

  private func findDirectInput(_ port: Program.Port) -> DirectInput? {
    let step = taken.count
    guard program.instructions.indices.contains(step) else { return nil }
    let input = Int(port.operand.index)
    // Nobody else reads the input, under this or another name.
    let uses = ProgramUses(program)
    for (index, list) in uses.byInstruction.enumerated() where index != step {
      if list.contains(where: { Int(roots.root[Int($0.operand.index)]) == input }) { return nil }
    }
    let operands = uses.byInstruction[step]
    guard operands.count == 2,
      operands.contains(where: { $0.operand == port.operand && $0.access == .read }),
      let direct = DirectInput(program.instructions[step], program.tensors, isas: isas),
      direct.operand != port.operand
    else { return nil }
    // The result has memory of its own, and neither it nor the input is an output.
    let target = Int(direct.operand.index)
    let ports = (program.inputs + program.outputs).map { Int(roots.root[Int($0.operand.index)]) }
    guard Int(roots.root[target]) == target, !ports.contains(target),
      ports.count(where: { $0 == input }) == 1
    else { return nil }
    return direct
  }
}
