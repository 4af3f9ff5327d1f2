import Glibc
import Graphs
import Instructions
import Kernels
import Tensors
import Testing

@testable import Operators

@Suite struct ReductionTests {
  private static let reductions: [(any LoweredOperator.Type, @Sendable ([Double]) -> Double)] = [
    (ReduceOperator<Elementwise.ReduceSum>.self, { $0.reduce(0, +) }),
    (ReduceOperator<Elementwise.ReduceMean>.self, { $0.reduce(0, +) / Double($0.count) }),
    (ReduceOperator<Elementwise.ReduceMax>.self, { $0.reduce(-.infinity) { max($0, $1) } }),
    (ReduceOperator<Elementwise.ReduceMin>.self, { $0.reduce(.infinity) { min($0, $1) } }),
    (ReduceOperator<Elementwise.ReduceProd>.self, { $0.reduce(1, *) }),
    (ReduceOperator<Elementwise.ReduceL1>.self, { $0.reduce(0) { $0 + abs($1) } }),
    (ReduceOperator<Elementwise.ReduceL2>.self, { sqrt($0.reduce(0) { $0 + $1 * $1 }) }),
    (ReduceOperator<Elementwise.ReduceLogSum>.self, { log($0.reduce(0, +)) }),
    (ReduceOperator<Elementwise.ReduceLogSumExp>.self, { log($0.reduce(0) { $0 + exp($1) }) }),
    (ReduceOperator<Elementwise.ReduceSumSquare>.self, { $0.reduce(0) { $0 + $1 * $1 } }),
  ]

  /// The reduction by its definition.
  private func reduced(
    _ x: TensorBuffer, _ axes: [Int], keeps: Bool, _ formula: ([Double]) -> Double
  ) -> TensorBuffer {
    let rank = x.shape.rank
    let kept = (0..<rank).filter { !axes.contains($0) }
    let extents = kept.map { x.shape[$0] }
    let values = TensorBuffer.indices(Shape(extents)).map { place in
      let line = TensorBuffer.indices(Shape(axes.map { x.shape[$0] })).map { inside in
        var index = [Int](repeating: 0, count: rank)
        for (axis, value) in zip(kept, place) { index[axis] = value }
        for (axis, value) in zip(axes, inside) { index[axis] = value }
        return Double(x.value(index))
      }
      return Float(formula(line))
    }
    let shape = keeps ? (0..<rank).map { axes.contains($0) ? 1 : x.shape[$0] } : extents
    return TensorBuffer(Shape(shape), values)
  }

  @Test(arguments: 0..<reductions.count)
  func `a reduction is its formula`(_ index: Int) throws {
    let (type, formula) = ReductionTests.reductions[index]
    let cases: [(Shape, [Int])] = [
      ([4], [0]), ([3, 5], [1]), ([3, 5], [0]), ([2, 3, 4, 5], [2, 3]), ([2, 3, 4, 5], [1]),
      ([2, 3, 4, 5], [0, 2]), ([2, 3, 4, 5], [3]), ([2, 3, 4, 5], [2]),
      ([2, 3, 4, 5], [0, 1, 2, 3]),
      ([2, 3, 17], [1]), ([0, 3], [1]), ([3, 0], [1]), ([1, 7, 1, 1], [2, 3]),
    ]
    for (shape, axes) in cases {
      let x = TensorBuffer(
        shape, TensorBuffer.random(shape, seed: 11).contents.map { abs($0) + 0.1 })
      for keeps in [true, false] {
        let wanted = reduced(x, axes, keeps: keeps, formula)
        let negative = TensorBuffer(axes.map { $0 - shape.rank })
        for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
          if case .channelsLast = input, shape.rank != 4 { continue }
          for isas in [Set<ISA>(), ISA.host] {
            var runner = OperatorRunner(type, version: 18, ["keepdims": .int(keeps ? 1 : 0)])
            runner.isas = isas
            runner.parts = 3
            let y = try runner(input, .constant(negative))
            #expect(y.shape == wanted.shape, "\(type.name) of \(shape) over \(axes)")
            let far = zip(y.contents, wanted.contents).contains { got, wanted in
              !(got == wanted || got.isNaN && wanted.isNaN
                || abs(got - wanted) <= 1e-5 * (1 + abs(wanted)))
            }
            #expect(!far, "\(type.name) of \(shape) over \(axes): \(y.contents)")
          }
        }
        let old = OperatorRunner(
          type, version: 11, ["keepdims": .int(keeps ? 1 : 0), "axes": .ints(axes)])
        #expect(try old(.runtime(x)).shape == wanted.shape)
      }
    }
  }

  @Test func `no axes means all or none`() throws {
    let x = TensorBuffer.counting([2, 3])
    let sum = ReduceOperator<Elementwise.ReduceSum>.self
    #expect(try OperatorRunner(sum)(.runtime(x)).contents == [15])
    #expect(try OperatorRunner(sum)(.runtime(x)).shape == [1, 1])
    #expect(try OperatorRunner(sum, ["keepdims": .int(0)])(.runtime(x)).shape == [])
    let noop = OperatorRunner(sum, ["noop_with_empty_axes": .int(1)])
    #expect(try noop(.runtime(x)).contents == x.contents)
    #expect(try noop(.runtime(x), .constant(TensorBuffer([Int]()))).contents == x.contents)
    #expect(try noop(.runtime(x), .constant(TensorBuffer([1]))).contents == [3, 12])
    #expect(throws: GraphError.self) {
      try OperatorRunner(sum)(.runtime(x), .runtime(TensorBuffer([1])))
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(sum)(.runtime(x), .constant(TensorBuffer([2])))
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(sum)(.runtime(x), .constant(TensorBuffer([1, -1])))
    }
  }

  @Test func `integers are reduced in their own type`() throws {
    let x = TensorBuffer(.int32, [4], [Int32(7), -3, 2, .max])
    func value(_ type: any LoweredOperator.Type) throws -> Int32 {
      try OperatorRunner(type, ["keepdims": .int(0)])(.runtime(x)).elements(as: Int32.self)[0]
    }
    #expect(try value(ReduceOperator<Elementwise.ReduceSum>.self) == .max &+ 6)
    #expect(try value(ReduceOperator<Elementwise.ReduceMax>.self) == .max)
    #expect(try value(ReduceOperator<Elementwise.ReduceMin>.self) == -3)
    #expect(try value(ReduceOperator<Elementwise.ReduceMean>.self) == 536_870_913)
    let truth = TensorBuffer(.bool, [2], [UInt8(0), 1])
    let any = OperatorRunner(ReduceOperator<Elementwise.ReduceMax>.self)
    #expect(try any(.runtime(truth)).integers() == [1])
  }

  @Test func `extrema of long rows keep a NaN`() throws {
    var values = [Float](repeating: 1, count: 300)
    values[137] = .nan
    let x = TensorBuffer([300], values)
    for type in [
      ReduceOperator<Elementwise.ReduceMax>.self, ReduceOperator<Elementwise.ReduceMin>.self,
    ] as [any LoweredOperator.Type] {
      for isas in [Set<ISA>(), [.portable], ISA.host] {
        var runner = OperatorRunner(type)
        runner.isas = isas
        #expect(try runner(.runtime(x)).contents[0].isNaN)
      }
    }
  }

  @Test func `where the greatest and the least stand`() throws {
    let x = TensorBuffer([2, 3], [3, 1, 3, -1, -1, 0])
    func places(
      _ type: any LoweredOperator.Type, _ attributes: [String: Attribute]
    ) throws -> [Int] {
      let y = try OperatorRunner(type, attributes)(.runtime(x))
      #expect(y.type == .int64)
      return y.integers() ?? []
    }
    let greatest = ArgReduceOperator<Elementwise.ArgMax>.self
    let least = ArgReduceOperator<Elementwise.ArgMin>.self
    #expect(try places(greatest, ["axis": .int(1)]) == [0, 2])
    #expect(try places(greatest, ["axis": .int(-1), "select_last_index": .int(1)]) == [2, 2])
    #expect(try places(least, ["axis": .int(1)]) == [1, 0])
    #expect(try places(least, ["axis": .int(1), "select_last_index": .int(1)]) == [1, 1])
    #expect(try places(greatest, [:]) == [0, 0, 0])
    let picture = TensorBuffer.random([2, 5, 3, 4], seed: 3)
    for keeps in [0, 1] {
      for axis in 0..<4 {
        let runner = OperatorRunner(greatest, ["axis": .int(axis), "keepdims": .int(keeps)])
        let declared = try runner(.runtime(picture))
        let last = try runner(.channelsLast(picture))
        #expect(declared.shape == last.shape && declared.integers() == last.integers())
        let wanted = reduced(picture, [axis], keeps: keeps == 1) { line in
          Double(line.firstIndex(of: line.max() ?? 0) ?? 0)
        }
        #expect(declared.shape == wanted.shape && declared.contents == wanted.contents)
      }
    }
    #expect(throws: GraphError.self) { try places(greatest, ["axis": .int(2)]) }
    #expect(throws: GraphError.self) {
      try OperatorRunner(greatest)(.runtime(TensorBuffer(zeros: .float32, [0])))
    }
  }

  @Test func `running sums`() throws {
    let x = TensorBuffer([2, 3], [1, 2, 3, 4, 5, 6])
    func sums(_ axis: Int, _ attributes: [String: Attribute] = [:]) throws -> [Float] {
      let place = TensorBuffer(.int32, [], [Int32(axis)])
      return try OperatorRunner(CumSum.self, attributes)(.runtime(x), .constant(place)).contents
    }
    #expect(try sums(1) == [1, 3, 6, 4, 9, 15])
    #expect(try sums(-2) == [1, 2, 3, 5, 7, 9])
    #expect(try sums(1, ["exclusive": .int(1)]) == [0, 1, 3, 0, 4, 9])
    #expect(try sums(1, ["reverse": .int(1)]) == [6, 5, 3, 15, 11, 6])
    #expect(try sums(1, ["reverse": .int(1), "exclusive": .int(1)]) == [5, 3, 0, 11, 6, 0])
    #expect(throws: GraphError.self) { try sums(2) }
    #expect(throws: GraphError.self) {
      try OperatorRunner(CumSum.self)(.runtime(x), .runtime(TensorBuffer([0])))
    }
  }

  @Test func `the best k, in order`() throws {
    let x = TensorBuffer([2, 5], [3, 1, 3, 2, 9, -1, -1, 0, -2, -1])
    func best(
      _ k: Int, _ attributes: [String: Attribute] = [:]
    ) throws -> ([Float], [Int]) {
      let y = try OperatorRunner(TopKOperator.self, outputs: 2, attributes)
        .outputs(.runtime(x), .constant(TensorBuffer([k])))
      return (y[0].contents, y[1].integers() ?? [])
    }
    let three = try best(3)
    #expect(three.0 == [9, 3, 3, 0, -1, -1] && three.1 == [4, 0, 2, 2, 0, 1])
    let least = try best(2, ["largest": .int(0)])
    #expect(least.0 == [1, 2, -2, -1] && least.1 == [1, 3, 3, 0])
    #expect(try best(0).0 == [])
    #expect(try best(5).1 == [4, 0, 2, 3, 1, 2, 0, 1, 4, 3])
    let columns = try best(1, ["axis": .int(0)])
    #expect(columns.0 == [3, 1, 3, 2, 9] && columns.1 == [0, 0, 0, 0, 0])
    #expect(throws: GraphError.self) { try best(6) }
    #expect(throws: GraphError.self) { try best(-1) }
    let old = OperatorRunner(TopKOperator.self, version: 9, outputs: 2, ["k": .int(1)])
    #expect(try old.outputs(.runtime(x))[0].contents == [9, 0])
    // Against a sort, in three parts.
    let many = TensorBuffer.random([7, 211], seed: 17)
    var runner = OperatorRunner(TopKOperator.self, outputs: 2)
    runner.parts = 3
    let found = try runner.outputs(.runtime(many), .constant(TensorBuffer([50])))
    for row in 0..<7 {
      let line = Array(many.contents[row * 211..<row * 211 + 211])
      let sorted = line.sorted(by: >).prefix(50)
      #expect(Array(found[0].contents[row * 50..<row * 50 + 50]) == Array(sorted))
      let places = (found[1].integers() ?? [])[row * 50..<row * 50 + 50]
      #expect(places.map { line[$0] } == Array(sorted))
    }
  }
}
