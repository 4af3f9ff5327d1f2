import Kernels
import Tensors

/// Normalises rows: y = (x - mean) / √(variance + epsilon) · scale + bias.
///
/// x, y: one shape, dense, seen as [rows, n] with n the product of the extents from `axis` on; both
/// float32 or bfloat16 (each on its own), or both float64. Mean and variance are those of the row;
/// in the root-mean-square form the mean is 0. From float32 or bfloat16, y may also be uint8 with
/// one quantisation. scale and bias (both optional, float32 or bfloat16;
/// float64 with float64): element i of row r uses parameter (r mod `period`) · n / `run` + i /
/// `run`, so that one instruction is
/// - layer normalisation: period 1, run 1, one parameter per element of a row;
/// - instance normalisation over [N, C, …]: axis 2, period C, run n;
/// - group normalisation over [N, G, C/G, …]: axis 2, period G, run n / (C/G).
/// mean and inverse deviation (optional, y's or x's element type): one element per row.
package struct Normalize: Instruction {
  package static let opcode = "normalize"

  package var input = Operand.none
  package var scale = Operand.none
  package var bias = Operand.none
  package var output = Operand.none
  package var mean = Operand.none
  package var inverseDeviation = Operand.none
  package var axis = 0
  package var period = 1
  package var run = 1
  package var epsilon: Float = 1e-5
  package var isRootMeanSquare = false
  var inputType = ElementType.float32
  var outputType = ElementType.float32
  var scaleType = ElementType.float32
  var biasType = ElementType.float32
  var meanType = ElementType.float32
  var deviationType = ElementType.float32
  var rows = 0
  var rowLength = 0
  private var kernel: NormalizeKernel?
  /// 1 / scale and zero point of a uint8 result.
  var byteInverse: Float = 1
  var byteZero: Int32 = 0

  package init() {}

  package init(
    _ input: Operand, axis: Int, scale: Operand = .none, bias: Operand = .none, epsilon: Float,
    isRootMeanSquare: Bool = false, to output: Operand
  ) {
    self.input = input
    self.axis = axis
    self.scale = scale
    self.bias = bias
    self.epsilon = epsilon
    self.isRootMeanSquare = isRootMeanSquare
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("scale", &scale)
    visitor.input("bias", &bias)
    visitor.output("y", &output)
    visitor.output("mean", &mean)
    visitor.output("inverse_deviation", &inverseDeviation)
    visitor.field("axis", &axis)
    visitor.field("period", &period)
    visitor.field("run", &run)
    visitor.field("epsilon", &epsilon)
    visitor.field("root_mean_square", &isRootMeanSquare)
  }

  package var replacements: [Replacement] { [Replacement(input, by: output)] }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    kernel = nil
    let x = preparation[input]
    let y = preparation[output]
    inputType = x.type
    outputType = y.type
    let isQuantized = y.type == .uint8 && y.quantization != nil
    try preparation.require(
      x.type.isComputedInFloat32 && (y.type.isComputedInFloat32 || isQuantized)
        || x.type == .float64 && y.type == .float64, self, "from \(x.type) to \(y.type)")
    if isQuantized {
      let quantization = try preparation.quantization(self, "y", output, perChannel: false)
      byteInverse = 1 / quantization.scale(0)
      byteZero = quantization.zeroPoint(0)
    }
    try preparation.require(
      x.shape == y.shape && (0...x.shape.rank).contains(axis), self,
      "\(x.shape) from axis \(axis) on cannot become \(y.shape)")
    rows = x.shape.dimensions[..<axis].reduce(1, *)
    rowLength = x.shape.dimensions[axis...].reduce(1, *)
    try preparation.require(
      period > 0 && run > 0 && rowLength % run == 0, self,
      "period \(period), run \(run) for rows of \(rowLength) elements")
    let (parameters, overflow) = (rowLength / run).multipliedReportingOverflow(by: period)
    try preparation.require(!overflow, self, "period \(period)")
    scaleType = try check(scale, parameters, "scale", preparation)
    biasType = try check(bias, parameters, "bias", preparation)
    meanType = try check(mean, rows, "mean", preparation)
    deviationType = try check(inverseDeviation, rows, "inverse deviation", preparation)
    if x.type != .float64 && rowLength > 0 {
      kernel = NormalizeKernel.best(of: NormalizeKernel.all, isas: preparation.isas)
    }
    try preparation.require(
      !isQuantized || kernel != nil || rowLength == 0, self, "no kernel stores bytes")
  }

  /// An optional operand must be dense and have the element type's kind and this many elements.
  private func check(
    _ operand: Operand, _ count: Int, _ name: String, _ preparation: Preparation
  ) throws(InstructionError) -> ElementType {
    guard operand.isPresent else { return .float32 }
    let spec = preparation[operand]
    try preparation.require(
      spec.type == inputType || spec.type.isComputedInFloat32 && inputType.isComputedInFloat32,
      self, "\(name) is \(spec.type) beside \(inputType)")
    try preparation.require(
      spec.shape.elementCount == count, self,
      "\(name) is \(spec.shape), but \(count) elements are needed")
    return spec.type
  }

  package func execute(_ context: borrowing ExecutionContext) {
    if let kernel { return executeVectors(kernel, context) }
    if inputType == .float64 {
      let x = context.pointer(input, as: Double.self)
      let y = context.pointer(output, as: Double.self)
      let scales = scale.isPresent ? context.pointer(scale, as: Double.self) : nil
      let biases = bias.isPresent ? context.pointer(bias, as: Double.self) : nil
      let means = mean.isPresent ? context.pointer(mean, as: Double.self) : nil
      let inverses =
        inverseDeviation.isPresent ? context.pointer(inverseDeviation, as: Double.self) : nil
      return normalize(context) {
        x[$0]
      } parameters: { index in
        (scales.map { $0[index] } ?? 1, biases.map { $0[index] } ?? 0)
      } store: {
        y[$0] = $1
      } statistics: { row, mean, inverse in
        means?[row] = mean
        inverses?[row] = inverse
      }
    }
    let x = FloatElements(context.pointer(input), inputType)
    let y = FloatElements(context.pointer(output), outputType)
    let scales = floats(scale, scaleType, context)
    let biases = floats(bias, biasType, context)
    let means = floats(mean, meanType, context)
    let inverses = floats(inverseDeviation, deviationType, context)
    normalize(context) {
      Double(x[$0])
    } parameters: { index in
      (Double(scales.map { $0[index] } ?? 1), Double(biases.map { $0[index] } ?? 0))
    } store: {
      y[$0] = Float($1)
    } statistics: { row, mean, inverse in
      means?[row] = Float(mean)
      inverses?[row] = Float(inverse)
    }
  }

  private func floats(
    _ operand: Operand, _ type: ElementType, _ context: borrowing ExecutionContext
  ) -> FloatElements? {
    operand.isPresent ? FloatElements(context.pointer(operand), type) : nil
  }

  private func normalize(
    _ context: borrowing ExecutionContext, _ load: (Int) -> Double,
    parameters: (Int) -> (scale: Double, bias: Double), store: (Int, Double) -> Void,
    statistics: (Int, Double, Double) -> Void
  ) {
    let count = Double(rowLength)
    for row in context.share(of: rows) {
      let start = row * rowLength
      var average = 0.0
      if !isRootMeanSquare {
        for i in 0..<rowLength { average += load(start + i) }
        average /= count
      }
      var variance = 0.0
      for i in 0..<rowLength {
        let distance = load(start + i) - average
        variance += distance * distance
      }
      let inverse = 1 / (variance / count + Double(epsilon)).squareRoot()
      let first = row % period * (rowLength / run)
      for i in 0..<rowLength {
        let (scale, bias) = parameters(first + i / run)
        store(start + i, (load(start + i) - average) * inverse * scale + bias)
      }
      statistics(row, average, inverse)
    }
  }
}
