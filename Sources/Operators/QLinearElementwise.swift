import Graphs
import Tensors

/// What tells one of ONNX Runtime's operators on quantised tensors from the next: all of them
/// dequantise, compute in float32 and quantise.
package protocol QuantizedDefinition: Sendable {
  static var name: String { get }
  /// The positions of the quantised operands, each followed by its scale and zero point.
  static var operands: [Int] { get }
  /// The position of y's scale, followed by its zero point.
  static var result: Int { get }
  init(_ node: NodeReader) throws(ImportError)
  /// Adds the nodes between the dequantised operands and the result that is quantised.
  func add(
    to composer: inout Composer, _ operands: [Graph.ValueID]
  ) throws(GraphError) -> Graph.ValueID
}

/// Computes on quantised tensors: y = quantise(f(dequantise(x)…)), as `Definition` says.
///
/// Every operand: int8 or uint8, with a float32 scale and a zero point (optional), of one element
/// each; y: likewise, of the type of its zero point or else of the operands. com.microsoft version
/// 1.
package struct QuantizedOperator<Definition: QuantizedDefinition>: ComposedOperator {
  package static var name: String { Definition.name }
  package static var domain: String { "com.microsoft" }
  private var definition: Definition

  package init(importing node: NodeReader) throws(ImportError) {
    definition = try Definition(node)
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    var operands: [Graph.ValueID] = []
    for index in Definition.operands { operands.append(try composer.dequantized(index)) }
    let y = try definition.add(to: &composer, operands)
    let type = try composer.type(composer.input(Definition.operands[0]))
    return [try composer.quantized(y, Definition.result, type)]
  }
}

/// The definitions of ONNX Runtime's operators on quantised tensors.
package enum Quantized {
  package struct QLinearAdd: QuantizedPair {
    package static let name = "QLinearAdd"
    package static let function = "Add"
    package init(_ node: NodeReader) throws(ImportError) {}
  }

  package struct QLinearMul: QuantizedPair {
    package static let name = "QLinearMul"
    package static let function = "Mul"
    package init(_ node: NodeReader) throws(ImportError) {}
  }

  package struct QLinearSigmoid: QuantizedFunction {
    package static let name = "QLinearSigmoid"
    package init(_ node: NodeReader) throws(ImportError) {}
    package func add(
      to composer: inout Composer, _ operands: [Graph.ValueID]
    ) throws(GraphError) -> Graph.ValueID {
      try composer.add("Sigmoid", operands)
    }
  }

  package struct QLinearLeakyRelu: QuantizedFunction {
    package static let name = "QLinearLeakyRelu"
    var alpha: Float
    package init(_ node: NodeReader) throws(ImportError) {
      alpha = try node.float("alpha", default: 0.01)
    }
    package func add(
      to composer: inout Composer, _ operands: [Graph.ValueID]
    ) throws(GraphError) -> Graph.ValueID {
      try composer.add("LeakyRelu", operands, ["alpha": .float(alpha)])
    }
  }

  /// Attributes: `axis` (-1); `opset`: below 13 all axes from `axis` on are one.
  package struct QLinearSoftmax: QuantizedFunction {
    package static let name = "QLinearSoftmax"
    var axis: Int
    var isFlat: Bool
    package init(_ node: NodeReader) throws(ImportError) {
      let opset = try node.int("opset", default: 13)
      isFlat = opset < 13
      axis = try node.int("axis", default: isFlat ? 1 : -1)
    }
    package func add(
      to composer: inout Composer, _ operands: [Graph.ValueID]
    ) throws(GraphError) -> Graph.ValueID {
      let shape = try composer.shape(operands[0])
      guard isFlat else { return try composer.add("Softmax", operands, ["axis": .int(axis)]) }
      let first = try normalized(axis: axis, rank: shape.rank)
      let rows = shape.dimensions[..<first].reduce(1, *)
      let flat = try composer.reshaped(
        operands[0], [rows, shape.dimensions[first...].reduce(1, *)])
      return try composer.reshaped(
        composer.add("Softmax", [flat], ["axis": .int(1)]), shape.dimensions)
    }
  }

  /// Attribute `channels_last`.
  package struct QLinearGlobalAveragePool: QuantizedFunction {
    package static let name = "QLinearGlobalAveragePool"
    var isLast: Bool
    package init(_ node: NodeReader) throws(ImportError) {
      isLast = try node.bool("channels_last", default: false)
    }
    package func add(
      to composer: inout Composer, _ operands: [Graph.ValueID]
    ) throws(GraphError) -> Graph.ValueID {
      guard isLast else { return try composer.add("GlobalAveragePool", operands) }
      let x = try composer.channelsFirst(operands[0])
      return try composer.channelsLast(composer.add("GlobalAveragePool", [x]))
    }
  }

  /// Attributes as in `AveragePool`, and `channels_last`.
  package struct QLinearAveragePool: QuantizedFunction {
    package static let name = "QLinearAveragePool"
    var isLast: Bool
    var pool: ForwardedWindow
    package init(_ node: NodeReader) throws(ImportError) {
      isLast = try node.bool("channels_last", default: false)
      pool = try ForwardedWindow(node, hasGroups: false)
      for name in ["ceil_mode", "count_include_pad"] {
        if let value = try node.int(name) { pool.attributes[name] = .int(value) }
      }
    }
    package func add(
      to composer: inout Composer, _ operands: [Graph.ValueID]
    ) throws(GraphError) -> Graph.ValueID {
      guard isLast else { return try composer.add("AveragePool", operands, pool.attributes) }
      let x = try composer.channelsFirst(operands[0])
      return try composer.channelsLast(composer.add("AveragePool", [x], pool.attributes))
    }
  }

  /// Attributes: `axes`, `keepdims`.
  package struct QLinearReduceMean: QuantizedFunction {
    package static let name = "QLinearReduceMean"
    var axes: [Int]
    var keeps: Bool
    package init(_ node: NodeReader) throws(ImportError) {
      axes = try node.ints("axes") ?? []
      keeps = try node.bool("keepdims", default: true)
    }
    package func add(
      to composer: inout Composer, _ operands: [Graph.ValueID]
    ) throws(GraphError) -> Graph.ValueID {
      try composer.add(
        "ReduceMean", [operands[0], composer.integers(axes)], ["keepdims": .int(keeps ? 1 : 0)])
    }
  }
}

/// A function of one quantised tensor.
package protocol QuantizedFunction: QuantizedDefinition {}

extension QuantizedFunction {
  package static var operands: [Int] { [0] }
  package static var result: Int { 3 }
}

/// A function of two quantised tensors, by the name of the float operator.
package protocol QuantizedPair: QuantizedDefinition {
  static var function: String { get }
}

extension QuantizedPair {
  package static var operands: [Int] { [0, 3] }
  package static var result: Int { 6 }
  package func add(
    to composer: inout Composer, _ operands: [Graph.ValueID]
  ) throws(GraphError) -> Graph.ValueID {
    try composer.add(Self.function, operands)
  }
}

/// Joins quantised tensors of different scales along an axis.
///
/// Inputs: y's scale and zero point, then every part with its scale and zero point; each int8 or
/// uint8. Attribute `axis`. com.microsoft version 1.
package struct QLinearConcat: ComposedOperator {
  package static let name = "QLinearConcat"
  package static let domain = "com.microsoft"
  private var axis: Int

  package init(importing node: NodeReader) throws(ImportError) {
    guard let axis = try node.int("axis") else {
      throw node.invalid("attribute axis is missing")
    }
    self.axis = axis
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    var parts: [Graph.ValueID] = []
    for index in stride(from: 2, to: composer.node.inputs.count, by: 3) {
      parts.append(try composer.dequantized(index))
    }
    let y = try composer.concatenated(parts, axis: axis)
    return [try composer.quantized(y, 0, composer.type(composer.input(1)))]
  }
}

/// Chooses between quantised tensors: z = condition ? x : y, each with its scale and zero point.
/// com.microsoft version 1.
package struct QLinearWhere: ComposedOperator {
  package static let name = "QLinearWhere"
  package static let domain = "com.microsoft"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let z = try composer.add(
      "Where", [composer.input(0), composer.dequantized(1), composer.dequantized(4)])
    return [try composer.quantized(z, 7, composer.type(composer.input(1)))]
  }
}

extension Composer {
  /// The 8-bit input at a position, with scale and zero point behind it, as float32.
  mutating func dequantized(
    _ index: Int, _ attributes: [String: Attribute] = [:]
  ) throws(GraphError) -> Graph.ValueID {
    let scale = try flatScale(input(index + 1))
    var zero = optional(index + 2)
    if let given = zero { zero = try flatScale(given) }
    return try add("DequantizeLinear", [input(index), scale, zero], attributes)
  }

  /// x in 8 bits with the scale and the zero point that are inputs from a position on.
  ///
  /// - Parameter type: y's type where there is no zero point.
  mutating func quantized(
    _ x: Graph.ValueID, _ index: Int, _ type: ElementType
  ) throws(GraphError) -> Graph.ValueID {
    let zero: Graph.ValueID
    if let given = optional(index + 1) {
      zero = try flatScale(given)
    } else {
      zero = try scalar(0, type)
    }
    return try add("QuantizeLinear", [x, flatScale(input(index)), zero])
  }

  /// A parameter of one element as a scalar.
  mutating func flatScale(_ id: Graph.ValueID) throws(GraphError) -> Graph.ValueID {
    try shape(id).elementCount == 1 ? reshaped(id, []) : id
  }
}
