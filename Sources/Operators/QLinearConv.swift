import Graphs
import Instructions
import Tensors

/// Convolves quantised tensors: y = saturate(round((b + Σ (x − x_zero) · (w − w_zero)) · (x_scale ·
/// w_scale / y_scale)) + y_zero), with exact integer sums.
///
/// x: [N, C, D1…], w: [M, C / group, k1…], int8 or uint8 each; x_scale, x_zero, y_scale, y_zero:
/// one element; w_scale, w_zero: one element or [M]; b: int32 [M], or absent; y: of y_zero's type.
/// Attributes as `Conv`. ONNX version 10.
///
/// With constant parameters and symmetric weights it is written out as a convolution between
/// DequantizeLinear and QuantizeLinear, so that int8 programs run it by their kernels.
package struct QLinearConv: ComposedOperator {
  package static let name = "QLinearConv"
  package static let sinceVersion = 10

  private var convolution: IntegerConvolution
  private let requantization = Requantization(xScale: 1, wScale: 4, yScale: 6, yZero: 7)
  private var attributes: [String: Attribute] = [:]

  package init(importing node: NodeReader) throws(ImportError) {
    convolution = try IntegerConvolution(node, x: 0, xZero: 2, w: 3, wZero: 5)
    let window = convolution.window
    attributes["group"] = .int(convolution.groupCount)
    attributes["auto_pad"] = .string(window.autoPad.rawValue)
    for (name, values) in [
      ("kernel_shape", window.kernel), ("strides", window.strides),
      ("dilations", window.dilations), ("pads", window.pads),
    ] where !values.isEmpty {
      attributes[name] = .ints(values)
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let type = try requantization.type(inputs)
    let shape = try convolution.output(inputs)
    let columns = shape[1]
    let scale = try inputs.required(4, "w_scale").shape
    guard try inputs.required(1, "x_scale").shape.elementCount == 1,
      scale.elementCount == 1 || scale == [columns]
    else { throw GraphError("w_scale is \(scale), but there are \(columns) output channels") }
    if let bias = inputs.optional(8), bias.type != .int32 || bias.shape != [columns] {
      throw GraphError("the bias is \(bias.type) \(bias.shape), but must be int32 [\(columns)]")
    }
    return [ValueInfo(type: type, shape: shape)]
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    for index in 1...8 {
      guard let id = composer.optional(index) else { continue }
      guard composer.graph[id].constant != nil else { return nil }
    }
    let (w, wScale) = (try composer.input(3), try composer.input(4))
    guard try composer.type(w) == .int8, let xs = composer.floats(1)?.first,
      let ws = composer.floats(4), try composer.type(wScale) == .float32,
      try composer.type(composer.input(1)) == .float32
    else { return nil }
    if let zeros = composer.optional(5) {
      guard composer.graph[zeros].constant?.integers()?.allSatisfy({ $0 == 0 }) == true else {
        return nil
      }
    }
    let columns = try composer.shape(w)[0]
    let x = try composer.add(
      "DequantizeLinear", [composer.input(0), composer.input(1), composer.optional(2)])
    let scales = (0..<columns).map { ws[ws.count == 1 ? 0 : $0] }
    let weights = try composer.add(
      "DequantizeLinear", [w, composer.constant(TensorBuffer([columns], scales))],
      ["axis": .int(0)])
    var bias: Graph.ValueID?
    if let given = composer.optional(8), let values = composer.graph[given].constant?.integers() {
      bias = composer.constant(
        TensorBuffer([columns], (0..<columns).map { Float(values[$0]) * (xs * scales[$0]) }))
    }
    let y = try composer.add("Conv", [x, weights, bias], attributes)
    return [try composer.add("QuantizeLinear", [y, composer.input(6), composer.input(7)])]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let y = try lowering.result(0, .channelsLast)
    let shape = lowering[y].shape
    var sum = lowering.temporary(.int32, shape, layout: .channelsLast)
    try convolution.lower(into: lowering, y: sum)
    if lowering.info(8) != nil {
      let biased = lowering.temporary(.int32, shape, layout: .channelsLast)
      lowering.emit(Binary(.add, sum, try lowering.operand(8), to: biased))
      sum = biased
    }
    let count = try lowering.required(4).shape.elementCount
    try requantization.lower(into: lowering, sum, xShape: [1], wShape: [count], y: y)
  }
}
