import Graphs
import Kernels
import Tensors
import Testing

@testable import Operators

#if canImport(Glibc)
  import Glibc
#endif

/// The formulas of the ONNX specification, element by element, in double precision.
struct RecurrentReference {
  var cell: String
  var hidden: Int
  var directions = 1
  var reversed = false
  var batchFirst = false
  var linearBeforeReset = false
  var clip = 0.0
  var x: TensorBuffer
  var w: TensorBuffer
  var r: TensorBuffer
  var bias: TensorBuffer?
  var lengths: [Int]?
  var h0: TensorBuffer?
  var c0: TensorBuffer?
  var peepholes: TensorBuffer?

  static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  /// Gate input `gate` of unit `j`: x·W + h·R + b, the parts of x and of h apart.
  private func gate(_ d: Int, _ gate: Int, _ j: Int, _ input: [Double], _ h: [Double]) -> (
    Double, Double
  ) {
    let count = (w.shape[1] / hidden)
    let row = gate * hidden + j
    var fromX = bias.map { Double($0.value([d, row])) } ?? 0
    var fromH = bias.map { Double($0.value([d, count * hidden + row])) } ?? 0
    for k in input.indices { fromX += input[k] * Double(w.value([d, row, k])) }
    for k in h.indices { fromH += h[k] * Double(r.value([d, row, k])) }
    return (fromX, fromH)
  }

  private func limited(_ x: Double) -> Double { clip > 0 ? min(max(x, -clip), clip) : x }

  private func step(_ d: Int, _ input: [Double], _ h: inout [Double], _ c: inout [Double]) {
    let old = h
    let units = 0..<hidden
    let all = { (g: Int, j: Int) -> Double in
      let (a, b) = gate(d, g, j, input, old)
      return a + b
    }
    let p = { (g: Int, j: Int) in peepholes.map { Double($0.value([d, g * hidden + j])) } ?? 0 }
    switch cell {
    case "LSTM":
      for j in units {
        let i = Self.sigmoid(limited(all(0, j) + p(0, j) * c[j]))
        let f = Self.sigmoid(limited(all(2, j) + p(2, j) * c[j]))
        c[j] = f * c[j] + i * tanh(limited(all(3, j)))
        let o = Self.sigmoid(limited(all(1, j) + p(1, j) * c[j]))
        h[j] = o * tanh(c[j])
      }
    case "GRU":
      let z = units.map { Self.sigmoid(limited(all(0, $0))) }
      let reset = units.map { Self.sigmoid(limited(all(1, $0))) }
      let gated = units.map { reset[$0] * old[$0] }
      for j in units {
        var n: Double
        if linearBeforeReset {
          let (a, b) = gate(d, 2, j, input, old)
          n = a + reset[j] * b
        } else {
          let (a, b) = gate(d, 2, j, input, gated)
          n = a + b
        }
        n = tanh(limited(n))
        h[j] = (1 - z[j]) * n + z[j] * old[j]
      }
    default:
      for j in units { h[j] = tanh(limited(all(0, j))) }
    }
  }

  /// Y in the layout asked for, and the last h and c as [D, B, H] lists.
  func run() -> (y: [Float], h: [Float], c: [Float]) {
    let times = x.shape[batchFirst ? 1 : 0]
    let batches = x.shape[batchFirst ? 0 : 1]
    let shape: Shape =
      batchFirst
      ? [batches, times, directions, hidden] : [times, directions, batches, hidden]
    var y = [Float](repeating: 0, count: shape.elementCount)
    let state = batchFirst ? Shape([batches, directions, hidden]) : [directions, batches, hidden]
    var lastH = [Float](repeating: 0, count: state.elementCount)
    var lastC = lastH
    for d in 0..<directions {
      for b in 0..<batches {
        let at = { (j: Int) in batchFirst ? [b, d, j] : [d, b, j] }
        var h = (0..<hidden).map { j in h0.map { Double($0.value(at(j))) } ?? 0 }
        var c = (0..<hidden).map { j in c0.map { Double($0.value(at(j))) } ?? 0 }
        let length = lengths?[b] ?? times
        for index in 0..<length {
          let t = reversed != (d == 1) ? length - 1 - index : index
          let input = (0..<x.shape[2]).map {
            Double(x.value(batchFirst ? [b, t, $0] : [t, b, $0]))
          }
          step(d, input, &h, &c)
          for j in 0..<hidden {
            let index = batchFirst ? [b, t, d, j] : [t, d, b, j]
            y[zip(index, shape.denseStrides).reduce(0) { $0 + $1.0 * $1.1 }] = Float(h[j])
          }
        }
        for j in 0..<hidden {
          let place = zip(at(j), state.denseStrides).reduce(0) { $0 + $1.0 * $1.1 }
          lastH[place] = Float(h[j])
          lastC[place] = Float(c[j])
        }
      }
    }
    return (y, lastH, lastC)
  }
}

@Suite struct RecurrentTests {
  static let cells: [(name: String, type: any LoweredOperator.Type, gates: Int)] = [
    ("RNN", RNN.self, 1), ("GRU", GRU.self, 3), ("LSTM", LSTM.self, 4),
  ]

  private func close(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 2e-6 }
  }

  @Test(arguments: 0..<3, ["forward", "reverse", "bidirectional"])
  func `follows the formulas in every direction and layout`(_ which: Int, _ direction: String)
    throws
  {
    let cell = Self.cells[which]
    let (times, batches, inputs, hidden) = (5, 3, 6, 7)
    let directions = direction == "bidirectional" ? 2 : 1
    print("recurrent \(cell.name) \(direction): seeds 1...7")
    for (batchFirst, full, linear) in [
      (false, true, false), (true, true, true), (false, false, false), (true, false, true),
    ] {
      let lead = batchFirst ? [batches, directions] : [directions, batches]
      var reference = RecurrentReference(
        cell: cell.name, hidden: hidden,
        x: .random(
          Shape(batchFirst ? [batches, times, inputs] : [times, batches, inputs]), seed: 1),
        w: .random([directions, cell.gates * hidden, inputs], seed: 2),
        r: .random([directions, cell.gates * hidden, hidden], seed: 3))
      reference.directions = directions
      reference.reversed = direction == "reverse"
      reference.batchFirst = batchFirst
      reference.linearBeforeReset = linear
      if full {
        reference.bias = .random([directions, 2 * cell.gates * hidden], seed: 4)
        reference.lengths = [5, 2, 0]
        reference.h0 = .random(Shape(lead + [hidden]), seed: 5)
        reference.clip = 0.7
        if cell.name == "LSTM" {
          reference.c0 = .random(Shape(lead + [hidden]), seed: 6)
          reference.peepholes = .random([directions, 3 * hidden], seed: 7)
        }
      }
      var runner = OperatorRunner(
        cell.type, outputs: cell.name == "LSTM" ? 3 : 2,
        [
          "hidden_size": .int(hidden), "direction": .string(direction),
          "layout": .int(batchFirst ? 1 : 0),
        ])
      if full { runner.attributes["clip"] = .float(0.7) }
      if cell.name == "GRU" { runner.attributes["linear_before_reset"] = .int(linear ? 1 : 0) }
      let optional = { (tensor: TensorBuffer?) in
        tensor.map { OperatorRunner.Input.runtime($0) } ?? .absent
      }
      let lengths = reference.lengths.map { TensorBuffer(.int32, [batches], $0.map(Int32.init)) }
      for weightsAreConstant in [true, false] {
        runner.parts = weightsAreConstant ? 2 : 1
        let weights = { (tensor: TensorBuffer) in
          weightsAreConstant ? OperatorRunner.Input.constant(tensor) : .runtime(tensor)
        }
        var given: [OperatorRunner.Input] = [
          .runtime(reference.x), weights(reference.w), weights(reference.r),
          optional(reference.bias), optional(lengths), optional(reference.h0),
        ]
        if cell.name == "LSTM" { given += [optional(reference.c0), optional(reference.peepholes)] }
        let made = try runner.run(given).outputs
        let want = reference.run()
        #expect(close(made[0].contents, want.y))
        #expect(close(made[1].contents, want.h))
        if cell.name == "LSTM" { #expect(close(made[2].contents, want.c)) }
      }
    }
  }

  @Test func `takes other activations with their parameters`() throws {
    let x = TensorBuffer([1, 1, 1], [2])
    let w = TensorBuffer([1, 1, 1], [3])
    let r = TensorBuffer([1, 1, 1], [0])
    let runner = OperatorRunner(
      RNN.self,
      [
        "hidden_size": .int(1), "activations": .strings(["Affine"]),
        "activation_alpha": .floats([0.5]), "activation_beta": .floats([4]),
      ])
    #expect(try runner(.runtime(x), .runtime(w), .runtime(r)).contents == [7])
    #expect(throws: ImportError.self) {
      try OperatorRunner(RNN.self, ["activations": .strings(["Sine"])])(
        .runtime(x), .runtime(w), .runtime(r))
    }
  }

  @Test func `scales the tanh of a cell`() throws {
    // The numbers are ONNX Runtime's.
    let runner = OperatorRunner(
      RNN.self,
      [
        "hidden_size": .int(2), "activations": .strings(["ScaledTanh"]),
        "activation_alpha": .floats([1.5]), "activation_beta": .floats([0.5]),
      ])
    let y = try runner(
      .runtime(TensorBuffer([2, 1, 2], [1.3, -1.7, -1.3, -1.1])),
      .runtime(TensorBuffer([1, 2, 2], [-1.3, 1.2, 1.5, 0.3])),
      .runtime(TensorBuffer([1, 2, 2], [-1.9, -1.7, -0.7, -0.3])))
    let expected = TensorBuffer(
      [2, 1, 1, 2], [-1.429708, 0.92536390, 0.95866102, -0.97768688])
    #expect(y.difference(to: expected) < 1e-5)
  }

  @Test func `refuses shapes that contradict each other`() {
    let runner = OperatorRunner(LSTM.self, ["hidden_size": .int(2)])
    #expect(throws: GraphError.self) {
      try runner(
        .runtime(.counting([3, 1, 4])), .runtime(.counting([1, 8, 4])),
        .runtime(.counting([1, 8, 3])))
    }
    #expect(throws: GraphError.self) {
      try runner(
        .runtime(.counting([3, 1, 4])), .runtime(.counting([1, 8, 4])),
        .runtime(.counting([1, 8, 2])), .runtime(.counting([1, 8])))
    }
  }

  @Test func `every instruction set gives the same bits`() throws {
    let available = [ISA.portable, .avx2, .avx512].filter(\.isAvailable)
    print("recurrent: seeds 1...3, instruction sets \(available)")
    for hidden in [1, 15, 16, 33, 70] {
      let x = OperatorRunner.Input.runtime(.random([3, 1, 9], seed: 1))
      let w = OperatorRunner.Input.constant(.random([1, 4 * hidden, 9], seed: 2))
      let r = OperatorRunner.Input.constant(.random([1, 4 * hidden, hidden], seed: 3))
      var runner = OperatorRunner(LSTM.self, ["hidden_size": .int(hidden)])
      runner.isas = ISA.portable.included
      let expected = try runner(x, w, r)
      for isa in available {
        runner.isas = isa.included
        #expect(try runner(x, w, r).contents == expected.contents)
      }
    }
  }
}
