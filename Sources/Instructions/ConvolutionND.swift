import Tensors

/// A convolution over any number of spatial axes, in plain Swift.
///
/// x: float32 [N, d..., Cin], y: float32 [N, e..., Cout], dense. weights: float32
/// [k..., Cin / groups, Cout], from `WeightPacking.convolutionND`. bias: float32 [Cout], or absent.
/// With two spatial axes `convolution` is the fast way.
public struct ConvolutionND: Instruction {
  public static let opcode = "convolution_nd"

  package var x = Operand.none
  package var weights = Operand.none
  package var bias = Operand.none
  package var y = Operand.none
  /// One entry per spatial axis.
  package var strides: [Int] = []
  /// Before the first element of every spatial axis; y's extents say the rest.
  package var pads: [Int] = []
  package var dilations: [Int] = []
  package var groups = 1

  private var plan: Plan?

  /// Extents by spatial axis.
  private struct Plan: Sendable {
    var batch: Int
    var input: [Int]
    var output: [Int]
    var kernel: [Int]
    var channels: Int
    var columns: Int
    var outputCount: Int
    var inputCount: Int
    var tapCount: Int
  }

  public init() {}

  public mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &x)
    visitor.input("weights", &weights)
    visitor.input("bias", &bias)
    visitor.output("y", &y)
    visitor.field("strides", &strides)
    visitor.field("pads", &pads)
    visitor.field("dilations", &dilations)
    visitor.field("groups", &groups)
  }

  public var operationCount: Int {
    guard let plan else { return 0 }
    return 2 * plan.batch * plan.outputCount * plan.tapCount * plan.channels / groups
      * plan.columns
  }

  public mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let (input, filter, output) = (preparation[x], preparation[weights], preparation[y])
    let axes = input.shape.rank - 2
    try preparation.require(
      axes >= 0 && output.shape.rank == axes + 2 && filter.shape.rank == axes + 2
        && strides.count == axes && pads.count == axes && dilations.count == axes,
      self, "x is \(input.shape), weights \(filter.shape), y \(output.shape), strides \(strides)")
    for spec in [input, filter, output] {
      try preparation.require(
        spec.type == .float32 && spec.isDense, self, "\(spec.name) must be dense float32")
    }
    let limit = ConvolutionWindow.fieldLimit
    try preparation.require(
      (strides + dilations).allSatisfy { $0 >= 1 && $0 <= limit }
        && pads.allSatisfy { $0 >= 0 && $0 <= limit }, self,
      "strides \(strides), pads \(pads), dilations \(dilations) must be at most \(limit)")
    let (channels, columns) = (input.rowLength, output.rowLength)
    try preparation.require(
      groups > 0 && channels % groups == 0 && columns % groups == 0
        && filter.shape[axes] == channels / groups && filter.rowLength == columns
        && input.shape[0] == output.shape[0], self,
      "weights \(filter.shape) in \(groups) groups do not fit x \(input.shape), y \(output.shape)")
    try preparation.checkStore(
      self, bias: bias, residual: .none, y: y, columns: columns, activation: .none)
    for spec in [input, filter, output] { try preparation.checkSize(self, spec.shape.dimensions) }
    let spatial = 1..<axes + 1
    let plan = Plan(
      batch: input.shape[0], input: Array(input.shape.dimensions[spatial]),
      output: Array(output.shape.dimensions[spatial]),
      kernel: Array(filter.shape.dimensions[0..<axes]), channels: channels, columns: columns,
      outputCount: output.shape.dimensions[spatial].reduce(1, *),
      inputCount: input.shape.dimensions[spatial].reduce(1, *),
      tapCount: filter.shape.dimensions[0..<axes].reduce(1, *))
    self.plan = plan
  }

  public func execute(_ context: borrowing ExecutionContext) {
    guard let plan, plan.columns > 0 else { return }
    let target = context.pointer(y, as: Float.self)
    for position in context.share(of: plan.batch * plan.outputCount) {
      let row = target + position * plan.columns
      if bias.isPresent {
        let bias = context.pointer(bias, as: Float.self)
        for column in 0..<plan.columns { row[column] = bias[column] }
      } else {
        for column in 0..<plan.columns { row[column] = 0 }
      }
      let (image, place) = position.quotientAndRemainder(dividingBy: plan.outputCount)
      for tap in 0..<plan.tapCount {
        guard let inside = inputPosition(plan, place, tap: tap) else { continue }
        add(
          plan, row,
          context.pointer(x, as: Float.self) + (image * plan.inputCount + inside) * plan.channels,
          context.pointer(weights, as: Float.self)
            + tap * (plan.channels / groups) * plan.columns)
      }
    }
  }

  /// Where in an image of x a tap of an output position lies; nil outside.
  private func inputPosition(_ plan: Plan, _ output: Int, tap: Int) -> Int? {
    var (output, tap, step, place) = (output, tap, 1, 0)
    for axis in plan.input.indices.reversed() {
      let coordinate =
        output % plan.output[axis] * strides[axis] + tap % plan.kernel[axis] * dilations[axis]
        - pads[axis]
      guard coordinate >= 0, coordinate < plan.input[axis] else { return nil }
      place += coordinate * step
      step *= plan.input[axis]
      output /= plan.output[axis]
      tap /= plan.kernel[axis]
    }
    return place
  }

  /// Adds one tap's products to an output row.
  private func add(
    _ plan: Plan, _ row: UnsafeMutablePointer<Float>, _ pixel: UnsafePointer<Float>,
    _ weights: UnsafePointer<Float>
  ) {
    let (channels, columns) = (plan.channels / groups, plan.columns / groups)
    for group in 0..<groups {
      let out = row + group * columns
      for channel in 0..<channels {
        let value = pixel[group * channels + channel]
        let line = weights + channel * plan.columns + group * columns
        for column in 0..<columns { out[column] += value * line[column] }
      }
    }
  }
}
