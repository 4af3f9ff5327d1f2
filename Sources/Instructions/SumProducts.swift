import Tensors

/// Einstein's sum: y[o…] = Σ over the summed indices of the product of the operands' elements.
///
/// x: one or more tensors, dense; y: dense; one arithmetic type. `extents` are those of all
/// indices, the `outputRank` indices of y first, in y's order; `strides` the step of each operand
/// along each of them, operand by operand (0: the operand does not depend on the index).
package struct SumProducts: Instruction {
  package static let opcode = "sum_products"

  package var inputs: [Operand] = []
  package var output = Operand.none
  package var outputRank = 0
  package var extents: [Int] = []
  package var strides: [Int] = []
  private var outputCount = 0
  private var sumCount = 0
  private var type = ElementType.float32

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.inputs("x", &inputs)
    visitor.output("y", &output)
    visitor.field("output_rank", &outputRank)
    visitor.field("extents", &extents)
    visitor.field("strides", &strides)
  }

  package var operationCount: Int { 2 * outputCount * sumCount }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let y = preparation[output]
    type = y.type
    try preparation.require(type.isArithmetic, self, "\(type) is not supported")
    try preparation.require(
      !inputs.isEmpty && inputs.count <= 16 && extents.count <= 64 && outputRank >= 0
        && outputRank <= extents.count && strides.count == inputs.count * extents.count
        && Shape(extents).checkedElementCount.map { $0 < 1 << 48 } ?? false, self,
      "\(inputs.count) operands over \(extents) with \(strides.count) strides")
    try preparation.require(
      Array(extents[..<outputRank]) == y.shape.dimensions, self,
      "\(extents[..<outputRank]) into \(y.shape)")
    outputCount = y.shape.elementCount
    sumCount = extents[outputRank...].reduce(1, *)
    guard outputCount > 0 && sumCount > 0 else { return }
    for (index, operand) in inputs.enumerated() {
      let x = preparation[operand]
      var last = 0
      for axis in extents.indices {
        let step = strides[index * extents.count + axis]
        let (reach, overflow) = step.multipliedReportingOverflow(by: extents[axis] - 1)
        try preparation.require(
          step >= 0 && !overflow && reach < 1 << 48, self, "a stride of \(step)")
        last += reach
      }
      try preparation.require(
        x.type == type && last < x.shape.elementCount, self,
        "element \(last) of \"\(x.name)\", \(x.type) \(x.shape)")
    }
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch type {
    case .float32: run(Float.self, context)
    case .bfloat16: run(BFloat16.self, context)
    case .float64: run(Double.self, context)
    case .int8: run(Int8.self, context)
    case .uint8: run(UInt8.self, context)
    case .int16: run(Int16.self, context)
    case .uint16: run(UInt16.self, context)
    case .int32: run(Int32.self, context)
    case .uint32: run(UInt32.self, context)
    case .int64: run(Int64.self, context)
    default: run(UInt64.self, context)
    }
  }

  private func run<T: Element>(_: T.Type, _ context: borrowing ExecutionContext) {
    let target = context.pointer(output, as: T.self)
    for place in context.share(of: outputCount) {
      var sum = T.Value.zero
      for term in 0..<sumCount {
        var product = T.Value.one
        for index in inputs.indices {
          let source = context.pointer(inputs[index], as: T.self)
          let offset =
            offset(index, place, 0..<outputRank) + offset(index, term, outputRank..<extents.count)
          product = T.Value.times(product, source[offset].value)
        }
        sum = T.Value.plus(sum, product)
      }
      target[place] = T(rounding: sum)
    }
  }

  /// The offset in an operand of a flattened position over some of the indices.
  private func offset(_ operand: Int, _ position: Int, _ axes: Range<Int>) -> Int {
    var rest = position
    var offset = 0
    for axis in axes.reversed() {
      offset += rest % extents[axis] * strides[operand * extents.count + axis]
      rest /= extents[axis]
    }
    return offset
  }
}
