import Kernels
import Tensors

/// Combines two tensors element by element under broadcasting: y = activation(function(a, b)).
///
/// a, b: broadcastable to y, rows strided. Arithmetic: all float32 or bfloat16 (each on its own),
/// all float64, or all one integer type. Comparisons: a and b as before or bool, y bool. Logic:
/// all bool. Bitwise functions and shifts: all one integer type. The activation is for float32 and
/// bfloat16 only.
package struct Binary: Instruction {
  package static let opcode = "binary"

  /// The functions of two numbers.
  package enum Function: UInt8, Sendable, Hashable, CaseIterable {
    case add = 0
    case subtract = 1
    case multiply = 2
    /// Integers truncate; an integer divided by zero is zero, and a fault.
    case divide = 3
    case minimum = 4
    case maximum = 5
    case power = 6
    /// The remainder with the sign of b.
    case modulo = 7
    /// The remainder with the sign of a.
    case remainder = 8
    /// a < 0 ? a b : a
    case prelu = 9
    case equal = 16
    case less = 17
    case lessOrEqual = 18
    case greater = 19
    case greaterOrEqual = 20
    case and = 32
    case or = 33
    case xor = 34
    case bitwiseAnd = 40
    case bitwiseOr = 41
    case bitwiseXor = 42
    case shiftLeft = 43
    case shiftRight = 44

    package var isArithmetic: Bool { rawValue < 16 }
    package var isComparison: Bool { (16..<32).contains(rawValue) }
    package var isLogic: Bool { (32..<40).contains(rawValue) }
  }

  package var a = Operand.none
  package var b = Operand.none
  package var output = Operand.none
  package var function = Function.add
  package var activation = Activation.none
  var aType = ElementType.float32
  var bType = ElementType.float32
  var outputType = ElementType.float32
  var walk = Walk()
  private var kernel: ElementwiseKernel?

  package init() {}

  package init(
    _ function: Function, _ a: Operand, _ b: Operand, to output: Operand,
    activation: Activation = .none
  ) {
    self.function = function
    self.a = a
    self.b = b
    self.output = output
    self.activation = activation
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("a", &a, strided: true)
    visitor.input("b", &b, strided: true)
    visitor.output("y", &output, strided: true)
    visitor.field("function", &function)
    visitor.field("activation", &activation)
  }

  package var replacements: [Replacement] {
    [Replacement(a, by: output), Replacement(b, by: output)]
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    kernel = nil
    let left = preparation[a]
    let right = preparation[b]
    let y = preparation[output]
    aType = left.type
    bType = right.type
    outputType = y.type
    try preparation.require(
      accepts(left.type, right.type, y.type), self,
      "\(function) of \(left.type) and \(right.type) into \(y.type)")
    try preparation.require(
      activation == .none || y.type.isComputedInFloat32, self, "an activation of \(y.type)")
    guard Shape.broadcast(left.shape, right.shape) == y.shape,
      let walk = Walk([left, right, y], over: y.shape)
    else {
      throw InstructionError(
        Binary.opcode, "\(left.shape) and \(right.shape) do not broadcast to \(y.shape)")
    }
    self.walk = walk
    if left.type.isComputedInFloat32 && isVector && walk.suitsVectors(operands: 3) {
      kernel = ElementwiseKernel.best(of: ElementwiseKernel.all, isas: preparation.isas)
    }
  }

  private func accepts(_ a: ElementType, _ b: ElementType, _ y: ElementType) -> Bool {
    let alike = a == b || a.isComputedInFloat32 && b.isComputedInFloat32
    if function.isArithmetic {
      return alike && a.isArithmetic && (a == y || a.isComputedInFloat32 && y.isComputedInFloat32)
    }
    if function.isComparison { return alike && (a.isArithmetic || a == .bool) && y == .bool }
    if function.isLogic { return a == .bool && b == .bool && y == .bool }
    return a == b && a == y && a.isInteger
  }

  package func execute(_ context: borrowing ExecutionContext) {
    if let kernel { return executeVectors(kernel, context) }
    if aType.isComputedInFloat32 && outputType.isComputedInFloat32 {
      executeFloats(context)
    } else {
      switch aType {
      case .float32, .bfloat16: compareFloats(context)
      case .float64: executeReals(context)
      case .int8: executeIntegers(context, Int8.self)
      case .uint8, .bool: executeIntegers(context, UInt8.self)
      case .int16: executeIntegers(context, Int16.self)
      case .uint16: executeIntegers(context, UInt16.self)
      case .int32: executeIntegers(context, Int32.self)
      case .uint32: executeIntegers(context, UInt32.self)
      case .int64: executeIntegers(context, Int64.self)
      default: executeIntegers(context, UInt64.self)
      }
    }
  }
}
