internal import CKernels
import Kernels
import Tensors

/// Gives the expectations of distributions: y[n, g, a] = Σ pₖ · weights[k], where p is the softmax
/// of the `bins` numbers x[n, a, g · bins …].
///
/// x: float32 [N, A, G · bins], rows strided; weights: float32 [bins], dense, at most 64; y:
/// float32 with N · G · A elements in that order, dense. All ISAs give the same bits.
package struct Expectation: Instruction {
  package static let opcode = "expectation"

  package var input = Operand.none
  package var weights = Operand.none
  package var output = Operand.none
  private var plan: Plan?

  /// What `prepare` found out.
  private struct Plan: Sendable {
    var kernel: SoftmaxKernel
    var pictures: Int
    var rows: Int
    var rowStride: Int
    var groups: Int
    var bins: Int
    var isFused: Bool
  }

  package init() {}

  package init(_ input: Operand, weights: Operand, to output: Operand) {
    self.input = input
    self.weights = weights
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.input("weights", &weights)
    visitor.output("y", &output)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    plan = nil
    let (x, values, y) = (preparation[input], preparation[weights], preparation[output])
    try preparation.require(
      x.type == .float32 && values.type == .float32 && y.type == .float32, self,
      "\(x.type) and \(values.type) into \(y.type)")
    let bins = values.shape.elementCount
    try preparation.require(
      (1...APUS_EXPECTATION_BINS).contains(bins) && values.isDense, self,
      "weights are \(values.shape)")
    try preparation.require(
      x.shape.rank == 3 && x.rowLength % bins == 0 && x.rowStride >= x.rowLength, self,
      "\(x.shape) in groups of \(bins)")
    let groups = x.rowLength / bins
    try preparation.require(
      y.isDense
        && y.shape.checkedElementCount
          == Shape([x.shape[0], groups, x.shape[1]])
          .checkedElementCount,
      self, "\(x.shape) in groups of \(bins) cannot become \(y.shape)")
    guard y.shape.elementCount > 0 else { return }
    let isas = preparation.isas
    guard
      let kernel = SoftmaxKernel.best(of: SoftmaxKernel.all, isas: isas) ?? SoftmaxKernel.all.last
    else { return }
    plan = Plan(
      kernel: kernel, pictures: x.shape[0], rows: x.shape[1], rowStride: x.rowStride,
      groups: groups, bins: bins, isFused: !preparation.isExact)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard let plan else { return }
    let share = context.share(of: plan.rows, grain: 16)
    guard !share.isEmpty else { return }
    var call = apus_expectation()
    call.weights = UnsafePointer(context.pointer(weights, as: Float.self))
    call.x_row = plan.rowStride
    call.y_group = plan.rows
    call.rows = share.count
    call.groups = plan.groups
    call.bins = plan.bins
    call.fused = plan.isFused ? 1 : 0
    for picture in 0..<plan.pictures {
      let row = picture * plan.rows + share.lowerBound
      call.x = UnsafePointer(context.pointer(input, as: Float.self) + row * plan.rowStride)
      call.y =
        context.pointer(output, as: Float.self) + picture * plan.groups * plan.rows
        + share.lowerBound
      plan.kernel.entry.pointee.expectation(&call)
    }
  }
}
