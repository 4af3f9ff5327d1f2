import Graphs
import Operators
import Tensors

/// What an int8 program of a float model is made from.
public struct QuantizationOptions: Sendable {
  public var ranges: Ranges
  /// Zero point 128 for every activation.
  public var isSymmetric: Bool
  /// The names of nodes that compute in float32 whatever they could.
  public var floatNodes: Set<String>
  /// How far the scales of a convolution's input channels follow their own ranges, which costs
  /// precision of the weights: 0, one scale for all; 1, each its own; nil: what promises the least
  /// error, for every value anew.
  public var equalization: Float?
  /// The means of values, for the correction of biases; nil: none.
  package var means: ChannelMeans?

  public init(
    ranges: Ranges, isSymmetric: Bool = false, floatNodes: Set<String> = [],
    equalization: Float? = nil
  ) {
    self.ranges = ranges
    self.isSymmetric = isSymmetric
    self.floatNodes = floatNodes
    self.equalization = equalization
  }
}

/// Decides which values of a float graph an int8 program keeps in 8 bits, and on which scales.
///
/// A value is kept in uint8 if a convolution or a matrix product reads it, directly or through
/// operators that work on 8 bits themselves. What follows the last multiplication (the decoding of
/// boxes, the final softmax) and what leaves the program stays float32, as do the vectors that
/// gate whole channels. Weights get a scale per output channel. A value that only depthwise
/// convolutions and element-wise nodes read has a scale per channel, which costs nothing there; one
/// that dense convolutions read may have, folded into their weights.
struct QuantizationAssignment {
  /// The graph with a quantisation on every value that is kept in 8 bits.
  private(set) var graph: Graph
  private let ranges: Ranges
  private let isSymmetric: Bool
  private let equalization: Float?
  private let users: [Graph.ValueID: [Graph.Node]]
  private let producers: [Graph.ValueID: Graph.Node]
  private var groups = ValueGroups()

  /// - Parameter graph: specialised and optimised.
  /// - Throws: `CompileError` where a range is missing.
  init(
    _ graph: Graph, _ options: QuantizationOptions
  ) throws(CompileError) {
    self.graph = graph
    ranges = options.ranges
    isSymmetric = options.isSymmetric
    equalization = options.equalization
    let floatNodes = options.floatNodes
    var users: [Graph.ValueID: [Graph.Node]] = [:]
    var producers: [Graph.ValueID: Graph.Node] = [:]
    for node in graph.nodes {
      for case let id? in node.inputs { users[id, default: []].append(node) }
      for case let id? in node.outputs { producers[id] = node }
    }
    self.users = users
    self.producers = producers
    let products = graph.nodes.filter { node in
      !floatNodes.contains(node.name) && QuantizationAssignment.multiplies(node, in: graph)
    }
    // What held infinity (a mask) has no range and stays a float.
    let wanted = wantedValues(products).filter { !ranges.infinite.contains(graph[$0].name) }
    join(wanted)
    try assign(wanted)
    for product in products { assignWeights(of: product) }
    if let means = options.means { BiasCorrection(means).apply(to: &self.graph) }
  }

  // MARK: Which values

  /// Says whether the node is a convolution or matrix product that has 8-bit instructions.
  static func multiplies(_ node: Graph.Node, in graph: Graph) -> Bool {
    guard node.inputs.count >= 2, let x = node.inputs[0], let w = node.inputs[1],
      graph[x].constant == nil, graph[x].type == .float32, let shape = graph[w].shape,
      shape.elementCount > 0
    else { return false }
    let isConstant = graph[w].constant != nil
    switch node.op {
    case is Conv: return isConstant && shape.rank < 5
    case let conv as ConvTranspose: return isConstant && shape.rank < 5 && conv.groupCount == 1
    case is MatMul: return !isConstant || shape.dimensions.dropLast(2).allSatisfy { $0 == 1 }
    case is Gemm: return isConstant
    default: return false
    }
  }

  private func isKept(_ id: Graph.ValueID) -> Bool {
    graph[id].constant == nil && graph[id].type == .float32
  }

  private func wantedValues(_ products: [Graph.Node]) -> Set<Graph.ValueID> {
    let computed = Set(products.map { $0.outputs.first ?? nil })
    var wanted: Set<Graph.ValueID> = []
    for node in graph.nodes.reversed() {
      let isWanted = node.outputs.contains { $0.map { wanted.contains($0) } ?? false }
      if computed.contains(node.outputs.first ?? nil) {
        for (position, id) in node.inputs.enumerated() {
          guard let id, isKept(id), position < 2 || position == 3 && isWanted else { continue }
          wanted.insert(id)
        }
      } else if isWanted && QuantizationAssignment.passesOn(node.op) {
        for case let id? in node.inputs where isKept(id) && !isGate(id, of: node) {
          wanted.insert(id)
        }
      }
    }
    return wanted
  }

  /// Operators whose 8-bit form is as good as their input's.
  private static func passesOn(_ op: any Operator) -> Bool {
    if let op = op as? any MovesElements { return op.movesQuantized }
    if op is any ActivationFunction { return true }
    return [
      "Add", "Sub", "Mul", "Max", "Min", "Sum", "AveragePool", "GlobalAveragePool", "ReduceMean",
    ].contains(type(of: op).name)
  }

  /// An element-wise operand that is smaller than the result: it costs nothing as a float, and its
  /// error would be that of whole channels.
  private func isGate(_ id: Graph.ValueID, of node: Graph.Node) -> Bool {
    guard ["Add", "Sub", "Mul", "Max", "Min"].contains(type(of: node.op).name),
      let output = node.outputs[0]
    else { return false }
    return (graph[id].shape?.elementCount ?? 0) < (graph[output].shape?.elementCount ?? 0)
  }

  // MARK: Which scales

  /// Joins values that must have, or do best with, one quantisation.
  private mutating func join(_ wanted: Set<Graph.ValueID>) {
    for node in graph.nodes {
      guard let op = node.op as? any MovesElements else { continue }
      let outputs = node.outputs.compactMap { $0 }.filter { wanted.contains($0) }
      let inputs = (op.movesAllInputs ? node.inputs : Array(node.inputs.prefix(1)))
        .compactMap { $0 }.filter { wanted.contains($0) }
      guard let output = outputs.first else { continue }
      for other in outputs.dropFirst() { groups.join(output, other) }
      for input in inputs where !op.movesAllInputs || mayShare(input, with: output) {
        groups.join(output, input)
      }
    }
  }

  /// Says whether a concatenated value may take the scale of the concatenation: nobody else reads
  /// it, or it fills at least half of that range.
  private func mayShare(_ input: Graph.ValueID, with output: Graph.ValueID) -> Bool {
    if users[input, default: []].count == 1 { return true }
    guard let own = ranges.values[graph[input].name],
      let whole = ranges.values[graph[output].name]
    else { return true }
    return (own.high - own.low) * 2 >= whole.high - whole.low
  }

  private mutating func assign(_ wanted: Set<Graph.ValueID>) throws(CompileError) {
    let missing = wanted.filter { ranges.values[graph[$0].name] == nil }
      .map { graph[$0].name }.sorted()
    guard missing.isEmpty else {
      let listed = missing.prefix(5).map { "\"\($0)\"" }.joined(separator: ", ")
      throw CompileError(
        .invalidData,
        "the table has no range for \(listed)"
          + (missing.count > 5 ? " and \(missing.count - 5) more" : "")
          + "; calibrate again, or add \(missing.count == 1 ? "a line" : "lines") for "
          + (missing.count == 1 ? "it" : "them"))
    }
    var bounds: [Graph.ValueID: ValueRange] = [:]
    for id in wanted {
      guard let range = ranges.values[graph[id].name] else { continue }
      let group = groups.leader(of: id)
      let known = bounds[group] ?? range
      bounds[group] = ValueRange(
        low: min(known.low, range.low), high: max(known.high, range.high))
    }
    for id in wanted {
      guard let range = bounds[groups.leader(of: id)] else { continue }
      graph[id].quantization =
        perChannel(id, within: range)
        ?? Quantization(low: range.low, high: range.high, symmetric: isSymmetric)
    }
  }

  /// How a node takes a value with a scale per channel.
  private enum ChannelUse {
    /// At no cost: the scale is part of what the node does per channel anyway.
    case free
    /// By multiplying its weights with the scales; all zero points must be alike.
    case folded
  }

  /// Scales per channel, where everybody who reads the value can take them.
  private func perChannel(_ id: Graph.ValueID, within range: ValueRange) -> Quantization? {
    guard let channels = ranges.values[graph[id].name]?.channels, let shape = graph[id].shape,
      shape.rank == 4, shape[1] == channels.count, channels.count > 1, groups.isAlone(id),
      !graph.outputs.contains(id), !graph.inputs.contains(id),
      let readers = users[id], !readers.isEmpty
    else { return nil }
    let uses = readers.map { channelUse($0, of: id) }
    guard uses.allSatisfy({ $0 != nil }) else { return nil }
    if uses.allSatisfy({ $0 == .free }) { return freeScales(channels, range) }
    let exponent = equalization ?? EqualizationChoice(channels, range, readers, graph).exponent
    return exponent > 0 ? foldedScales(channels, range, exponent) : nil
  }

  private func channelUse(_ node: Graph.Node, of id: Graph.ValueID) -> ChannelUse? {
    switch node.op {
    case let conv as Conv:
      guard node.inputs[0] == id else { return .free }
      guard !node.inputs[1...].contains(id) else { return nil }
      if isDepthwise(node) { return .free }
      return conv.groupCount == 1 ? .folded : nil
    case is BinaryOperator<Elementwise.Add>, is BinaryOperator<Elementwise.Mul>:
      return node.outputs[0].map { graph[$0].shape == graph[id].shape } == true ? .free : nil
    default: return nil
    }
  }

  private func freeScales(
    _ channels: [ValueRange.Channel], _ range: ValueRange
  ) -> Quantization {
    let share = EqualizationChoice.leastShare
    let own = channels.map { channel in
      Quantization(
        low: min(max(channel.low, range.low), range.low * share),
        high: max(min(channel.high, range.high), range.high * share), symmetric: isSymmetric)
    }
    return Quantization(
      scales: own.map { $0.scales[0] }, zeroPoints: own.map { $0.zeroPoints[0] }, axis: 1)
  }

  /// One zero point, and scales between the common one and each channel's own.
  private func foldedScales(
    _ channels: [ValueRange.Channel], _ range: ValueRange, _ exponent: Float
  ) -> Quantization? {
    let common = Quantization(low: range.low, high: range.high, symmetric: isSymmetric)
    let factors = EqualizationChoice.factors(channels, range, exponent)
    return Quantization(
      scales: factors.map { common.scales[0] * $0 },
      zeroPoints: [Int32](repeating: common.zeroPoints[0], count: factors.count), axis: 1)
  }

  private func isDepthwise(_ node: Graph.Node) -> Bool {
    guard let conv = node.op as? Conv, let weights = node.inputs[1],
      let shape = graph[weights].shape
    else { return false }
    return conv.groupCount > 1 && conv.groupCount == shape[0] && shape[1] == 1
  }

  // MARK: Weights

  private mutating func assignWeights(of node: Graph.Node) {
    guard let id = node.inputs[1], let tensor = graph[id].constant, let values = tensor.floats(),
      let x = node.inputs[0].flatMap({ graph[$0].quantization }), graph[id].quantization == nil
    else { return }
    let axis: Int
    switch node.op {
    case let product as MatMul: axis = tensor.shape.rank - (product.transposesB ? 2 : 1)
    case let product as Gemm: axis = product.transposesB ? 0 : 1
    case is ConvTranspose: axis = 1
    default: axis = 0
    }
    guard axis >= 0, axis < tensor.shape.rank else { return }
    let columns = tensor.shape[axis]
    let inner = tensor.shape.dimensions[(axis + 1)...].reduce(1, *)
    // Scales of x's channels are folded into the weights of dense convolutions.
    let taps = tensor.shape.dimensions.dropFirst(2).reduce(1, *)
    let folds = x.isPerChannel && !isDepthwise(node)
    let reference = folds ? x.foldedScale : 1
    var largest = [Float](repeating: 0, count: columns)
    for (place, value) in values.enumerated() {
      let column = place / inner % columns
      let factor = folds ? x.scale(place / taps % tensor.shape[1]) / reference : 1
      largest[column] = max(largest[column], abs(value) * factor)
    }
    let bias = node.inputs.count > 2 ? node.inputs[2].flatMap { graph[$0].constant?.floats() } : nil
    let step = { (column: Int) in folds ? reference : x.scale(column) }
    let scales = (0..<columns).map { column in
      var scale = largest[column] / 127
      // The bias, in steps of both scales, has to fit into the int32 sums.
      if let bias, bias.count == columns || bias.count == 1 {
        scale = max(scale, abs(bias[bias.count == 1 ? 0 : column]) / step(column) * 0x1p-29)
      }
      return scale > 1e-30 ? scale : 1
    }
    graph[id].quantization = Quantization(
      scales: scales, zeroPoints: [Int32](repeating: 0, count: columns), axis: axis)
  }
}

/// Sets of values that share a quantisation.
private struct ValueGroups {
  private var parents: [Graph.ValueID: Graph.ValueID] = [:]
  private var joined: Set<Graph.ValueID> = []

  func leader(of id: Graph.ValueID) -> Graph.ValueID {
    var id = id
    while let parent = parents[id] { id = parent }
    return id
  }

  func isAlone(_ id: Graph.ValueID) -> Bool { !joined.contains(id) }

  mutating func join(_ a: Graph.ValueID, _ b: Graph.ValueID) {
    let (first, second) = (leader(of: a), leader(of: b))
    joined.formUnion([a, b])
    if first != second { parents[second] = first }
  }
}
