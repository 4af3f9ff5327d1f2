import Compilation
import Graphs
import Operators
import Runtime
import Tensors
import Testing

@testable import Staging

private typealias Add = BinaryOperator<Elementwise.Add>
private typealias Sub = BinaryOperator<Elementwise.Sub>
private typealias Mul = BinaryOperator<Elementwise.Mul>
private typealias Less = BinaryOperator<Elementwise.Less>

/// A graph that computes `type(a, b)` of two captured values.
private func branch(_ type: any Operator.Type) throws -> Graph {
  let maker = GraphMaker()
  let (a, b) = (maker.capture("a"), maker.capture("b"))
  return try maker.finish(try maker.node(type, [a, b]))
}

@Suite struct IfTests {
  /// y = 2 · (cond ? a − b : a · b), with a condition that is an input or a constant.
  private func graph(_ condition: Bool?) throws -> Graph {
    let maker = GraphMaker()
    let a = maker.input("a", .float32, [2])
    let b = maker.input("b", .float32, [2])
    let cond = condition.map { maker.constant(flag($0)) } ?? maker.input("cond", .bool, [])
    let y = try maker.node(
      If.self, [cond, a, b, a, b],
      ["then_branch": .graph(try branch(Sub.self)), "else_branch": .graph(try branch(Mul.self))])
    return try maker.finish(try maker.node(Add.self, [y, y]))
  }

  private let a = TensorBuffer([2], [5, 7])
  private let b = TensorBuffer([2], [2, 3])

  @Test func `takes the branch of a condition given at run time`() throws {
    let session = StagedModel(try graph(nil)).session()
    for (condition, compiled) in [(true, 1), (false, 1), (true, 0), (false, 0)] {
      let result = try session.run([.tensor(a), .tensor(b), .tensor(flag(condition))])
      #expect(result[0].tensor?.floats() == (condition ? [6, 8] : [20, 42]))
      #expect(session.report == .init(stages: 1, compiled: compiled))
    }
  }

  @Test(arguments: [true, false])
  func `with a constant condition is a part of the program`(condition: Bool) throws {
    let program = try Compiler().compile(try graph(condition))
    let model = try ModelAssembly.model(of: ModelAssembly.contents(of: [program]))
    #expect(
      try model.session().run([a, b])[0].floats() == (condition ? [6, 8] : [20, 42]))
  }

  @Test func `without a known condition is no program`() throws {
    let graph = try graph(nil)
    let error = #expect(throws: CompileError.self) { try Compiler().compile(graph) }
    #expect(error?.code == .dataDependent)
    #expect(error?.neededValue == "cond")
  }

  @Test func `returns what a branch merely passes on`() throws {
    func passing(_ which: Int) throws -> Graph {
      let maker = GraphMaker()
      let ids = [
        maker.capture("a"), maker.capture("b"), maker.constant(TensorBuffer([2], [0, 9])),
      ]
      let third = try maker.node(Identity.self, [ids[which]])
      return try maker.finish(ids[which], third, ids[2])
    }
    let maker = GraphMaker()
    let a = maker.input("a", .float32, [2])
    let b = maker.input("b", .float32, [2])
    let cond = maker.input("cond", .bool, [1])
    let ids = try maker.nodes(
      If.self, [cond, a, b, a, b],
      ["then_branch": .graph(try passing(0)), "else_branch": .graph(try passing(1))], outputs: 3)
    let session = StagedModel(try maker.finish(ids[0], ids[1], ids[2])).session()
    for value in [true, false] {
      let condition = TensorBuffer(.bool, [1], [value ? 1 : 0] as [UInt8])
      let result = try session.run([.tensor(self.a), .tensor(self.b), .tensor(condition)])
      let expected: [Float] = value ? [5, 7] : [2, 3]
      #expect(result.map { $0.tensor?.floats() } == [expected, expected, [0, 9]])
    }
  }
}

@Suite struct LoopTests {
  /// (total, squares) over i < M while total < bound: total += i, squares: i².
  private func counting(_ bound: Float) throws -> Graph {
    let body = GraphMaker()
    let i = body.input("i", .int64, [])
    _ = body.input("cond", .bool, [])
    let total = body.input("total", .float32, [])
    let number = try body.node(CastOperator.self, [i], ["to": .int(1)])
    let next = try body.node(Add.self, [total, number])
    let square = try body.node(Mul.self, [number, number])
    (body.graph[square].type, body.graph[square].dimensions) = (.float32, [])
    let limit = body.constant(TensorBuffer([], [bound]))
    let goesOn = try body.node(Less.self, [next, limit])
    let maker = GraphMaker()
    let times = maker.input("M", .int64, [])
    let cond = maker.input("cond", .bool, [])
    let start = maker.constant(TensorBuffer([], [0]))
    let ids = try maker.nodes(
      Loop.self, [times, cond, start],
      ["body": .graph(try body.finish(goesOn, next, square))], outputs: 2, name: "round")
    return try maker.finish(ids[0], ids[1])
  }

  @Test func `ends by its count or by its condition, and compiles its body once`() throws {
    let session = StagedModel(try counting(100)).session()
    func run(_ times: Int, _ cond: Bool) throws -> [[Float]?] {
      try session.run([.tensor(scalar(times)), .tensor(flag(cond))]).map { $0.tensor?.floats() }
    }
    #expect(try run(4, true) == [[6], [0, 1, 4, 9]])
    #expect(session.report == .init(stages: 4, compiled: 1, hostNodes: 1, iterations: 4))
    let (total, squares) = (try run(1000, true)[0], try run(1000, true)[1])
    #expect(total == [105])
    #expect(squares == (0..<15).map { Float($0 * $0) })
    #expect(session.report == .init(stages: 15, compiled: 0, hostNodes: 1, iterations: 15))
    #expect(try run(0, true) == [[0], []])
    #expect(try run(5, false) == [[0], []])
    #expect(try run(-3, true) == [[0], []])
  }

  @Test func `without an end is stopped by a limit`() throws {
    var limits = StagedModel.Limits()
    limits.iterations = 1000
    let session = StagedModel(try counting(.infinity), limits: limits).session()
    let error = #expect(throws: StagingError.self) {
      try session.run([.tensor(scalar(.max)), .tensor(flag(true))])
    }
    #expect(error?.code == .limit)
    #expect(error?.description.contains("node \"round\"") == true)
    #expect(error?.message.contains("1000 times") == true)
  }

  @Test func `can be cancelled from another thread`() async throws {
    let session = StagedModel(try counting(.infinity)).session()
    let task = Task.detached { () -> StagingError.Code? in
      do throws(StagingError) {
        _ = try session.run([.tensor(scalar(.max)), .tensor(flag(true))])
        return nil
      } catch {
        return error.code
      }
    }
    // Whenever the run begins, one of these is later.
    let stopper = Task.detached {
      while !Task.isCancelled {
        session.cancel()
        try? await Task.sleep(for: .milliseconds(2))
      }
    }
    #expect(await task.value == .cancelled)
    stopper.cancel()
  }

  @Test func `carries values whose shapes change, and sees those around it`() throws {
    // row = Concat(row, step) for M times; step is captured.
    let body = GraphMaker()
    _ = body.input("i", .int64, [])
    let cond = body.input("cond", .bool, [])
    let row = body.input("row", .float32, [-1])
    let step = body.capture("step")
    let longer = try body.node(Concat.self, [row, step], ["axis": .int(0)])
    let same = try body.node(Identity.self, [cond])
    let maker = GraphMaker()
    let times = maker.input("M", .int64, [])
    let start = maker.input("start", .float32, [-1])
    let stepInput = maker.input("step", .float32, [-1])
    let doubled = try maker.node(Add.self, [stepInput, stepInput])
    let row2 = try maker.node(
      Loop.self, [times, nil, start, doubled], ["body": .graph(try body.finish(same, longer))])
    let session = StagedModel(try maker.finish(row2)).session()
    let result = try session.run([
      .tensor(scalar(3)), .tensor(TensorBuffer([1], [9])), .tensor(TensorBuffer([2], [1, 2])),
    ])
    #expect(result[0].tensor?.floats() == [9, 2, 4, 2, 4, 2, 4])
  }

  @Test func `slices by its counter without compiling for ever`() throws {
    // part = x[i ..< i + 2], where Slice must know i.
    let body = GraphMaker()
    let i = body.input("i", .int64, [])
    let cond = body.input("cond", .bool, [])
    let x = body.capture("x")
    let one = body.constant(TensorBuffer([1]))
    let two = body.constant(TensorBuffer([2]))
    let start = try body.node(Reshape.self, [i, one])
    let end = try body.node(Add.self, [start, two])
    let part = try body.node(Slice.self, [x, start, end])
    let doubled = try body.node(Add.self, [part, part])
    let same = try body.node(Identity.self, [cond])
    let maker = GraphMaker()
    let input = maker.input("x", .float32, [-1])
    let times = maker.constant(scalar(50))
    let parts = try maker.node(
      Loop.self, [times, nil, input], ["body": .graph(try body.finish(same, doubled))])
    let session = StagedModel(try maker.finish(parts)).session()
    let values = (0..<60).map { Float($0) }
    let expected = (0..<50).flatMap { [Float(2 * $0), Float(2 * $0 + 2)] }
    for _ in 0..<3 {
      let result = try session.run([.tensor(TensorBuffer([60], values))])
      #expect(result[0].tensor?.shape == [50, 2])
      #expect(result[0].tensor?.floats() == expected)
    }
    #expect(session.report.iterations == 50)
    #expect(session.report.compiled == 0)
  }

  @Test func `runs inside a branch`() throws {
    let body = GraphMaker()
    _ = body.input("i", .int64, [])
    let cond = body.input("cond", .bool, [])
    let value = body.input("value", .float32, [2])
    let step = body.capture("a")
    let next = try body.node(Add.self, [value, step])
    let same = try body.node(Identity.self, [cond])
    let then = GraphMaker()
    let (a, b) = (then.capture("a"), then.capture("b"))
    let times = then.constant(scalar(3))
    let sum = try then.node(
      Loop.self, [times, nil, b, a], ["body": .graph(try body.finish(same, next))])
    let maker = GraphMaker()
    let (x, y) = (maker.input("a", .float32, [2]), maker.input("b", .float32, [2]))
    let condition = maker.input("cond", .bool, [])
    let result = try maker.node(
      If.self, [condition, x, y, x, y],
      ["then_branch": .graph(try then.finish(sum)), "else_branch": .graph(try branch(Mul.self))])
    let session = StagedModel(try maker.finish(result)).session()
    for condition in [true, false, true] {
      let values = try session.run([
        .tensor(TensorBuffer([2], [1, 2])), .tensor(TensorBuffer([2], [5, 6])),
        .tensor(flag(condition)),
      ])
      #expect(values[0].tensor?.floats() == (condition ? [8, 12] : [5, 12]))
    }
  }
}

@Suite struct ScanTests {
  /// (state + slice, state + slice): running sums.
  private func body() throws -> Graph {
    let body = GraphMaker()
    let state = body.input("state", .float32, [2])
    let slice = body.input("slice", .float32, [2])
    let next = try body.node(Add.self, [state, slice])
    let copy = try body.node(Identity.self, [next])
    return try body.finish(next, copy)
  }

  private func run(
    version: Int, _ attributes: [String: Attribute], _ inputs: [TensorBuffer]
  ) throws -> [TensorBuffer?] {
    let maker = GraphMaker()
    let ids = inputs.indices.map { maker.input("x\($0)") }
    var all: [String: Attribute] = ["body": .graph(try body()), "num_scan_inputs": .int(1)]
    for (name, value) in attributes { all[name] = value }
    let outputs = try maker.nodes(
      Scan.self, (version < 9 ? [nil] : []) + ids, all, outputs: 2, version: version)
    let model = StagedModel(try maker.finish(outputs[0], outputs[1]))
    return try model.session().run(inputs.map { .tensor($0) }).map(\.tensor)
  }

  private let start = TensorBuffer([2], [0, 0])
  private let rows = TensorBuffer([3, 2], [1, 2, 3, 4, 5, 6])

  @Test func `walks along the leading axis`() throws {
    let result = try run(version: 16, [:], [start, rows])
    #expect(result[0]?.floats() == [9, 12])
    #expect(result[1]?.shape == [3, 2])
    #expect(result[1]?.floats() == [1, 2, 4, 6, 9, 12])
  }

  @Test func `walks along other axes, from the end`() throws {
    let columns = TensorBuffer([2, 3], [1, 3, 5, 2, 4, 6])
    let result = try run(
      version: 11,
      [
        "scan_input_axes": .ints([-1]), "scan_input_directions": .ints([1]),
        "scan_output_axes": .ints([1]), "scan_output_directions": .ints([1]),
      ], [start, columns])
    #expect(result[0]?.floats() == [9, 12])
    // 5 6, 8 10, 9 12 from the end to the front, as columns.
    #expect(result[1]?.shape == [2, 3])
    #expect(result[1]?.floats() == [9, 8, 5, 12, 10, 6])
  }

  @Test func `of version 8 has a batch axis`() throws {
    let states = TensorBuffer([2, 2], [0, 0, 10, 10])
    let inputs = TensorBuffer([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])
    let result = try run(version: 8, [:], [states, inputs])
    #expect(result[0]?.floats() == [4, 6, 22, 24])
    #expect(result[1]?.shape == [2, 2, 2])
    #expect(result[1]?.floats() == [1, 2, 4, 6, 15, 16, 22, 24])
  }

  @Test func `refuses inputs of different lengths`() throws {
    let error = #expect(throws: StagingError.self) {
      try run(version: 9, ["scan_input_axes": .ints([2])], [start, rows])
    }
    #expect(error?.message.contains("3x2 has no axis 2") == true)
  }
}
