import Kernels
import Tensors

/// Reduces a tensor over a set of axes, e.g. y = Σ x.
///
/// x: any shape, rows strided; y: x's shape with the axes 1 or left out, dense. Types: both
/// float32 or bfloat16 (each on its own), both float64, or one integer type (bool for minimum and
/// maximum). Over no elements: the function's identity; the mean of none is NaN (integers: 0).
package struct Reduce: Instruction {
  package static let opcode = "reduce"

  /// What becomes of many numbers.
  package enum Function: UInt8, Sendable, Hashable, CaseIterable {
    case sum = 0
    case mean = 1
    case maximum = 2
    case minimum = 3
    case product = 4
    /// Σ |x|
    case l1 = 5
    /// √Σ x²
    case l2 = 6
    /// log Σ x
    case logSum = 7
    /// log Σ exp(x), without overflow
    case logSumExp = 8
    case sumSquare = 9
  }

  package var input = Operand.none
  package var output = Operand.none
  package var function = Function.sum
  /// Ascending, none twice.
  package var axes: [Int] = []
  var inputType = ElementType.float32
  var outputType = ElementType.float32
  var kept = Loops()
  var reduced = Loops()
  private var kernel: (kernel: ReduceKernel, form: VectorForm)?

  package init() {}

  package init(_ function: Function, _ input: Operand, axes: [Int], to output: Operand) {
    self.function = function
    self.input = input
    self.axes = axes
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.output("y", &output)
    visitor.field("function", &function)
    visitor.field("axes", &axes)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    kernel = nil
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    let bothFloat = x.type.isComputedInFloat32 && y.type.isComputedInFloat32
    let ordered = function == .maximum || function == .minimum
    try preparation.require(
      bothFloat || x.type == y.type && (x.type.isArithmetic || x.type == .bool && ordered), self,
      "\(function) of \(x.type) into \(y.type)")
    try preparation.require(
      axes.allSatisfy { (0..<x.shape.rank).contains($0) }
        && zip(axes, axes.dropFirst()).allSatisfy { $0 < $1 }, self,
      "axes \(axes) of a tensor of rank \(x.shape.rank)")
    let set = Set(axes)
    let all = x.shape.dimensions.enumerated()
    let ones = all.map { set.contains($0.offset) ? 1 : $0.element }
    let without = all.filter { !set.contains($0.offset) }.map(\.element)
    try preparation.require(
      y.shape.dimensions == ones || y.shape.dimensions == without, self,
      "\(x.shape) over axes \(axes) cannot become \(y.shape)")
    let strides = x.strides
    kept = Loops(
      x.shape.dimensions, strides, axes: x.shape.dimensions.indices.filter { !set.contains($0) })
    reduced = Loops(x.shape.dimensions, strides, axes: axes)
    if bothFloat, let form = vectorForm {
      kernel = ReduceKernel.best(of: ReduceKernel.all, isas: preparation.isas).map { ($0, form) }
    }
  }

  package func execute(_ context: borrowing ExecutionContext) {
    if let kernel { return executeVectors(kernel.kernel, kernel.form, context) }
    switch inputType {
    case .float32:
      if outputType == .float32 {
        reals(context, Float.self, Float.self) {
          Double($0)
        } narrow: {
          Float($0)
        }
      } else {
        reals(context, Float.self, BFloat16.self) {
          Double($0)
        } narrow: {
          BFloat16(Float($0))
        }
      }
    case .bfloat16:
      if outputType == .float32 {
        reals(context, BFloat16.self, Float.self) {
          Double(Float($0))
        } narrow: {
          Float($0)
        }
      } else {
        reals(context, BFloat16.self, BFloat16.self) {
          Double(Float($0))
        } narrow: {
          BFloat16(Float($0))
        }
      }
    case .float64:
      reals(context, Double.self, Double.self) {
        $0
      } narrow: {
        $0
      }
    case .int8: integers(context, Int8.self)
    case .uint8, .bool: integers(context, UInt8.self)
    case .int16: integers(context, Int16.self)
    case .uint16: integers(context, UInt16.self)
    case .int32: integers(context, Int32.self)
    case .uint32: integers(context, UInt32.self)
    case .int64: integers(context, Int64.self)
    default: integers(context, UInt64.self)
    }
  }
}

/// Nested loops over some axes of one tensor, merged where steps allow.
struct Loops: Sendable {
  /// Outermost first.
  private(set) var extents: [Int] = []
  private(set) var steps: [Int] = []
  /// The product of all extents.
  private(set) var count = 1

  init() {}

  init(_ dimensions: [Int], _ strides: [Int], axes: [Int]) {
    for axis in axes {
      let extent = dimensions[axis]
      count *= extent
      if extent == 1 { continue }
      if let last = extents.indices.last, steps[last] == strides[axis] * extent {
        extents[last] *= extent
        steps[last] = strides[axis]
      } else {
        extents.append(extent)
        steps.append(strides[axis])
      }
    }
  }

  /// The extent of the innermost loop and the elements between its steps.
  var inner: (count: Int, step: Int) { (extents.last ?? 1, steps.last ?? 0) }

  /// The number of times that the innermost loop runs.
  var rowCount: Int { count == 0 ? 0 : count / (extents.last ?? 1) }

  /// The offset of the first element of a run of the innermost loop.
  @inline(__always)
  func offset(ofRow row: Int) -> Int {
    var rest = row
    var result = 0
    var axis = extents.count - 2
    while axis >= 0 {
      result += rest % extents[axis] * steps[axis]
      rest /= extents[axis]
      axis -= 1
    }
    return result
  }

  /// The offset of an element by its index in row-major order.
  @inline(__always)
  func offset(of index: Int) -> Int {
    guard let last = extents.last, let step = steps.last else { return 0 }
    return offset(ofRow: index / last) + index % last * step
  }
}
