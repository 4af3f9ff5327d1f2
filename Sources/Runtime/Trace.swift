import Instructions
import Planner
import Tensors

/// What one run took, instruction by instruction.
public struct Trace: Sendable {
  /// One instruction.
  public struct Step: Sendable, Hashable {
    /// The source node that it comes from.
    public var name: String
    public var opcode: String
    /// How it ran: kernel and method; empty where there is only one way.
    public var method: String
    /// From the start of the run.
    public var startNanoseconds: Int
    public var nanoseconds: Int
    /// Operations (2 per multiply-add) of the direct method; 0 for what only moves data.
    public var operationCount: Int
    /// The bytes of all tensors that it reads and writes, each once.
    public var byteCount: Int

    /// 10⁹ operations per second.
    public var gops: Double { rate(operationCount) }
    /// 10⁹ bytes per second.
    public var gbps: Double { rate(byteCount) }

    private func rate(_ count: Int) -> Double {
      nanoseconds > 0 ? Double(count) / Double(nanoseconds) : 0
    }
  }

  public var threadCount: Int
  public var steps: [Step]

  public var nanoseconds: Int { steps.last.map { $0.startNanoseconds + $0.nanoseconds } ?? 0 }

  /// Returns the trace whose every step took the median of the given ones, which are of the same
  /// session; nil for none.
  public static func median(_ traces: [Trace]) -> Trace? {
    guard var result = traces.first else { return nil }
    var start = 0
    for index in result.steps.indices {
      let times = traces.map { $0.steps[index].nanoseconds }.sorted()
      result.steps[index].nanoseconds = times[times.count / 2]
      result.steps[index].startNanoseconds = start
      start += times[times.count / 2]
    }
    return result
  }

  /// The bytes of all tensors that an instruction reads and writes, each once.
  package static func byteCount(
    of instruction: any Instruction, _ tensors: [TensorSpec]
  ) -> Int {
    ProgramUses.uses(of: instruction).reduce(0) { sum, use in
      let spec = tensors[Int(use.operand.index)]
      return sum + (spec.type.byteCount(of: spec.shape.elementCount) ?? 0)
    }
  }
}
