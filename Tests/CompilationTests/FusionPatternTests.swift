import Graphs
import Instructions
import Kernels
import Operators
import Runtime
import Tensors
import Testing

@testable import Compilation

/// Graphs before and after the passes that look at more than two nodes.
@Suite struct FusionPatternTests {
  /// The fused program's opcodes, after its outputs have been compared with the unfused program's.
  private func opcodes(
    _ graph: Graph, _ precision: Precision = .fp32, tolerance: Float = 1e-5
  ) throws -> [String] {
    let fused = try Compiler(precision: precision).compile(graph)
    let plain = try Compiler(fuses: false).compile(graph)
    var random = RandomInputs(seed: 5)
    let inputs = random.tensors(for: plain.lowered.program.inputs)
    let want = try run(plain, inputs)
    let have = try run(fused, inputs)
    #expect(want.count == have.count && !want.isEmpty)
    for (a, b) in zip(want, have) {
      let largest = a.reduce(0) { max($0, abs($1)) }
      #expect(a.count == b.count && !a.isEmpty)
      #expect(
        zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * max(largest, 1) }, "the results differ")
    }
    return fused.lowered.program.instructions.map { type(of: $0).opcode }
  }

  private func run(_ program: CompiledProgram, _ inputs: [TensorBuffer]) throws -> [[Float]] {
    try Evaluation.run(
      program.lowered.program, constants: program.lowered.constants, inputs: inputs
    ).compactMap { $0.floats() }
  }

  private func isCopy(_ opcode: String) -> Bool { ["copy", "copy_rows"].contains(opcode) }

  /// Attention over [2, 5, heads · 8] with separate projections and a mask.
  private func attention(heads: Int64) throws -> Graph {
    var maker = GraphMaker()
    let width = Int(heads) * 8
    let x = maker.input("x", [2, 5, width])
    let mask = maker.input("mask", [1, 1, 1, 5])
    var parts: [Graph.ValueID] = []
    for (place, order) in [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]].enumerated() {
      let w = maker.constant([width, width], seed: UInt64(place))
      let rows = try maker.one("MatMul", x, w)
      let split = try maker.one("Reshape", rows, maker.integers([2, 5, heads, 8]))
      parts.append(try maker.one("Transpose", split, attributes: ["perm": .ints(order)]))
    }
    let scores = try maker.one("MatMul", parts[0], parts[1])
    let scaled = try maker.one("Div", scores, maker.constant(TensorBuffer([], [2.5])))
    let masked = try maker.one("Add", scaled, mask)
    let shares = try maker.one("Softmax", masked, attributes: ["axis": .int(-1)])
    let context = try maker.one("MatMul", shares, parts[2])
    let moved = try maker.one("Transpose", context, attributes: ["perm": .ints([0, 2, 1, 3])])
    let joined = try maker.one("Reshape", moved, maker.integers([2, 5, Int64(width)]))
    maker.graph.outputs = [joined]
    return maker.graph
  }

  @Test func `attention reads its heads where they lie and adds the mask while it stores`() throws {
    let found = try opcodes(try attention(heads: 3))
    #expect(found.filter { $0 == "matrix_multiply" }.count == 5)
    #expect(!found.contains { isCopy($0) || $0 == "binary" }, "\(found)")
  }

  @Test func `one projection is split where its rows lie`() throws {
    var maker = GraphMaker()
    let x = maker.input("x", [1, 7, 24])
    let rows = try maker.one("MatMul", x, maker.constant([24, 72], seed: 3))
    let split = try maker.one("Reshape", rows, maker.integers([1, 7, 3, 3, 8]))
    let moved = try maker.one("Transpose", split, attributes: ["perm": .ints([2, 0, 3, 1, 4])])
    let ones = maker.integers([1, 1, 1])
    let parts = try maker.add("Split", [moved, ones], ["axis": .int(0)], outputs: 3)
    var heads: [Graph.ValueID] = []
    for part in parts { heads.append(try maker.one("Squeeze", part, maker.integers([0]))) }
    let keys = try maker.one("Transpose", heads[1], attributes: ["perm": .ints([0, 1, 3, 2])])
    let scores = try maker.one("MatMul", heads[0], keys)
    let shares = try maker.one("Softmax", scores, attributes: ["axis": .int(-1)])
    let context = try maker.one("MatMul", shares, heads[2])
    let back = try maker.one("Transpose", context, attributes: ["perm": .ints([0, 2, 1, 3])])
    maker.graph.outputs = [try maker.one("Reshape", back, maker.integers([1, 7, 24]))]
    let found = try opcodes(maker.graph)
    #expect(found.sorted() == ["matrix_multiply", "matrix_multiply", "matrix_multiply", "softmax"])
  }

  @Test func `other transpositions stay`() throws {
    let found = try opcodes(try attention(heads: 5).withOrder([0, 1, 3, 2]))
    #expect(found.contains { isCopy($0) })
  }

  @Test func `distributions become their expectations`() throws {
    for (bins, groups) in [(16, 4), (7, 3)] {
      var maker = GraphMaker()
      let (b, g) = (Int64(bins), Int64(groups))
      let x = maker.input("x", [2, bins * groups, 37])
      let split = try maker.one("Reshape", x, maker.integers([2, g, b, 37]))
      let moved = try maker.one("Transpose", split, attributes: ["perm": .ints([0, 2, 1, 3])])
      let shares = try maker.one("Softmax", moved, attributes: ["axis": .int(1)])
      let w = maker.constant(TensorBuffer([1, bins, 1, 1], (0..<bins).map { Float($0) }))
      let mean = try maker.one("Conv", shares, w)
      maker.graph.outputs = [try maker.one("Reshape", mean, maker.integers([2, g, 37]))]
      for precision in [Precision.fp32, .bf16] {
        let found = try opcodes(maker.graph, precision)
        #expect(found.contains("expectation"))
        #expect(!found.contains("softmax") && !found.contains("convolution"), "\(found)")
      }
    }
  }

  @Test func `a function moves before the concatenation of what can take it in`() throws {
    var maker = GraphMaker()
    let x = maker.input("x", [1, 6, 4, 5])
    var pieces: [Graph.ValueID] = []
    for place in 0..<2 {
      let w = maker.constant([3, 6, 1, 1], seed: UInt64(place + 9))
      let y = try maker.one("Conv", x, w)
      pieces.append(try maker.one("Reshape", y, maker.integers([1, 3, 20])))
    }
    let joined = try maker.add("Concat", pieces, ["axis": .int(2)])[0]
    maker.graph.outputs = [try maker.one("Sigmoid", joined)]
    let found = try opcodes(maker.graph)
    #expect(!found.contains("unary"), "\(found)")
  }

  @Test func `a function stays where somebody reads what lies before it`() throws {
    var maker = GraphMaker()
    let x = maker.input("x", [1, 6, 4, 5])
    let y = try maker.one("Conv", x, maker.constant([3, 6, 1, 1], seed: 2))
    let joined = try maker.one("Concat", y, y, attributes: ["axis": .int(1)])
    maker.graph.outputs = [try maker.one("Sigmoid", joined), y]
    #expect(try opcodes(maker.graph).contains("unary"))
  }

  @Test func `blocks of a concatenation are written where they belong`() throws {
    var maker = GraphMaker()
    let x = maker.input("x", [1, 6, 4, 4])
    var pieces: [Graph.ValueID] = []
    for place in 0..<3 {
      let w = maker.constant([8, 6, 1, 1], seed: UInt64(place + 9))
      let y = try maker.one("Conv", x, w)
      pieces.append(try maker.one("Reshape", y, maker.integers([1, 8, 16])))
    }
    let joined = try maker.add("Concat", pieces, ["axis": .int(2)])[0]
    maker.graph.outputs = [
      try maker.one("ReduceSum", joined, maker.integers([2]), attributes: ["keepdims": .int(0)])
    ]
    let found = try opcodes(maker.graph)
    // What is left brings the input into the order of convolutions.
    #expect(found.filter { isCopy($0) }.count == 1, "\(found)")
  }
}

extension Graph {
  /// The graph with another order for the context's transposition.
  fileprivate func withOrder(_ order: [Int]) -> Graph {
    var copy = self
    for index in copy.nodes.indices.reversed() where copy.nodes[index].op is Transpose {
      copy.nodes[index].op = Transpose(order: order)
      break
    }
    return copy
  }
}
