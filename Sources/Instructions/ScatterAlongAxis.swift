import Tensors

/// Writes single elements by index along an axis: y[o, indices[o, k, i], i] ⊕= updates[o, k, i].
///
/// y: holds what was there before; indices: int32 or int64, updates: y's type, one shape of y's
/// rank. A negative index counts from the end; one out of range is a fault at run time.
package struct ScatterAlongAxis: Instruction {
  package static let opcode = "scatter_along_axis"

  package var indices = Operand.none
  package var updates = Operand.none
  package var output = Operand.none
  package var axis = 0
  package var reduction = ScatterReduction.none
  private var walk = AlongAxis()
  private var type = ElementType.float32

  package init() {}

  package init(
    _ updates: Operand, at indices: Operand, axis: Int, _ reduction: ScatterReduction,
    into output: Operand
  ) {
    self.updates = updates
    self.indices = indices
    self.axis = axis
    self.reduction = reduction
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("indices", &indices)
    visitor.input("updates", &updates)
    visitor.update("y", &output)
    visitor.field("axis", &axis)
    visitor.field("reduction", &reduction)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let y = preparation[output]
    let update = preparation[updates]
    let index = preparation[indices]
    type = y.type
    try preparation.require(
      update.type == y.type && reduction.supports(y.type) && index.shape == update.shape, self,
      "\(update.type) \(update.shape) at \(index.shape) into \(y.type)")
    guard let walk = AlongAxis(y.shape, indices: index, axis: axis) else {
      throw InstructionError(
        Self.opcode, "\(index.type) \(index.shape) into \(y.shape) along axis \(axis)")
    }
    self.walk = walk
  }

  package func execute(_ context: borrowing ExecutionContext) {
    // Updates may meet at one element, in the order of the indices: one part does all of them.
    guard context.part == 0 else { return }
    reduction.run(type, Body(owner: self), context)
  }

  private struct Body: ScatterBody {
    let owner: ScatterAlongAxis
    func run<T: Element>(
      _: T.Type, _ combine: (T, T) -> T, _ context: borrowing ExecutionContext
    ) {
      let target = context.pointer(owner.output, as: T.self)
      let source = context.pointer(owner.updates, as: T.self)
      for index in 0..<owner.walk.count {
        let place = owner.walk.place(index, owner.indices, context)
        target[place] = combine(target[place], source[index])
      }
    }
  }
}

/// What happens where an update meets what is there.
package enum ScatterReduction: UInt8, Sendable {
  case none = 0
  case add = 1
  case multiply = 2
  case max = 3
  case min = 4

  /// Says whether elements of this type can be combined so.
  func supports(_ type: ElementType) -> Bool {
    type.isArithmetic || self == .none && type == .bool
  }

  /// Runs `body` for the element type.
  func run(
    _ type: ElementType, _ body: some ScatterBody, _ context: borrowing ExecutionContext
  ) {
    switch type {
    case .float32: run(Float.self, body, context)
    case .bfloat16: run(BFloat16.self, body, context)
    case .float64: run(Double.self, body, context)
    case .int8: run(Int8.self, body, context)
    case .uint8, .bool: run(UInt8.self, body, context)
    case .int16: run(Int16.self, body, context)
    case .uint16: run(UInt16.self, body, context)
    case .int32: run(Int32.self, body, context)
    case .uint32: run(UInt32.self, body, context)
    case .int64: run(Int64.self, body, context)
    default: run(UInt64.self, body, context)
    }
  }

  private func run<T: Element>(
    _: T.Type, _ body: some ScatterBody, _ context: borrowing ExecutionContext
  ) {
    switch self {
    case .none: body.run(T.self, { _, new in new }, context)
    case .add:
      body.run(T.self, { T(rounding: T.Value.plus($0.value, $1.value)) }, context)
    case .multiply:
      body.run(T.self, { T(rounding: T.Value.times($0.value, $1.value)) }, context)
    case .max: body.run(T.self, { $0.value < $1.value ? $1 : $0 }, context)
    case .min: body.run(T.self, { $1.value < $0.value ? $1 : $0 }, context)
    }
  }
}

/// The loop of a scatter, for one element type.
protocol ScatterBody {
  func run<T: Element>(
    _: T.Type, _ combine: (T, T) -> T, _ context: borrowing ExecutionContext)
}
