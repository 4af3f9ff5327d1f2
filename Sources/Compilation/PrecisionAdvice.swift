import Graphs
import Instructions
import Kernels
import Operators
import Planner
import Runtime
import Tensors

/// Says whether an int8 program is worth its precision: an estimate of its time beside that of the
/// same model in bf16, and the layers that make the difference where it is not.
///
/// The estimate knows no machine and measures nothing, so that the same model gets the same advice
/// everywhere. An instruction takes as long as its operations at the peak of its element types, or
/// as its operands at the bandwidth of a large cache, whichever is longer, and a little more.
package struct PrecisionAdvice: Sendable {
  /// What one node of the source costs, in seconds.
  package struct Layer: Sendable {
    package let name: String
    package let int8: Double
    package let bf16: Double
  }

  /// The estimates of the whole programs, in seconds.
  package let int8: Double
  package let bf16: Double
  /// The layers that take longer in int8, the worst first.
  package let slower: [Layer]

  /// Whether int8 is slower by more than the estimate's uncertainty.
  package var isSlower: Bool { int8 > 1.1 * bf16 }

  /// Operations per second of one core with 512-bit vectors, by what is multiplied.
  private static let peaks = (int8: 500e9, bfloat16: 250e9, float32: 125e9)
  /// Bytes per second.
  private static let bandwidth = 25e9
  /// What an instruction takes besides, in seconds.
  private static let overhead = 0.3e-6

  /// Returns nil where there is nothing to compare: the program is not int8, its scales are the
  /// source's own, or it does not lower in bf16.
  package init?(_ compiled: CompiledProgram) {
    guard compiled.precision == .int8, !compiled.source.isQuantized,
      let graph = try? GraphPasses.run(on: compiled.source)
    else { return nil }
    let storage = StorageAssignment(graph)
    guard let lowered = try? Lowering.lower(graph, storage: { storage.storage(of: $0) }) else {
      return nil
    }
    let int8 = PrecisionAdvice.seconds(compiled.lowered.program)
    let bf16 = PrecisionAdvice.seconds(ViewElimination.apply(to: lowered.program))
    self.int8 = int8.values.reduce(0, +)
    self.bf16 = bf16.values.reduce(0, +)
    slower = int8.keys.map { Layer(name: $0, int8: int8[$0] ?? 0, bf16: bf16[$0] ?? 0) }
      .filter { $0.int8 > $0.bf16 }
      .sorted { ($1.int8 - $1.bf16, $0.name) < ($0.int8 - $0.bf16, $1.name) }
  }

  /// The advice in words; nil where int8 is not slower.
  package var text: String? {
    guard isSlower else { return nil }
    let ratio = Int((int8 / bf16 * 100).rounded()) - 100
    let worst = slower.prefix(3).map { layer in
      let loss = Int(((layer.int8 - layer.bf16) / int8 * 100).rounded())
      return "\(layer.name) (\(loss) % of its time)"
    }
    return "int8 is estimated to be \(ratio) % slower than bf16 here: what is converted to 8 bits "
      + "and back costs more than the products save. Most is lost at "
      + worst.joined(separator: ", ") + "; try --precision bf16"
  }

  /// The estimated seconds of the nodes of a program, by their names.
  private static func seconds(_ program: Program) -> [String: Double] {
    var result: [String: Double] = [:]
    for (instruction, origin) in zip(program.instructions, program.origins) {
      result[origin, default: 0] += seconds(instruction, program)
    }
    return result
  }

  private static func seconds(_ instruction: any Instruction, _ program: Program) -> Double {
    var prepared = instruction
    var preparation = Preparation(
      tensors: program.tensors, isas: ISA.portable.included, parts: 1)
    guard (try? prepared.prepare(&preparation)) != nil else { return 0 }
    let bytes = Trace.byteCount(of: instruction, program.tensors)
    let types = ProgramUses.uses(of: instruction).map {
      program.tensors[Int($0.operand.index)].type
    }
    let isByteProduct = type(of: instruction).opcode.hasSuffix("int8")
    let peak =
      isByteProduct ? peaks.int8 : types.contains(.bfloat16) ? peaks.bfloat16 : peaks.float32
    return max(Double(prepared.operationCount) / peak, Double(bytes) / bandwidth) + overhead
  }
}
