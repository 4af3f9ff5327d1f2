import Tensors

/// What the convolutions over pictures have in common, float and 8-bit, dense and depthwise.
package protocol PictureConvolution: Instruction {
  var x: Operand { get set }
  var residual: Operand { get set }
  var y: Operand { get set }
  /// Height, width.
  var kernel: [Int] { get set }
  var strides: [Int] { get set }
  /// Top, left, bottom, right.
  var pads: [Int] { get set }
  var dilations: [Int] { get set }
  var activation: Activation { get set }
  /// The residual is added after the activation.
  var residualAfterActivation: Bool { get set }
}

extension Convolution: PictureConvolution {}
extension DepthwiseConvolution: PictureConvolution {}
extension QuantizedConvolution: PictureConvolution {}
extension QuantizedDepthwiseConvolution: PictureConvolution {}

/// The checked geometry of a two-dimensional sliding window over [N, H, W, C].
struct ConvolutionWindow: Sendable, Hashable {
  var batch: Int
  var height: Int
  var width: Int
  var channels: Int
  var outputHeight: Int
  var outputWidth: Int
  var kernelHeight: Int
  var kernelWidth: Int
  var strideY: Int
  var strideX: Int
  var padTop: Int
  var padLeft: Int
  var dilationY: Int
  var dilationX: Int

  /// Fields larger than this are refused: no real network has them, and sizes cannot overflow.
  static let fieldLimit = 1 << 15

  /// Checks that y is what the window makes of x; y's channels are free.
  init(
    _ instruction: any Instruction, x: Operand, y: Operand, kernel: [Int], strides: [Int],
    pads: [Int], dilations: [Int], _ preparation: borrowing Preparation
  ) throws(InstructionError) {
    try preparation.checkFields(
      instruction, kernel: kernel, strides: strides, pads: pads, dilations: dilations)
    let (input, output) = (preparation[x], preparation[y])
    try preparation.require(
      input.shape.rank == 4 && output.shape.rank == 4, instruction,
      "x is \(input.shape), y is \(output.shape); both must have four axes")
    let (from, to) = (input.shape.dimensions, output.shape.dimensions)
    for spec in [input, output] {
      try preparation.checkSize(instruction, spec.shape.dimensions + [spec.rowStride])
    }
    batch = from[0]
    (height, width, channels) = (from[1], from[2], from[3])
    (outputHeight, outputWidth) = (to[1], to[2])
    (kernelHeight, kernelWidth) = (kernel[0], kernel[1])
    (strideY, strideX) = (strides[0], strides[1])
    (padTop, padLeft) = (pads[0], pads[1])
    (dilationY, dilationX) = (dilations[0], dilations[1])
    let spanY = height + pads[0] + pads[2] - (kernel[0] - 1) * dilations[0] - 1
    let spanX = width + pads[1] + pads[3] - (kernel[1] - 1) * dilations[1] - 1
    let expectedHeight = spanY < 0 ? 0 : spanY / strideY + 1
    let expectedWidth = spanX < 0 ? 0 : spanX / strideX + 1
    try preparation.require(
      to[0] == batch && to[1] == expectedHeight && to[2] == expectedWidth, instruction,
      "y is \(output.shape), expected \(batch)x\(expectedHeight)x\(expectedWidth) by channels")
    try preparation.checkSize(instruction, kernel + [channels])
    try preparation.checkSize(instruction, [spanHeight(lines: 1), max(0, spanWidth), channels])
  }

  /// The input columns from the first tap of the first output pixel to the last tap of the last.
  var spanWidth: Int { (outputWidth - 1) * strideX + (kernelWidth - 1) * dilationX + 1 }

  /// The input lines that `lines` output lines look at.
  func spanHeight(lines: Int) -> Int { (lines - 1) * strideY + (kernelHeight - 1) * dilationY + 1 }

  /// Whether every tap of every output pixel lies inside x.
  var staysInside: Bool {
    padTop == 0 && padLeft == 0 && spanHeight(lines: outputHeight) <= height
      && spanWidth <= width
  }
}

/// Checks that instructions of the convolution and matrix families share.
extension Preparation {
  func checkFields(
    _ instruction: any Instruction, kernel: [Int], strides: [Int], pads: [Int], dilations: [Int]
  ) throws(InstructionError) {
    try require(
      kernel.count == 2 && strides.count == 2 && pads.count == 4 && dilations.count == 2,
      instruction, "kernel, strides, dilations must have 2 entries and pads 4")
    let limits = 1...ConvolutionWindow.fieldLimit
    try require(
      (kernel + strides + dilations).allSatisfy(limits.contains), instruction,
      "kernel \(kernel), strides \(strides), dilations \(dilations) must be in \(limits)")
    try require(
      pads.allSatisfy { $0 >= 0 && $0 <= ConvolutionWindow.fieldLimit }, instruction,
      "pads \(pads) must be in 0...\(ConvolutionWindow.fieldLimit)")
  }

  /// The product of the extents must stay far from overflow, whatever a file claims.
  func checkSize(
    _ instruction: any Instruction, _ extents: [Int]
  ) throws(InstructionError) {
    var size = 1
    for extent in extents {
      let (product, overflow) = size.multipliedReportingOverflow(by: max(1, extent))
      size = product
      try require(
        !overflow && extent >= 0 && size <= 1 << 46, instruction, "\(extents) is too large")
    }
  }

  /// x must be what a product with `weights` can read.
  func checkFactors(
    _ instruction: any Instruction, x: Operand, weights: Operand
  ) throws(InstructionError) {
    let (input, packed) = (self[x], self[weights])
    try require(
      packed.type == .float32 && input.type == .float32
        || packed.type == .bfloat16 && (input.type == .float32 || input.type == .bfloat16),
      instruction, "cannot multiply \(input.type) by \(packed.type) weights")
    try require(
      input.rowStride >= input.rowLength, instruction,
      "rows of x overlap: stride \(input.rowStride) for \(input.rowLength) elements")
  }

  /// Bias, residual and y must be what a matrix product can store.
  func checkStore(
    _ instruction: any Instruction, bias: Operand, residual: Operand, y: Operand, columns: Int,
    activation: Activation
  ) throws(InstructionError) {
    let output = self[y]
    try require(
      output.type == .float32 || output.type == .bfloat16, instruction,
      "y is \(output.type), must be float32 or bfloat16")
    try require(
      output.rowStride >= output.rowLength, instruction,
      "rows of y overlap: stride \(output.rowStride) for \(output.rowLength) elements")
    try require(
      activation.function.isVector, instruction,
      "\(activation.function) cannot be applied in a store")
    if bias.isPresent {
      let spec = self[bias]
      try require(
        spec.type == .float32 && spec.isDense && spec.shape == [columns], instruction,
        "bias is \(spec.type) \(spec.shape), must be float32 \(columns)")
    }
    if residual.isPresent {
      let spec = self[residual]
      try require(
        (spec.type == .float32 || spec.type == .bfloat16) && spec.shape == output.shape
          && spec.rowStride >= spec.rowLength,
        instruction, "residual is \(spec.type) \(spec.shape), must be like y, \(output.shape)")
    }
  }

  /// `weights` must be `groups` times the panels of `columns` columns over `runs`.
  func checkPacked(
    _ instruction: any Instruction, weights: Operand, groups: Int, columns: Int,
    runs: WeightPacking.Runs
  ) throws(InstructionError) {
    let spec = self[weights]
    let expected = WeightPacking.shape(
      panels: groups * WeightPacking.panelCount(columns: columns), depth: runs.depth,
      type: spec.type)
    try require(
      spec.shape == expected && spec.isDense, instruction,
      "packed weights are \(spec.shape), expected \(expected)")
  }
}

extension Activation.Function {
  /// Whether kernels can apply the function to vectors while they store (`functions.h`): all but
  /// the trigonometric and hyperbolic ones other than tanh.
  package var isVector: Bool {
    switch self {
    case .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh, .asinh, .acosh, .atanh,
      .scaledTanh:
      false
    default: true
    }
  }
}
