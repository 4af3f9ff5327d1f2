import Kernels
import Tensors

/// Finds where along an axis the greatest or the least element stands.
///
/// x: any shape, rows strided, any arithmetic type; y: int64, x's shape with the axis 1 or left
/// out, dense. Of equal elements the first counts, or the last.
package struct ArgReduce: Instruction {
  package static let opcode = "arg_reduce"

  package var input = Operand.none
  package var output = Operand.none
  package var axis = 0
  /// The least element instead of the greatest.
  package var findsLeast = false
  package var selectsLast = false
  var type = ElementType.float32
  var kept = Loops()
  var extent = 0
  private var step = 0
  private var kernel: ReduceKernel?

  package init() {}

  package init(
    _ input: Operand, axis: Int, findsLeast: Bool, selectsLast: Bool, to output: Operand
  ) {
    self.input = input
    self.axis = axis
    self.findsLeast = findsLeast
    self.selectsLast = selectsLast
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
    visitor.field("finds_least", &findsLeast)
    visitor.field("selects_last", &selectsLast)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    kernel = nil
    let x = preparation[input]
    let y = preparation[output]
    type = x.type
    try preparation.require(
      x.type.isArithmetic && y.type == .int64, self, "from \(x.type) to \(y.type)")
    try preparation.require(
      (0..<x.shape.rank).contains(axis), self, "axis \(axis) of a tensor of rank \(x.shape.rank)")
    var ones = x.shape.dimensions
    ones[axis] = 1
    var without = x.shape.dimensions
    without.remove(at: axis)
    try preparation.require(
      y.shape.dimensions == ones || y.shape.dimensions == without, self,
      "\(x.shape) over axis \(axis) cannot become \(y.shape)")
    extent = x.shape[axis]
    try preparation.require(
      extent > 0 || y.shape.elementCount == 0, self, "axis \(axis) has no elements")
    step = x.strides[axis]
    kept = Loops(
      x.shape.dimensions, x.strides, axes: x.shape.dimensions.indices.filter { $0 != axis })
    if type.isComputedInFloat32 && (step == 1 || extent == 1) {
      kernel = ReduceKernel.best(of: ReduceKernel.all, isas: preparation.isas)
    }
  }

  package func execute(_ context: borrowing ExecutionContext) {
    if let kernel { return executeVectors(kernel, context) }
    switch type {
    case .float32: run(context, Float.self)
    case .bfloat16: run(context, BFloat16.self)
    case .float64: run(context, Double.self)
    case .int8: run(context, Int8.self)
    case .uint8: run(context, UInt8.self)
    case .int16: run(context, Int16.self)
    case .uint16: run(context, UInt16.self)
    case .int32: run(context, Int32.self)
    case .uint32: run(context, UInt32.self)
    case .int64: run(context, Int64.self)
    default: run(context, UInt64.self)
    }
  }

  private func run<T: Element>(_ context: borrowing ExecutionContext, _: T.Type) {
    switch (findsLeast, selectsLast) {
    case (false, false): find(context, T.self) { $0 > $1 }
    case (false, true): find(context, T.self) { $0 >= $1 }
    case (true, false): find(context, T.self) { $0 < $1 }
    case (true, true): find(context, T.self) { $0 <= $1 }
    }
  }

  @inline(__always)
  private func find<T: Element>(
    _ context: borrowing ExecutionContext, _: T.Type, _ isBetter: (T.Value, T.Value) -> Bool
  ) {
    let x = context.pointer(input, as: T.self)
    let y = context.pointer(output, as: Int64.self)
    for index in context.share(of: kept.count) {
      let base = x + kept.offset(of: index)
      var best = base[0].value
      var place = 0
      for i in 1..<max(extent, 1) where isBetter(base[i * step].value, best) {
        best = base[i * step].value
        place = i
      }
      y[index] = Int64(place)
    }
  }
}
