import Graphs
import Instructions
import Tensors

/// What lowering has made so far: a program without a memory plan, and the constants it refers to.
public struct LoweredProgram: Sendable {
  package var program = Program()
  /// The contents of the constant tensors, by operand. Their offsets are set when weights are
  /// laid out.
  package var constants: [Operand: TensorBuffer] = [:]

  package init() {}
}

/// Turns the nodes of a specialised graph into a program, one node after the other.
///
/// Every graph value has one native physical tensor (type, layout) made by its producer, and
/// further forms (other layout, other element type), made on demand and kept, so that a
/// conversion happens once however many nodes ask for it.
public final class Lowering {
  /// How a float value is kept in memory inside the program.
  package typealias StorageRule = (Graph.ValueID) -> ElementType

  package let graph: Graph
  package private(set) var lowered = LoweredProgram()
  /// The node that is being lowered.
  package private(set) var node: Graph.Node
  private let storageRule: StorageRule
  var forms: [Graph.ValueID: [Form]] = [:]
  private var constantOperands: [ObjectIdentifier: Operand] = [:]
  /// The nodes that read each value, by their places; made when somebody asks.
  private var readersByValue: [Graph.ValueID: [Int]]?
  /// Set while the node only moves quantised elements; see `MovesElements`.
  var moving: Move?

  struct Form {
    var layout: Layout
    var operand: Operand
  }

  /// - Parameters:
  ///   - graph: specialised: every value has a type and a shape.
  ///   - storage: for a value that the graph declares float32 or float16, the type it is kept in:
  ///     float32 or bfloat16.
  package init(_ graph: Graph, storage: @escaping StorageRule) {
    self.graph = graph
    storageRule = storage
    node = Graph.Node(name: "", op: Identity(), inputs: [], outputs: [])
  }

  // MARK: What an operator sees

  /// What is known of the node's input at this position; nil for an absent one.
  package func info(_ index: Int) -> ValueInfo? {
    guard index < node.inputs.count, let id = node.inputs[index] else { return nil }
    return graph.info(of: id)
  }

  /// What is known of a required input.
  package func required(_ index: Int) throws(GraphError) -> ValueInfo {
    guard let info = info(index) else { throw GraphError("input \(index) is missing") }
    return info
  }

  /// What is known of the node's output at this position.
  package func outputInfo(_ index: Int) throws(GraphError) -> ValueInfo {
    guard index < node.outputs.count, let id = node.outputs[index],
      let info = graph.info(of: id)
    else { throw GraphError("output \(index) has no shape") }
    return info
  }

  /// Says whether somebody asks for the output at this position.
  package func wants(output index: Int) -> Bool {
    index < node.outputs.count && node.outputs[index] != nil
  }

  /// Says whether the output at this position is an output of the graph that no node reads.
  package func isLast(output index: Int) -> Bool {
    guard index < node.outputs.count, let id = node.outputs[index], graph.outputs.contains(id)
    else { return false }
    return readers(of: id).isEmpty
  }

  /// The nodes that read a value.
  func readers(of id: Graph.ValueID) -> [Graph.Node] {
    if readersByValue == nil {
      var all: [Graph.ValueID: [Int]] = [:]
      for (place, node) in graph.nodes.enumerated() {
        for case let input? in node.inputs { all[input, default: []].append(place) }
      }
      readersByValue = all
    }
    return (readersByValue?[id] ?? []).map { graph.nodes[$0] }
  }

  /// The layout in which the input lies already; `.declared` for constants.
  package func layout(_ index: Int) -> Layout {
    guard index < node.inputs.count, let id = node.inputs[index] else { return .declared }
    return forms[id]?.first?.layout ?? .declared
  }

  /// The layout for an element-wise node: channels-last as soon as one input of the output's rank
  /// lies so, provided that every other input can follow (has the same rank, is a scalar, or is
  /// a constant of the same rank); otherwise as declared.
  package func commonLayout(rank: Int) -> Layout {
    guard (3...5).contains(rank) else { return .declared }
    var layout = Layout.declared
    for index in node.inputs.indices {
      guard let info = info(index) else { continue }
      if info.shape.rank == rank {
        if self.layout(index) == .channelsLast { layout = .channelsLast }
      } else if info.shape.elementCount != 1 {
        return .declared
      }
    }
    return layout
  }

  /// The tensor of the node's input in the given layout and, if given, element type; emits a
  /// conversion if no such form exists yet.
  ///
  /// - Parameter type: the element type in memory; nil accepts what the value is kept in (float32
  ///   or bfloat16 for floats; the declared type otherwise). Never the 8 bits of a quantised value,
  ///   for which `quantizedOperand` asks, unless the node only moves elements.
  package func operand(
    _ index: Int, _ layout: Layout = .declared, type: ElementType? = nil
  ) throws(GraphError) -> Operand {
    if let moving, moving.inputs.contains(index) {
      return try quantizedOperand(index, layout, as: moving.quantization)
    }
    guard index < node.inputs.count, let id = node.inputs[index] else {
      throw GraphError("input \(index) is missing")
    }
    return try operand(of: id, layout, type: type)
  }

  /// Makes the tensor of the node's output in this layout. The next instruction writes it.
  ///
  /// - Parameter type: the element type in memory; nil: as the value is kept.
  package func result(
    _ index: Int, _ layout: Layout = .declared, type: ElementType? = nil
  ) throws(GraphError) -> Operand {
    guard index < node.outputs.count, let id = node.outputs[index] else {
      // Nobody asks for it, but the instruction needs a place to write to.
      throw GraphError("output \(index) is not used")
    }
    let info = try outputInfo(index)
    let operand = temporary(
      moving != nil && info.type.isFloat ? .uint8 : type ?? storage(of: id),
      layout.physical(info.shape), layout: layout, name: graph[id].name)
    forms[id] = [Form(layout: layout, operand: operand)]
    return operand
  }

  /// Makes the node's output the same memory as `operand`, dense, under the output's shape.
  ///
  /// - Parameter quantization: what the memory's 8 bits stand for as this output; nil: the same as
  ///   in `operand`.
  package func alias(
    _ index: Int, to operand: Operand, _ layout: Layout = .declared,
    quantization: Quantization? = nil
  ) throws(GraphError) {
    guard index < node.outputs.count, let id = node.outputs[index] else { return }
    let info = try outputInfo(index)
    let view = reshaped(operand, layout.physical(info.shape), layout: layout, name: graph[id].name)
    if let quantization {
      setQuantization(quantization, of: view)
    } else if !info.type.isFloat {
      lowered.program.tensors[Int(view.index)].quantization = nil
    }
    forms[id] = [Form(layout: layout, operand: view)]
  }

  /// A new tensor for the node's own use.
  package func temporary(
    _ type: ElementType, _ shape: Shape, layout: Layout = .declared, name: String? = nil
  ) -> Operand {
    let spec = TensorSpec(
      name: name ?? "\(node.name).\(lowered.program.tensors.count)", type: type, shape: shape,
      layout: layout, quantization: type == .uint8 ? moving?.quantization : nil)
    lowered.program.tensors.append(spec)
    return Operand(lowered.program.tensors.count - 1)
  }

  /// The memory of `operand`, which must be dense, under another shape with as many elements.
  package func reshaped(
    _ operand: Operand, _ shape: Shape, layout: Layout = .declared, name: String? = nil
  ) -> Operand {
    let source = self[operand]
    precondition(source.shape.elementCount == shape.elementCount, "a view keeps its elements")
    let view = temporary(source.type, shape, layout: layout, name: name)
    lowered.program.tensors[Int(view.index)].storage = .view(of: operand, byteOffset: 0)
    lowered.program.tensors[Int(view.index)].quantization = source.quantization
    return view
  }

  /// Makes a tensor a part of another's memory, with rows as far apart as there.
  func place(_ view: Operand, in operand: Operand, byteOffset: Int) {
    lowered.program.tensors[Int(view.index)].storage = .view(of: operand, byteOffset: byteOffset)
    lowered.program.tensors[Int(view.index)].rowStride = self[operand].rowStride
  }

  /// Says what the 8-bit elements of a tensor stand for, and how it lies where that is new.
  func setQuantization(
    _ quantization: Quantization, of operand: Operand, layout: Layout? = nil
  ) {
    lowered.program.tensors[Int(operand.index)].quantization = quantization
    if let layout { lowered.program.tensors[Int(operand.index)].layout = layout }
  }

  /// A constant tensor, in the layout and type that it has.
  package func constant(_ tensor: TensorBuffer, name: String? = nil) -> Operand {
    let key = ObjectIdentifier(tensor)
    if let known = constantOperands[key] { return known }
    let operand = temporary(
      tensor.type, tensor.shape, name: name ?? "\(node.name).constant")
    lowered.program.tensors[Int(operand.index)].storage = .constant(offset: 0)
    lowered.constants[operand] = tensor
    constantOperands[key] = operand
    return operand
  }

  package func emit(_ instruction: some Instruction) {
    lowered.program.instructions.append(instruction)
    lowered.program.origins.append(node.name)
  }

  package subscript(operand: Operand) -> TensorSpec {
    lowered.program.tensors[Int(operand.index)]
  }

  /// How the output at this position is kept in memory: float32 or bfloat16 for floats.
  package func storage(ofOutput index: Int) -> ElementType {
    guard index < node.outputs.count, let id = node.outputs[index] else { return .float32 }
    return storage(of: id)
  }

  // MARK: Driving

  /// Lowers the whole graph.
  package static func lower(
    _ graph: Graph, storage: @escaping StorageRule
  ) throws(GraphError) -> LoweredProgram {
    let lowering = Lowering(graph, storage: storage)
    for id in graph.inputs {
      try lowering.addInput(id)
      try lowering.settleInput(id)
    }
    for node in graph.nodes {
      lowering.node = node
      do throws(GraphError) {
        guard let op = node.op as? any LoweredOperator else {
          throw GraphError("the operator \(type(of: node.op).name) has no lowering")
        }
        try lowering.lower(op)
      } catch {
        throw error.at(node)
      }
    }
    for id in graph.outputs { try lowering.addOutput(id) }
    return lowering.lowered
  }

  private func addInput(_ id: Graph.ValueID) throws(GraphError) {
    guard let info = graph.info(of: id) else {
      throw GraphError("the shape of input \"\(graph[id].name)\" is not known")
    }
    let name = graph[id].name
    let operand = temporary(info.type, info.shape, name: name)
    forms[id] = [Form(layout: .declared, operand: operand)]
    lowered.program.inputs.append(
      Program.Port(name: name, type: info.type, shape: info.shape, operand: operand))
    node.name = name
  }

  private func addOutput(_ id: Graph.ValueID) throws(GraphError) {
    guard let info = graph.info(of: id) else {
      throw GraphError("the shape of output \"\(graph[id].name)\" is not known")
    }
    node.name = graph[id].name
    var operand = try operand(of: id, .declared, type: info.type)
    if mustBeCopied(operand) {
      let copy = temporary(info.type, info.shape, name: graph[id].name)
      if info.type.isPacked {
        emit(CastSmall(operand, to: copy))
      } else {
        emit(Copy.converting(operand, self[operand], to: copy, self[copy], axes: nil))
      }
      operand = copy
    }
    lowered.program.outputs.append(
      Program.Port(name: graph[id].name, type: info.type, shape: info.shape, operand: operand))
  }

  /// An output needs memory of its own: not an input's, a constant's, another output's, or a view.
  private func mustBeCopied(_ operand: Operand) -> Bool {
    if case .unplaced = self[operand].storage {
      return (lowered.program.inputs + lowered.program.outputs).contains { $0.operand == operand }
    }
    return true
  }

  private func storage(of id: Graph.ValueID) -> ElementType {
    switch graph[id].type {
    case .float32, .float16: storageRule(id)
    case let type?: type.innerType
    case nil: .float32
    }
  }

  func operand(
    of id: Graph.ValueID, _ layout: Layout, type: ElementType?
  ) throws(GraphError) -> Operand {
    guard let info = graph.info(of: id) else {
      throw GraphError("the shape of \"\(graph[id].name)\" is not known")
    }
    if forms[id] == nil {
      guard let constant = info.constant else {
        throw GraphError("\"\(graph[id].name)\" is used before it is made")
      }
      return try self.constant(constant, in: layout, type: type, name: graph[id].name)
    }
    // Inputs arrive as they are declared, and are then kept like all values.
    let type = type ?? (info.type == .float32 ? storage(of: id) : nil)
    let known = (forms[id] ?? []).filter { self[$0.operand].quantization == nil }
    if known.isEmpty {
      let form = try dequantized(id, layout)
      return type == nil || type == .float32 ? form : try operand(of: id, layout, type: type)
    }
    // float16 and packed types exist at the border only.
    let accepts = { (have: ElementType) in
      type.map { $0 == have } ?? (have.innerType == have)
    }
    if let form = known.first(where: { $0.layout == layout && accepts(self[$0.operand].type) }) {
      return form.operand
    }
    guard let native = known.first(where: { !self[$0.operand].type.isPacked }) ?? known.first
    else { throw GraphError("no form of \"\(graph[id].name)\"") }
    let have = self[native.operand]
    let wanted = type ?? (have.type.innerType == have.type ? have.type : storage(of: id))
    if wanted != have.type && (wanted.isPacked || have.type.isPacked) {
      return try repacked(id, native, as: wanted, layout)
    }
    let physical = layout.physical(info.shape)
    let from = native.layout.axes(rank: info.shape.rank)
    let order = layout.axes(rank: info.shape.rank).map { axis in from.firstIndex(of: axis) ?? axis }
    let moved = order.filter { have.shape[$0] != 1 }
    if wanted == have.type && moved == moved.sorted() {
      // Only axes of extent 1 change places: the same bytes.
      let view = reshaped(native.operand, physical, layout: layout, name: graph[id].name)
      forms[id, default: []].append(Form(layout: layout, operand: view))
      return view
    }
    let target = temporary(wanted, physical, layout: layout, name: graph[id].name)
    emit(Copy.converting(native.operand, have, to: target, self[target], axes: order))
    forms[id, default: []].append(Form(layout: layout, operand: target))
    return target
  }

  /// A form on the other side of the border: packed elements where they lay singly, or the other
  /// way round.
  private func repacked(
    _ id: Graph.ValueID, _ native: Form, as wanted: ElementType, _ layout: Layout
  ) throws(GraphError) -> Operand {
    let isPacked = self[native.operand].type.isPacked
    let source =
      isPacked ? native : Form(layout: layout, operand: try operand(of: id, layout, type: nil))
    let target = temporary(
      isPacked ? storage(of: id) : wanted, self[source.operand].shape, layout: source.layout,
      name: graph[id].name)
    emit(CastSmall(source.operand, to: target))
    forms[id, default: []].append(Form(layout: source.layout, operand: target))
    return isPacked ? try operand(of: id, layout, type: wanted) : target
  }

  private func constant(
    _ tensor: TensorBuffer, in layout: Layout, type: ElementType?, name: String
  ) throws(GraphError) -> Operand {
    let wanted = type ?? tensor.type.innerType
    if layout == .declared && wanted == tensor.type { return constant(tensor, name: name) }
    let key = FormKey(tensor: ObjectIdentifier(tensor), layout: layout, type: wanted)
    if let known = convertedConstants[key] { return known }
    guard let converted = tensor.converted(to: wanted) else {
      throw GraphError("a constant \(tensor.type) cannot become \(wanted)")
    }
    let axes = layout.axes(rank: tensor.shape.rank)
    let operand = constant(converted.transposed(axes), name: name)
    lowered.program.tensors[Int(operand.index)].layout = layout
    convertedConstants[key] = operand
    return operand
  }

  private struct FormKey: Hashable {
    var tensor: ObjectIdentifier
    var layout: Layout
    var type: ElementType
  }
  private var convertedConstants: [FormKey: Operand] = [:]
}
