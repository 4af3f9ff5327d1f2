internal import CKernels
import Kernels
import Tensors

/// Looks every element up in a table: y[i] = table[x[i]].
///
/// x, y: one shape, rows strided. x: any type of one byte (a signed byte looks up by its bits).
/// table: 256 entries, or [C, 256] with a table for every position of the last axis; its entries
/// are of y's type, which is one of one byte or float32. An element-wise function of an 8-bit
/// tensor is such a table, whatever the function costs.
package struct LookUp: Instruction {
  package static let opcode = "look_up"

  package var input = Operand.none
  package var table = Operand.none
  package var output = Operand.none
  private var plan: Plan?

  /// What `prepare` found out.
  private struct Plan: Sendable {
    var kernel: LookUpKernel
    var rows: Int
    var count: Int
    var inputStride: Int
    var outputStride: Int
    var tableStep: Int
    var isFloat: Bool
    var outputSize: Int
  }

  package init() {}

  package init(_ input: Operand, in table: Operand, to output: Operand) {
    self.input = input
    self.table = table
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.input("table", &table)
    visitor.output("y", &output, strided: true)
  }

  package var replacements: [Replacement] { [Replacement(input, by: output)] }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    plan = nil
    let (x, entries, y) = (preparation[input], preparation[table], preparation[output])
    try preparation.require(x.shape == y.shape, self, "\(x.shape) cannot become \(y.shape)")
    try preparation.require(
      x.type.byteCount == 1 && entries.type == y.type
        && (y.type.byteCount == 1 || y.type == .float32), self,
      "\(x.type) looked up among \(entries.type) for \(y.type)")
    let isShared = entries.shape.elementCount == 256
    try preparation.require(
      isShared || entries.shape == [x.rowLength, 256], self,
      "a table of \(entries.shape) for rows of \(x.rowLength)")
    try preparation.require(entries.isDense, self, "the table must be dense")
    var plan = Plan(
      kernel: LookUpKernel.best(isas: preparation.isas), rows: x.rowCount, count: x.rowLength,
      inputStride: x.rowStride, outputStride: y.rowStride, tableStep: isShared ? 0 : 256,
      isFloat: y.type == .float32, outputSize: y.type.byteCount)
    if isShared && x.isDense && y.isDense {
      (plan.rows, plan.count) = (1, x.shape.elementCount)
    }
    guard x.shape.elementCount > 0 else { return }
    self.plan = plan
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard let plan else { return }
    // One long row is split inside, many rows between them.
    let rows = plan.rows == 1 ? 0..<1 : context.share(of: plan.rows)
    let columns = plan.rows == 1 ? context.share(of: plan.count, grain: 64) : 0..<plan.count
    guard !rows.isEmpty, !columns.isEmpty else { return }
    let from = rows.lowerBound * plan.inputStride + columns.lowerBound
    let to = rows.lowerBound * plan.outputStride + columns.lowerBound
    let entrySize = plan.isFloat ? 4 : 1
    var call = apus_look_up()
    call.x = UnsafePointer(context.pointer(input, as: UInt8.self) + from)
    call.table = UnsafeRawPointer(
      context.pointer(table) + columns.lowerBound * plan.tableStep * entrySize)
    call.y = context.pointer(output) + to * plan.outputSize
    call.rows = rows.count
    call.count = columns.count
    call.x_row = plan.inputStride
    call.y_row = plan.outputStride
    call.table_step = plan.tableStep
    call.is_float = plan.isFloat ? 1 : 0
    plan.kernel.run(&call)
  }
}
