import Graphs
import Instructions
import Tensors

/// Convolves 8-bit integers exactly: y = Σ (x − x_zero) · (w − w_zero); padding counts as x_zero.
///
/// x: [N, C, D1…], w: [M, C / group, k1…], int8 or uint8 each; x_zero: one element; w_zero: one
/// element or [M]; absent: 0; y: int32 [N, M, D1'…]. Attributes as `Conv`. ONNX version 10.
package struct ConvInteger: LoweredOperator {
  package static let name = "ConvInteger"
  package static let sinceVersion = 10
  private var convolution: IntegerConvolution

  package init(importing node: NodeReader) throws(ImportError) {
    convolution = try IntegerConvolution(node, x: 0, xZero: 2, w: 1, wZero: 3)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    [ValueInfo(type: .int32, shape: try convolution.output(inputs))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try convolution.lower(into: lowering, y: lowering.result(0, .channelsLast))
  }
}

/// The convolution that `ConvInteger` and `QLinearConv` share, int32, channels-last.
struct IntegerConvolution {
  var window: Window
  var groupCount: Int
  /// The node's inputs.
  var x: Int
  var xZero: Int
  var w: Int
  var wZero: Int

  init(
    _ node: NodeReader, x: Int, xZero: Int, w: Int, wZero: Int
  ) throws(ImportError) {
    window = try Window(importing: node)
    groupCount = try node.int("group", default: 1)
    guard groupCount >= 1 else { throw node.invalid("group is \(groupCount); it must be positive") }
    (self.x, self.xZero, self.w, self.wZero) = (x, xZero, w, wZero)
  }

  /// Checks types and shapes and returns the shape of y.
  func output(_ inputs: [ValueInfo?]) throws(GraphError) -> Shape {
    let (source, weights) = (try inputs.required(x, "x"), try inputs.required(w, "w"))
    for (info, zero, name) in [(source, xZero, "x"), (weights, wZero, "w")] {
      guard info.type == .int8 || info.type == .uint8 else {
        throw GraphError("\(name) is \(info.type), but must be int8 or uint8")
      }
      guard let point = inputs.optional(zero) else { continue }
      let count = name == "w" ? weights.shape.dimensions.first ?? 1 : 1
      guard point.type == info.type,
        point.shape.elementCount == 1 || point.shape == [count]
      else {
        throw GraphError(
          "the zero point of \(name) is \(point.type) \(point.shape), but \(name) is \(info.type)")
      }
    }
    guard (3...5).contains(source.shape.rank), weights.shape.rank == source.shape.rank,
      weights.shape[1] * groupCount == source.shape[1], weights.shape[0] % groupCount == 0
    else {
      throw GraphError(
        "x \(source.shape) and w \(weights.shape) do not fit to each other in \(groupCount) groups")
    }
    let resolved = try resolvedWindow(source.shape, weights.shape)
    return Shape([source.shape[0], weights.shape[0]] + resolved.output)
  }

  private func resolvedWindow(_ x: Shape, _ w: Shape) throws(GraphError) -> Window.Resolved {
    try window.resolved(
      input: Array(x.dimensions.dropFirst(2)), kernel: Array(w.dimensions.dropFirst(2)))
  }

  /// Emits the convolution to `y`: int32, channels-last.
  func lower(into lowering: Lowering, y: Operand) throws(GraphError) {
    let (source, weights) = (try lowering.required(x), try lowering.required(w))
    let shape = weights.shape
    let resolved = try resolvedWindow(source.shape, shape)
    let taps = resolved.kernel.reduce(1, *)
    let terms =
      Lowering.exactSum / (lowering.reach(x, zero: xZero) * lowering.reach(w, zero: wZero))
    let inner = shape[1] * taps
    let known = lowering.centredConstant(w, zero: wZero) { inner == 0 ? 0 : $0 / inner }
    guard source.shape.rank < 5, let known, taps <= terms, inner <= terms || groupCount == 1,
      inner > 0
    else { return try lowerDirect(into: lowering, resolved, known, y: y) }
    let picture = PictureWindow(resolved)
    let pixels = lowering.flattenedToPicture(
      channelsLast(try lowering.centred(x, zero: xZero, as: .float32), lowering))
    let target = lowering.flattenedToPicture(y)
    let pieces =
      inner <= terms ? [0..<shape[1]] : Lowering.pieces(shape[1], length: terms / taps)
    try lowering.emitSum(of: pieces, to: target) { range, part throws(GraphError) in
      var convolution = Convolution()
      convolution.x = inner <= terms ? pixels : lowering.columns(pixels, range)
      convolution.weights = lowering.constant(
        WeightPacking.convolution(
          slice(known, range, shape[1], taps),
          shape: [shape[0], range.count, picture.kernel[0], picture.kernel[1]],
          groups: groupCount, dilations: picture.dilations, as: .float32),
        name: "\(lowering.node.name).weights")
      convolution.groups = groupCount
      convolution.kernel = picture.kernel
      convolution.strides = picture.strides
      convolution.pads = picture.pads
      convolution.dilations = picture.dilations
      convolution.y = part
      lowering.emit(convolution)
    }
  }

  /// Computed weights, three spatial axes and sums that pieces of channels do not shorten.
  private func lowerDirect(
    into lowering: Lowering, _ window: Window.Resolved, _ known: [Float]?, y: Operand
  ) throws(GraphError) {
    let shape = try lowering.required(w).shape
    let axes = Array(2..<shape.rank) + [1, 0]
    var convolution = DirectConvolution()
    convolution.x = channelsLast(try lowering.centred(x, zero: xZero, as: .int32), lowering)
    if let known {
      convolution.weights = lowering.constant(
        TensorBuffer(.int32, shape, known.map { Int32($0) }).transposed(axes),
        name: "\(lowering.node.name).weights")
    } else {
      let column = Shape([shape[0]] + [Int](repeating: 1, count: shape.rank - 1))
      let isSingle = lowering.info(wZero)?.shape.elementCount == 1
      let centred = try lowering.centred(
        w, zero: wZero, shape: isSingle ? [1] : column, as: .int32)
      convolution.weights = lowering.permuted(centred, axes)
    }
    convolution.strides = window.strides
    convolution.pads = window.padsBegin
    convolution.dilations = window.dilations
    convolution.groups = groupCount
    convolution.y = y
    lowering.emit(convolution)
  }

  private func channelsLast(_ operand: Operand, _ lowering: Lowering) -> Operand {
    let axes = Layout.channelsLast.axes(rank: lowering[operand].shape.rank)
    return lowering.permuted(operand, axes)
  }

  /// The input channels `range` of weights [M, channels, taps].
  private func slice(
    _ values: [Float], _ range: Range<Int>, _ channels: Int, _ taps: Int
  ) -> [Float] {
    guard range != 0..<channels else { return values }
    var result: [Float] = []
    for first in stride(from: 0, to: values.count, by: channels * taps) {
      result += values[first + range.lowerBound * taps..<first + range.upperBound * taps]
    }
    return result
  }
}
