import Graphs
import Instructions
import Kernels
import Tensors

@testable import Operators

/// Runs one operator as the compiler would: reads the node, infers shapes, lowers, prepares and
/// executes the instructions.
struct OperatorRunner {
  /// An operand of the node.
  enum Input {
    /// Known at compile time.
    case constant(TensorBuffer)
    /// Given at run time.
    case runtime(TensorBuffer)
    /// Given at run time as [N, C, ...] and turned to channels-last before the node sees it.
    case channelsLast(TensorBuffer)
    case absent

    var tensor: TensorBuffer? {
      switch self {
      case .constant(let tensor), .runtime(let tensor), .channelsLast(let tensor): tensor
      case .absent: nil
      }
    }
  }

  var type: any LoweredOperator.Type
  var version = 21
  var outputCount = 1
  var attributes: [String: Attribute] = [:]
  var isas: Set<ISA> = ISA.host
  var parts = 1
  var storage = ElementType.float32

  init(
    _ type: any LoweredOperator.Type, version: Int = 21, outputs: Int = 1,
    _ attributes: [String: Attribute] = [:]
  ) {
    self.type = type
    self.version = version
    outputCount = outputs
    self.attributes = attributes
  }

  /// What a run made, and with which instructions.
  struct Outcome {
    var outputs: [TensorBuffer]
    var opcodes: [String]
    var fault: UInt32
  }

  func callAsFunction(_ inputs: Input...) throws -> TensorBuffer {
    try run(inputs).outputs[0]
  }

  func outputs(_ inputs: Input...) throws -> [TensorBuffer] { try run(inputs).outputs }

  func outcome(_ inputs: Input...) throws -> Outcome { try run(inputs) }

  func run(_ inputs: [Input]) throws -> Outcome {
    let reader = NodeReader(
      name: "node", operatorName: type.name, domain: type.domain, version: version,
      inputs: inputs.map { $0.tensor != nil },
      outputs: [Bool](repeating: true, count: outputCount), attributes: attributes)
    let op = try type.init(importing: reader)
    if !reader.unreadAttributes.isEmpty {
      throw GraphError("attributes nobody reads: \(reader.unreadAttributes)")
    }
    var graph = Graph()
    var fed: [TensorBuffer] = []
    let ids = inputs.enumerated().map { index, input -> Graph.ValueID? in
      guard let tensor = input.tensor else { return nil }
      var value = Graph.Value(
        name: "x\(index)", type: tensor.type,
        dimensions: tensor.shape.dimensions.map { .known($0) })
      if case .constant = input {
        value.constant = tensor
        return graph.add(value)
      }
      fed.append(tensor)
      guard case .channelsLast = input else {
        let id = graph.add(value)
        graph.inputs.append(id)
        return id
      }
      // Fed as [N, ..., C] and transposed: lowering makes that a channels-last alias.
      let rank = tensor.shape.rank
      let last = Layout.channelsLast.axes(rank: rank)
      fed[fed.count - 1] = tensor.transposed(last)
      let outer = graph.add(
        Graph.Value(
          name: "x\(index).last", type: tensor.type,
          dimensions: last.map { .known(tensor.shape[$0]) }))
      graph.inputs.append(outer)
      let id = graph.add(value)
      graph.nodes.append(
        Graph.Node(
          name: "to \(index)",
          op: Transpose(order: [0, rank - 1] + Array(1..<rank - 1)), inputs: [outer],
          outputs: [id]))
      return id
    }
    let infos = try op.outputs(for: ids.map { $0.flatMap { graph.info(of: $0) } })
    let results = infos.enumerated().map { index, info in
      graph.add(
        Graph.Value(
          name: "y\(index)", type: info.type,
          dimensions: info.shape.dimensions.map { .known($0) }))
    }
    try append(
      Graph.Node(name: "node", op: op, inputs: ids, outputs: Array(results.prefix(outputCount))),
      to: &graph)
    graph.outputs = Array(results.prefix(outputCount))
    let rule = storage
    let lowered = try Lowering.lower(graph) { _ in rule }
    return try ProgramRunner(lowered, isas: isas, parts: parts).run(fed)
  }
}

extension OperatorRunner {
  /// Adds a node, or what it is written out in.
  private func append(_ node: Graph.Node, to graph: inout Graph) throws {
    guard let parts = try Composer.written(node, in: &graph) else {
      graph.nodes.append(node)
      return
    }
    for part in parts { try append(part, to: &graph) }
  }
}

/// Executes a lowered program with every tensor in memory of its own; parts run one after the
/// other, so instructions that synchronise need `parts` 1.
struct ProgramRunner {
  var lowered: LoweredProgram
  var isas: Set<ISA>
  var parts: Int

  init(_ lowered: LoweredProgram, isas: Set<ISA>, parts: Int) {
    self.lowered = lowered
    self.isas = isas
    self.parts = parts
  }

  func run(_ inputs: [TensorBuffer]) throws -> OperatorRunner.Outcome {
    let program = lowered.program
    var preparation = Preparation(tensors: program.tensors, isas: isas, parts: parts)
    var instructions = program.instructions
    for index in instructions.indices { try instructions[index].prepare(&preparation) }

    let count = max(program.tensors.count, 1)
    let pointers = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: count)
    let scratchBytes = max(preparation.scratchByteCount, 64)
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: scratchBytes, alignment: 64)
    var owned: [UnsafeMutableRawPointer] = [scratch]
    defer {
      for memory in owned { memory.deallocate() }
      pointers.deallocate()
    }
    for (index, tensor) in program.tensors.enumerated() {
      if case .view(let parent, let offset) = tensor.storage {
        pointers[index] = pointers[Int(parent.index)].map { $0 + offset }
        continue
      }
      let bytes = max(tensor.byteCount, 1)
      let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes + 64, alignment: 64)
      memory.initializeMemory(as: UInt8.self, repeating: 0xA5, count: bytes + 64)
      owned.append(memory)
      pointers[index] = memory
      let contents =
        lowered.constants[Operand(index)]
        ?? program.inputs.firstIndex { $0.operand == Operand(index) }.map { inputs[$0] }
      contents?.withBytes { source in
        if let base = source.baseAddress {
          memory.copyMemory(from: base, byteCount: source.count)
        }
      }
    }
    var fault: UInt32 = 0
    for instruction in instructions {
      for part in 0..<parts {
        withUnsafeMutablePointer(to: &fault) { fault in
          instruction.execute(
            ExecutionContext(
              tensors: pointers, scratch: scratch, part: part, parts: parts, barrier: nil,
              fault: fault))
        }
      }
    }
    let outputs = program.outputs.map { port in
      let result = TensorBuffer(zeros: port.type, port.shape)
      result.withMutableBytes { target in
        if let to = target.baseAddress, let from = pointers[Int(port.operand.index)] {
          to.copyMemory(from: from, byteCount: target.count)
        }
      }
      return result
    }
    return OperatorRunner.Outcome(
      outputs: outputs, opcodes: instructions.map { Swift.type(of: $0).opcode }, fault: fault)
  }
}

extension TensorBuffer {
  /// 0, 1, 2, … in this shape.
  static func counting(_ shape: Shape, from start: Int = 0) -> TensorBuffer {
    TensorBuffer(shape, (0..<shape.elementCount).map { Float($0 + start) })
  }

  /// Seeded floats in -1...1.
  static func random(_ shape: Shape, seed: UInt64) -> TensorBuffer {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return TensorBuffer(
      shape,
      (0..<shape.elementCount).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Float(Int64(bitPattern: state) >> 40) / Float(1 << 23)
      })
  }

  /// The element at an index, as float.
  func value(_ index: [Int]) -> Float {
    zip(index, shape.denseStrides).reduce(0) { $0 + $1.0 * $1.1 }.asElement(of: self)
  }

  /// Every index of the shape, in row-major order.
  static func indices(_ shape: Shape) -> [[Int]] {
    var all: [[Int]] = [[]]
    for extent in shape.dimensions {
      all = all.flatMap { head in (0..<extent).map { head + [$0] } }
    }
    return all
  }

  /// A tensor computed from its indices.
  static func computed(_ shape: Shape, _ value: ([Int]) -> Float) -> TensorBuffer {
    TensorBuffer(shape, indices(shape).map(value))
  }

  /// The floats, or nothing where the type is not numeric.
  var contents: [Float] { floats() ?? [] }

  /// The largest difference to another tensor of the same shape; infinite where shapes differ.
  func difference(to other: TensorBuffer) -> Float {
    guard shape == other.shape else { return .infinity }
    return zip(contents, other.contents).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }
}

extension Int {
  fileprivate func asElement(of tensor: TensorBuffer) -> Float { tensor.contents[self] }
}
