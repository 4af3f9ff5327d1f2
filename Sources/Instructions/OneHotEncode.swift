import Tensors

/// Marks positions: y[o, k, i] = k == indices[o, i] ? values[1] : values[0].
///
/// indices: int32, int64 or float32, o × i elements; values: two of y's type; y: [o, depth, i],
/// `axis` being where depth stands. A negative index counts from the end; one out of range marks
/// nothing.
package struct OneHotEncode: Instruction {
  package static let opcode = "one_hot_encode"

  package var indices = Operand.none
  package var values = Operand.none
  package var output = Operand.none
  package var axis = 0
  private var depth = 0
  private var inner = 1
  private var outer = 0
  private var size = 1
  private var indexType = ElementType.int64

  package init() {}

  package init(_ indices: Operand, values: Operand, axis: Int, to output: Operand) {
    self.indices = indices
    self.values = values
    self.axis = axis
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("indices", &indices)
    visitor.input("values", &values)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let y = preparation[output]
    let index = preparation[indices]
    let value = preparation[values]
    indexType = index.type
    size = y.type.byteCount
    try preparation.require(
      [.int32, .int64, .float32].contains(index.type) && [1, 2, 4, 8].contains(size)
        && value.type == y.type && value.shape.elementCount == 2 && axis >= 0
        && axis < y.shape.rank, self, "\(index.type) and \(value.type) into \(y.type)")
    depth = y.shape[axis]
    outer = y.shape.dimensions[..<axis].reduce(1, *)
    inner = y.shape.dimensions[(axis + 1)...].reduce(1, *)
    try preparation.require(
      outer * inner == index.shape.elementCount, self, "\(index.shape) into \(y.shape)")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch size {
    case 1: run(UInt8.self, context)
    case 2: run(UInt16.self, context)
    case 4: run(UInt32.self, context)
    default: run(UInt64.self, context)
    }
  }

  private func run<T>(_: T.Type, _ context: borrowing ExecutionContext) {
    let target = context.pointer(output, as: T.self)
    let off = context.pointer(values, as: T.self)[0]
    let on = context.pointer(values, as: T.self)[1]
    for o in context.share(of: outer) {
      let to = target + o * depth * inner
      for i in 0..<depth * inner { to[i] = off }
      for i in 0..<inner {
        let index = index(o * inner + i, context)
        let place = index < 0 ? index &+ depth : index
        if place >= 0 && place < depth { to[place * inner + i] = on }
      }
    }
  }

  private func index(_ place: Int, _ context: borrowing ExecutionContext) -> Int {
    switch indexType {
    case .int32: Int(context.pointer(indices, as: Int32.self)[place])
    case .int64: Int(context.pointer(indices, as: Int64.self)[place])
    default: Int(saturating: context.pointer(indices, as: Float.self)[place])
    }
  }
}
