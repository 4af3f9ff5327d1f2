import Instructions
import Planner
import Tensors

/// Refuses programs that would reach outside their memory, before any instruction sees them.
///
/// Afterwards every extent, offset and size can be computed without overflow, every operand names
/// a tensor that lies inside its memory, and nothing writes to weights or inputs. What an
/// instruction's own fields may say is checked by its `prepare`.
enum ProgramCheck {
  /// No tensor has more bytes, and no product of (non-zero) extents is larger.
  private static let largestTensor = 1 << 46

  /// - Returns: where every tensor's memory is.
  static func check(_ program: Program, weightByteCount: Int) throws(RuntimeError) -> ViewRoots {
    for spec in program.tensors { try check(spec) }
    guard program.arenaByteCount >= 0, program.arenaByteCount <= MemoryPlanner.largestArena else {
      throw invalid("an arena of \(program.arenaByteCount) bytes")
    }
    let roots: ViewRoots
    do throws(PlanningError) {
      roots = try ViewRoots(program.tensors)
    } catch {
      throw invalid(error.message)
    }
    for spec in program.tensors {
      try checkPlace(spec, arena: program.arenaByteCount, weights: weightByteCount)
    }
    for port in program.inputs + program.outputs { try check(port, program, roots) }
    try checkUses(program, roots)
    return roots
  }

  private static func check(_ spec: TensorSpec) throws(RuntimeError) {
    guard spec.shape.rank <= 64 else { throw invalid("rank \(spec.shape.rank)", spec) }
    var product = 1
    for extent in spec.shape.dimensions {
      let (next, overflow) = product.multipliedReportingOverflow(by: max(extent, 1))
      guard extent >= 0, !overflow, next <= largestTensor else {
        throw invalid("the shape \(spec.shape)", spec)
      }
      product = next
    }
    let (reach, overflow) = spec.rowCount.multipliedReportingOverflow(by: spec.rowStride)
    guard spec.rowStride >= spec.rowLength, !overflow, reach <= largestTensor,
      spec.type.byteCount(of: max(reach, product)).map({ $0 <= largestTensor }) ?? false
    else {
      throw invalid("a row stride of \(spec.rowStride) for the shape \(spec.shape)", spec)
    }
  }

  private static func checkPlace(
    _ spec: TensorSpec, arena: Int, weights: Int
  ) throws(RuntimeError) {
    switch spec.storage {
    case .unplaced, .view: break
    case .arena(let offset):
      let limit = max(arena - MemoryPlanner.slackByteCount, 0)
      guard offset >= 0, offset % MemoryPlanner.alignment == 0, offset <= limit,
        spec.byteCount <= limit - offset
      else {
        throw invalid(
          "\(spec.byteCount) bytes at \(offset) of an arena of \(arena) bytes", spec)
      }
    case .constant(let offset):
      guard offset >= 0, offset % MemoryPlanner.alignment == 0, offset <= weights,
        spec.byteCount <= weights - offset
      else {
        throw invalid("\(spec.byteCount) bytes at \(offset) of \(weights) bytes of weights", spec)
      }
    }
  }

  private static func check(
    _ port: Program.Port, _ program: Program, _ roots: ViewRoots
  ) throws(RuntimeError) {
    guard program.tensors.indices.contains(Int(port.operand.index)) else {
      throw invalid("the port \"\(port.name)\" names no tensor")
    }
    let spec = program.tensors[Int(port.operand.index)]
    guard spec.type == port.type, spec.isDense, port.shape == spec.shape,
      case .arena = spec.storage
    else {
      throw invalid(
        "the port \"\(port.name)\" is \(port.type) \(port.shape), its tensor \(spec.type) "
          + "\(spec.shape)")
    }
  }

  private static func checkUses(
    _ program: Program, _ roots: ViewRoots
  ) throws(RuntimeError) {
    guard program.origins.count == program.instructions.count else {
      throw invalid(
        "\(program.origins.count) origins for \(program.instructions.count) instructions")
    }
    let inputs = Set(program.inputs.map { Int($0.operand.index) })
    for (step, instruction) in program.instructions.enumerated() {
      for use in ProgramUses.uses(of: instruction) {
        let index = Int(use.operand.index)
        guard program.tensors.indices.contains(index) else {
          throw invalid("instruction \(step) names a tensor that does not exist")
        }
        let spec = program.tensors[index]
        let root = Int(roots.root[index])
        switch program.tensors[root].storage {
        case .arena: break
        case .constant where use.access == .read: continue
        default: throw invalid("instruction \(step) cannot use it", spec)
        }
        guard use.access == .read || !inputs.contains(root) else {
          throw invalid("instruction \(step) writes to an input", spec)
        }
        guard use.acceptsStrides || spec.isDense else {
          throw invalid("instruction \(step) needs dense rows", spec)
        }
      }
    }
  }

  private static func invalid(_ message: String, _ spec: TensorSpec? = nil) -> RuntimeError {
    RuntimeError(.invalidProgram, message, place: spec.map { "tensor \"\($0.name)\"" })
  }
}
