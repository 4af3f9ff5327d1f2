import Kernels
import Tensors

/// Reduces the elements under a window that slides over the spatial axes, channel by channel.
///
/// x: [N, …, C], y: [N, …', C] channels last, one to three spatial axes, rows strided. Types: both
/// float32 or bfloat16 (each on its own), both float64; maximum also one integer type. Elements
/// outside the input do not take part; `countsPadding` lets them count in the average. A window
/// reaches at most to the end of the padding. places (maximum only, optional): int64 like y, where
/// in x, counted in the order [N, C, …] (`ordersColumns`: with the spatial axes reversed), the
/// maximum stood.
package struct Pool: Instruction {
  package static let opcode = "pool"

  package enum Function: UInt8, Sendable, CaseIterable {
    case maximum = 0
    case average = 1
    /// (Σ |x|ᵖ)^(1/p)
    case norm = 2
  }

  package var input = Operand.none
  package var output = Operand.none
  package var places = Operand.none
  package var function = Function.maximum
  /// By spatial axis, outermost first.
  package var kernel: [Int] = []
  package var strides: [Int] = []
  package var dilations: [Int] = []
  package var padsBegin: [Int] = []
  package var padsEnd: [Int] = []
  package var countsPadding = false
  package var ordersColumns = false
  /// The p of the norm.
  package var exponent = 2
  var inputType = ElementType.float32
  var outputType = ElementType.float32
  var batch = 0
  var inputExtents: [Int] = []
  var outputExtents: [Int] = []
  var channels = 0
  var inputStride = 0
  var outputStride = 0
  var placesStride = 0
  private var vectors: PoolKernel?

  package init() {}

  package init(
    _ function: Function, _ input: Operand, to output: Operand, kernel: [Int], strides: [Int],
    dilations: [Int], padsBegin: [Int], padsEnd: [Int]
  ) {
    self.function = function
    self.input = input
    self.output = output
    self.kernel = kernel
    self.strides = strides
    self.dilations = dilations
    self.padsBegin = padsBegin
    self.padsEnd = padsEnd
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.output("y", &output, strided: true)
    visitor.output("places", &places, strided: true)
    visitor.field("function", &function)
    visitor.field("kernel", &kernel)
    visitor.field("strides", &strides)
    visitor.field("dilations", &dilations)
    visitor.field("pads_begin", &padsBegin)
    visitor.field("pads_end", &padsEnd)
    visitor.field("counts_padding", &countsPadding)
    visitor.field("orders_columns", &ordersColumns)
    visitor.field("exponent", &exponent)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    vectors = nil
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    let integer = x.type.isInteger && function == .maximum
    try preparation.require(
      x.type.isComputedInFloat32 && y.type.isComputedInFloat32
        || x.type == y.type && (x.type == .float64 || integer), self,
      "\(function) from \(x.type) to \(y.type)")
    let rank = x.shape.rank
    try preparation.require(
      (3...5).contains(rank) && y.shape.rank == rank && y.shape[0] == x.shape[0]
        && y.shape[rank - 1] == x.shape[rank - 1], self,
      "\(x.shape) cannot become \(y.shape)")
    batch = x.shape[0]
    channels = x.shape[rank - 1]
    inputExtents = Array(x.shape.dimensions[1..<rank - 1])
    outputExtents = Array(y.shape.dimensions[1..<rank - 1])
    inputStride = x.rowStride
    outputStride = y.rowStride
    try preparation.checkPoolWindow(
      self, kernel: kernel, strides: strides, dilations: dilations, padsBegin: padsBegin,
      padsEnd: padsEnd, inputExtents: inputExtents, outputExtents: outputExtents)
    try preparation.require((1...64).contains(exponent), self, "exponent \(exponent)")
    if isVector { vectors = PoolKernel.best(of: PoolKernel.all, isas: preparation.isas) }
    guard places.isPresent else { return }
    let spec = preparation[places]
    placesStride = spec.rowStride
    try preparation.require(
      function == .maximum && spec.type == .int64 && spec.shape == y.shape, self,
      "places are \(spec.type) \(spec.shape)")
  }

  package var operationCount: Int {
    batch * channels * outputExtents.reduce(1, *) * kernel.reduce(1, *)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    if let vectors { return executeVectors(vectors, context) }
    switch inputType {
    case .float32:
      if outputType == .float32 {
        run(context, Float.self, Float.self)
      } else {
        run(context, Float.self, BFloat16.self)
      }
    case .bfloat16:
      if outputType == .float32 {
        run(context, BFloat16.self, Float.self)
      } else {
        run(context, BFloat16.self, BFloat16.self)
      }
    case .float64: run(context, Double.self, Double.self)
    case .int8: maximum(context, Int8.self, Int8.self)
    case .uint8: maximum(context, UInt8.self, UInt8.self)
    case .int16: maximum(context, Int16.self, Int16.self)
    case .uint16: maximum(context, UInt16.self, UInt16.self)
    case .int32: maximum(context, Int32.self, Int32.self)
    case .uint32: maximum(context, UInt32.self, UInt32.self)
    case .int64: maximum(context, Int64.self, Int64.self)
    default: maximum(context, UInt64.self, UInt64.self)
    }
  }
}
