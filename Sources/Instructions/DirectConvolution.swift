import Tensors

/// A convolution, or a transposed one, over any number of spatial axes and in any arithmetic type,
/// in plain Swift.
///
/// x: [N, d..., Cin], y: [N, e..., Cout], weights: [k..., Cin / groups, Cout] from
/// `WeightPacking.convolutionND` or computed at run time, bias: [Cout], or absent; all dense and of
/// one type: float32, float64 or int32, whose sums wrap around.
///
/// Output position o sees input position o · stride + k · dilation − pad through tap k; transposed,
/// it sees i where i · stride + k · dilation − pad = o.
package struct DirectConvolution: Instruction {
  package static let opcode = "direct_convolution"

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
  package var isTransposed = false

  private var type = ElementType.float32
  private var batch = 0
  /// Extents by spatial axis.
  private var input: [Int] = []
  private var output: [Int] = []
  private var kernel: [Int] = []
  private var channels = 0
  private var columns = 0
  private var inputCount = 0
  private var outputCount = 0
  private var tapCount = 0

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &x)
    visitor.input("weights", &weights)
    visitor.input("bias", &bias)
    visitor.output("y", &y)
    visitor.field("strides", &strides)
    visitor.field("pads", &pads)
    visitor.field("dilations", &dilations)
    visitor.field("groups", &groups)
    visitor.field("transposed", &isTransposed)
  }

  package var operationCount: Int {
    let positions = isTransposed ? inputCount : outputCount
    return 2 * batch * positions * tapCount * channels / max(groups, 1) * columns
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let (source, filter, target) = (preparation[x], preparation[weights], preparation[y])
    type = target.type
    try preparation.require(
      type == .float32 || type == .float64 || type == .int32, self, "\(type) is not supported")
    let axes = source.shape.rank - 2
    try preparation.require(
      axes >= 0 && target.shape.rank == axes + 2 && filter.shape.rank == axes + 2
        && strides.count == axes && pads.count == axes && dilations.count == axes, self,
      "x is \(source.shape), weights \(filter.shape), y \(target.shape), strides \(strides)")
    for spec in [source, filter, target] {
      try preparation.require(
        spec.type == type && spec.isDense, self, "\"\(spec.name)\" must be dense \(type)")
      try preparation.checkSize(self, spec.shape.dimensions)
    }
    let limit = ConvolutionWindow.fieldLimit
    try preparation.require(
      (strides + dilations).allSatisfy { (1...limit).contains($0) }
        && pads.allSatisfy { (0...limit).contains($0) }
        && filter.shape.dimensions.dropLast(2).allSatisfy { $0 <= limit }, self,
      "strides \(strides), pads \(pads), dilations \(dilations) must be at most \(limit)")
    (channels, columns) = (source.rowLength, target.rowLength)
    try preparation.require(
      groups > 0 && channels % groups == 0 && columns % groups == 0
        && filter.shape[axes] == channels / groups && filter.rowLength == columns
        && source.shape[0] == target.shape[0], self,
      "weights \(filter.shape) in \(groups) groups do not fit x \(source.shape), y "
        + "\(target.shape)")
    if bias.isPresent {
      let spec = preparation[bias]
      try preparation.require(
        spec.type == type && spec.shape == [columns], self,
        "the bias is \(spec.type) \(spec.shape), must be \(type) \(columns)")
    }
    batch = source.shape[0]
    input = Array(source.shape.dimensions[1...axes])
    output = Array(target.shape.dimensions[1...axes])
    kernel = Array(filter.shape.dimensions[..<axes])
    inputCount = input.reduce(1, *)
    outputCount = output.reduce(1, *)
    tapCount = kernel.reduce(1, *)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    switch type {
    case .float32: run(Float.self, context)
    case .float64: run(Double.self, context)
    default: run(Int32.self, context)
    }
  }

  private func run<T: Number>(_: T.Type, _ context: borrowing ExecutionContext) {
    guard columns > 0 else { return }
    let source = context.pointer(x, as: T.self)
    let filter = context.pointer(weights, as: T.self)
    let target = context.pointer(y, as: T.self)
    let offsets = bias.isPresent ? context.pointer(bias, as: T.self) : nil
    for position in context.share(of: batch * outputCount) {
      let row = target + position * columns
      row.update(repeating: T.zero, count: columns)
      let (image, place) = position.quotientAndRemainder(dividingBy: outputCount)
      for tap in 0..<tapCount {
        guard let inside = inputPosition(place, tap: tap) else { continue }
        add(
          row, source + (image * inputCount + inside) * channels,
          filter + tap * (channels / groups) * columns)
      }
      if let offsets {
        for column in 0..<columns { row[column] = T.plus(row[column], offsets[column]) }
      }
    }
  }

  /// Where in an image of x an output position looks through a tap; nil: nowhere.
  private func inputPosition(_ output: Int, tap: Int) -> Int? {
    var (rest, tap, step, place) = (output, tap, 1, 0)
    for axis in input.indices.reversed() {
      let reach = tap % kernel[axis] * dilations[axis] - pads[axis]
      var coordinate = rest % self.output[axis]
      if isTransposed {
        coordinate -= reach
        guard coordinate >= 0, coordinate % strides[axis] == 0 else { return nil }
        coordinate /= strides[axis]
      } else {
        coordinate = coordinate * strides[axis] + reach
      }
      guard coordinate >= 0, coordinate < input[axis] else { return nil }
      place += coordinate * step
      step *= input[axis]
      rest /= self.output[axis]
      tap /= kernel[axis]
    }
    return place
  }

  /// Adds one tap's products to an output row.
  private func add<T: Number>(
    _ row: UnsafeMutablePointer<T>, _ pixel: UnsafePointer<T>, _ weights: UnsafePointer<T>
  ) {
    let (depth, width) = (channels / groups, columns / groups)
    for group in 0..<groups {
      let out = row + group * width
      for channel in 0..<depth {
        let value = pixel[group * depth + channel]
        let line = weights + channel * columns + group * width
        for column in 0..<width {
          out[column] = T.plus(out[column], T.times(value, line[column]))
        }
      }
    }
  }
}
