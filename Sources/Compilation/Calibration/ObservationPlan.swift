import Graphs
import Instructions
import Planner
import Tensors

/// Which tensors of a program are looked at, and when: each source value once, in its producer's
/// form, after the last instruction that writes it.
package struct ObservationPlan: Sendable {
  /// One value.
  package struct Value: Sendable {
    package let name: String
    let operand: Operand
    let type: ElementType
    /// Rows as in `TensorSpec`.
    let rowCount: Int
    let rowLength: Int
    let rowStride: Int
    let channels: Channels

    /// The channels that ranges are kept for; nil where there are none or too many.
    package var channelCount: Int? {
      switch channels {
      case .none: nil
      case .columns: rowLength
      case .runs(let count, _): count
      }
    }
  }

  /// Where the channels of a value lie.
  enum Channels: Sendable, Hashable {
    case none
    /// Each column of the rows is one channel.
    case columns
    /// Each channel is a run of rows: `count` of them, `rows` each, again and again.
    case runs(count: Int, rows: Int)
  }

  /// The values in program order.
  package let values: [Value]
  /// The values to look at before the first instruction and after each, by position in `values`.
  let due: [[Int]]

  /// More channels than this are not kept apart.
  package static let mostChannels = 4096

  /// - Parameters:
  ///   - names: the values that matter; nil: all float values of the source model.
  ///   - program: every tensor placed or a view.
  package init(
    _ compiled: CompiledProgram, _ program: Program, names: Set<String>? = nil
  ) throws(PlanningError) {
    let known = Set((compiled.source.values + compiled.optimised.values).map(\.name))
    let roots = try ViewRoots(program.tensors)
    let lastWrites = ObservationPlan.lastWrites(program, roots)
    var values: [Value] = []
    var due = [[Int]](repeating: [], count: program.instructions.count + 1)
    var seen: Set<String> = []
    let inputs = Set(program.inputs.map { roots.root[Int($0.operand.index)] })
    for (index, spec) in program.tensors.enumerated() {
      guard !spec.name.isEmpty, known.contains(spec.name), seen.insert(spec.name).inserted else {
        continue
      }
      let root = roots.root[index]
      if case .constant = program.tensors[Int(root)].storage { continue }
      guard spec.type.isFloat, spec.shape.elementCount > 0, names?.contains(spec.name) ?? true
      else { continue }
      let start = roots.byteOffset[index]
      let writes = lastWrites[root, default: []].filter {
        $0.start < start + spec.byteCount && start < $0.end
      }
      guard let last = writes.map(\.instruction).max() ?? (inputs.contains(root) ? -1 : nil) else {
        continue
      }
      due[last + 1].append(values.count)
      values.append(
        Value(
          name: spec.name, operand: Operand(index), type: spec.type, rowCount: spec.rowCount,
          rowLength: spec.rowLength, rowStride: spec.rowStride,
          channels: ObservationPlan.channels(of: spec)))
    }
    // Positions in program order, so that tables read as the model does.
    let order = due.flatMap { $0 }
    var place = [Int](repeating: 0, count: order.count)
    for (position, old) in order.enumerated() { place[old] = position }
    self.values = order.map { values[$0] }
    self.due = due.map { $0.map { place[$0] } }
  }

  /// A write to the memory of a root: its bytes and the instruction.
  private struct Write {
    var start: Int
    var end: Int
    var instruction: Int
  }

  private static func lastWrites(_ program: Program, _ roots: ViewRoots) -> [Int32: [Write]] {
    var result: [Int32: [Write]] = [:]
    let uses = ProgramUses(program)
    for index in program.tensors.indices {
      let sites = uses.sites[index].filter { $0.access != .read }
      guard let last = sites.map(\.instruction).max() else { continue }
      let start = roots.byteOffset[index]
      result[roots.root[index], default: []].append(
        Write(start: start, end: start + program.tensors[index].byteCount, instruction: last))
    }
    return result
  }

  /// Declared axis 1 is the channel; for rank 2 that is the last.
  private static func channels(of spec: TensorSpec) -> Channels {
    let rank = spec.shape.rank
    guard rank >= 2 else { return .none }
    let position = spec.layout.position(ofAxis: 1, rank: rank)
    let count = spec.shape[position]
    guard (1...mostChannels).contains(count) else { return .none }
    if position == rank - 1 { return .columns }
    return .runs(
      count: count, rows: spec.shape.dimensions[(position + 1)...].dropLast().reduce(1, *))
  }
}
