import Glibc
import Graphs
import Instructions
import Kernels
import Tensors
import Testing

@testable import Operators

@Suite struct PoolTests {
  /// What a pool makes of the elements under its window.
  private enum Kind {
    case maximum
    case average(countsPadding: Bool)
    case norm(Double)
  }

  private func attributes(
    kernel: [Int], strides: [Int], pads: [Int], dilations: [Int], ceil: Bool
  ) -> [String: Attribute] {
    [
      "kernel_shape": .ints(kernel), "strides": .ints(strides), "pads": .ints(pads),
      "dilations": .ints(dilations), "ceil_mode": .int(ceil ? 1 : 0),
    ]
  }

  /// A pool over [N, C, …] by its definition, of any number of spatial axes.
  private func pooled(
    _ x: TensorBuffer, _ kind: Kind, _ output: [Int], kernel: [Int], strides: [Int], pads: [Int],
    dilations: [Int]
  ) -> TensorBuffer {
    let axes = kernel.count
    return TensorBuffer.computed(Shape([x.shape[0], x.shape[1]] + output)) { index in
      var inside: [Double] = []
      var counted = 0
      for offset in TensorBuffer.indices(Shape(kernel)) {
        let place: [Int] = (0..<axes).map { axis in
          let start: Int = index[2 + axis] * strides[axis] - pads[axis]
          return start + offset[axis] * dilations[axis]
        }
        let ends: [Int] = (0..<axes).map { x.shape[2 + $0] + pads[axes + $0] }
        let isPadded = zip(place, ends).allSatisfy { $0 < $1 }
        if isPadded { counted += 1 }
        guard (0..<axes).allSatisfy({ (0..<x.shape[2 + $0]).contains(place[$0]) }) else { continue }
        inside.append(Double(x.value([index[0], index[1]] + place)))
      }
      switch kind {
      case .maximum: return Float(inside.max() ?? -.infinity)
      case .average(let countsPadding):
        return Float(inside.reduce(0, +) / Double(countsPadding ? counted : inside.count))
      case .norm(let p): return Float(pow(inside.reduce(0) { $0 + pow(abs($1), p) }, 1 / p))
      }
    }
  }

  private struct Case {
    var input: [Int]
    var kernel: [Int]
    var strides: [Int]
    var pads: [Int]
    var dilations: [Int]
    var ceil = false
    var output: [Int]
  }

  private static let cases = [
    Case(input: [7], kernel: [3], strides: [2], pads: [1, 1], dilations: [1], output: [4]),
    Case(
      input: [7], kernel: [3], strides: [3], pads: [1, 1], dilations: [1], ceil: true, output: [3]),
    Case(
      input: [7], kernel: [2], strides: [3], pads: [0, 1], dilations: [1], ceil: true, output: [3]),
    // A last window that would start in the padding behind the input does not count.
    Case(
      input: [7], kernel: [2], strides: [4], pads: [0, 1], dilations: [1], ceil: true, output: [2]),
    Case(
      input: [5, 6], kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], dilations: [1, 1],
      output: [2, 3]),
    Case(
      input: [5, 6], kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], dilations: [1, 1],
      ceil: true, output: [3, 3]),
    Case(
      input: [6, 7], kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], dilations: [1, 1],
      output: [3, 4]),
    Case(
      input: [9, 9], kernel: [5, 5], strides: [1, 1], pads: [2, 2, 2, 2], dilations: [1, 1],
      output: [9, 9]),
    Case(
      input: [7, 8], kernel: [2, 3], strides: [1, 2], pads: [1, 0, 0, 2], dilations: [2, 1],
      output: [6, 4]),
    Case(
      input: [3, 4, 5], kernel: [2, 2, 3], strides: [1, 2, 1], pads: [0, 1, 1, 1, 0, 1],
      dilations: [1, 1, 1], output: [3, 2, 5]),
  ]

  @Test(arguments: 0..<cases.count)
  func `a pool is its definition`(_ index: Int) throws {
    let c = PoolTests.cases[index]
    let x = TensorBuffer.random(Shape([2, 19] + c.input), seed: 40)
    var given = attributes(
      kernel: c.kernel, strides: c.strides, pads: c.pads, dilations: c.dilations, ceil: c.ceil)
    func check(
      _ type: any LoweredOperator.Type, _ kind: Kind, _ location: SourceLocation = #_sourceLocation
    ) throws {
      let wanted = pooled(
        x, kind, c.output, kernel: c.kernel, strides: c.strides, pads: c.pads,
        dilations: c.dilations)
      for isas in [Set<ISA>(), [.portable], ISA.host] {
        for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
          var runner = OperatorRunner(type, version: 22, given)
          runner.isas = isas
          runner.parts = 3
          let y = try runner(input)
          #expect(y.difference(to: wanted) < 1e-5, sourceLocation: location)
        }
      }
    }
    try check(MaxPool.self, .maximum)
    try check(AveragePool.self, .average(countsPadding: false))
    given["count_include_pad"] = .int(1)
    try check(AveragePool.self, .average(countsPadding: true))
    given["count_include_pad"] = nil
    try check(LpPool.self, .norm(2))
    for p in [1, 3] {
      given["p"] = .int(p)
      try check(LpPool.self, .norm(Double(p)))
    }
  }

  @Test func `pads are found automatically`() throws {
    let x = TensorBuffer.random([1, 2, 5, 6], seed: 41)
    for (mode, pads, output) in [
      ("SAME_UPPER", [1, 0, 1, 0], [3, 3]), ("SAME_LOWER", [1, 0, 1, 0], [3, 3]),
      ("VALID", [0, 0, 0, 0], [2, 3]),
    ] {
      let runner = OperatorRunner(
        MaxPool.self,
        ["auto_pad": .string(mode), "kernel_shape": .ints([3, 2]), "strides": .ints([2, 2])])
      let wanted = pooled(
        x, .maximum, output, kernel: [3, 2], strides: [2, 2], pads: pads, dilations: [1, 1])
      #expect(try runner(.runtime(x)).difference(to: wanted) == 0, "\(mode)")
    }
    let row = TensorBuffer([1, 1, 4], [1, 2, 3, 4])
    func sums(_ mode: String) throws -> [Float] {
      try OperatorRunner(
        LpPool.self, ["auto_pad": .string(mode), "kernel_shape": .ints([2]), "p": .int(1)])(
          .runtime(row)
        ).contents
    }
    #expect(try sums("SAME_UPPER") == [3, 5, 7, 4])
    #expect(try sums("SAME_LOWER") == [1, 3, 5, 7])
    #expect(throws: ImportError.self) { try sums("SAME") }
  }

  @Test func `places of the maxima`() throws {
    let x = TensorBuffer([1, 2, 2, 3], [1, 9, 2, 4, 3, 8, 5, 0, 0, 7, 6, 1])
    for (order, wanted) in [(0, [1, 1, 9, 10]), (1, [2, 2, 7, 9])] {
      for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
        let y = try OperatorRunner(
          MaxPool.self, outputs: 2,
          ["kernel_shape": .ints([2, 2]), "storage_order": .int(order)]
        ).outputs(input)
        #expect(y[0].contents == [9, 9, 7, 6])
        #expect(y[1].type == .int64 && y[1].integers() == wanted)
      }
    }
  }

  @Test func `maxima of bytes`() throws {
    let x = TensorBuffer(.int8, [1, 1, 4], [Int8(-5), -7, 3, -128])
    let y = try OperatorRunner(MaxPool.self, ["kernel_shape": .ints([2])])(.runtime(x))
    #expect(y.elements(as: Int8.self) == [-5, 3, 3])
  }

  @Test func `whole channels`() throws {
    let x = TensorBuffer.random([2, 21, 5, 7], seed: 42)
    let extents: (_ kind: Kind) -> TensorBuffer = { kind in
      self.pooled(
        x, kind, [1, 1], kernel: [5, 7], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1])
    }
    for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
      func pool(
        _ type: any LoweredOperator.Type, _ attributes: [String: Attribute] = [:]
      ) throws -> TensorBuffer {
        let outcome = try OperatorRunner(type, attributes).outcome(input)
        if attributes.isEmpty {
          // The picture is reduced as it lies.
          #expect(outcome.opcodes.first == "reduce")
        }
        return outcome.outputs[0]
      }
      #expect(
        try pool(GlobalPoolOperator<Elementwise.GlobalMaxPool>.self).difference(
          to: extents(.maximum)) == 0)
      #expect(
        try pool(GlobalPoolOperator<Elementwise.GlobalAveragePool>.self)
          .difference(to: extents(.average(countsPadding: false))) < 1e-6)
      let norm = GlobalPoolOperator<Elementwise.GlobalLpPool>.self
      #expect(try pool(norm).difference(to: extents(.norm(2))) < 2e-6)
      #expect(try pool(norm, ["p": .int(1)]).difference(to: extents(.norm(1))) < 2e-5)
      #expect(try pool(norm, ["p": .int(3)]).difference(to: extents(.norm(3))) < 2e-6)
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(GlobalPoolOperator<Elementwise.GlobalMaxPool>.self)(
        .runtime(TensorBuffer.counting([2, 3])))
    }
  }

  @Test func `impossible windows are refused`() {
    let x = TensorBuffer.counting([1, 1, 4, 4])
    func refuses(_ attributes: [String: Attribute]) {
      #expect(throws: (any Error).self) {
        try OperatorRunner(MaxPool.self, attributes)(.runtime(x))
      }
    }
    refuses([:])
    refuses(["kernel_shape": .ints([5, 5])])
    refuses(["kernel_shape": .ints([2])])
    refuses(["kernel_shape": .ints([2, 2]), "strides": .ints([0, 1])])
    refuses(["kernel_shape": .ints([2, 2]), "pads": .ints([2, 0, 0, 0])])
    refuses(["kernel_shape": .ints([2, 2]), "pads": .ints([-1, 0, 0, 0])])
    refuses(["kernel_shape": .ints([2, 2]), "dilations": .ints([1 << 40, 1])])
    refuses(["kernel_shape": .ints([2, 2]), "unknown": .int(1)])
  }
}
