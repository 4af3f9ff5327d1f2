import Compilation
import Graphs
import Operators
import Runtime
import Tensors
import Testing

@testable import Staging

private typealias Add = BinaryOperator<Elementwise.Add>
private typealias Mul = BinaryOperator<Elementwise.Mul>

@Suite struct StagedModelTests {
  /// y = Mul(Reshape(x, shape), 2)
  private func reshaping() throws -> StagedModel {
    let maker = GraphMaker()
    let x = maker.input("x", .float32, [-1])
    let shape = maker.input("shape", .int64, [-1])
    let two = maker.constant(TensorBuffer([], [2]))
    let y = try maker.node(Reshape.self, [x, shape])
    return StagedModel(try maker.finish(try maker.node(Mul.self, [y, two])))
  }

  @Test func `a model without surprises is one stage, compiled once for a shape`() throws {
    let maker = GraphMaker()
    let x = maker.input("x", .float32, [-1, 2])
    let y = try maker.node(Add.self, [x, x])
    let model = StagedModel(try maker.finish(try maker.node(Mul.self, [y, x])))
    let session = model.session()
    for (rows, compiled) in [(1, 1), (2, 1), (1, 0), (2, 0)] {
      let values = (0..<rows * 2).map { Float($0) }
      let result = try session.run([.tensor(TensorBuffer([rows, 2], values))])
      #expect(result[0].tensor?.floats() == values.map { 2 * $0 * $0 })
      #expect(session.report == .init(stages: 1, compiled: compiled))
    }
    #expect(try model.session(for: InputShapes(["x": [3, 2]]))?.inputs[0].shape == [3, 2])
  }

  @Test func `a shape given at run time becomes a part of the program`() throws {
    let model = try reshaping()
    let session = model.session()
    let x = StagedValue.tensor(TensorBuffer([6], [1, 2, 3, 4, 5, 6]))
    for (shape, compiled) in [([2, 3], 1), ([3, -1], 1), ([2, 3], 0)] {
      let result = try session.run([x, .tensor(TensorBuffer(shape))])
      #expect(result[0].tensor?.shape == Shape([shape[0], 6 / shape[0]]))
      #expect(result[0].tensor?.floats() == [2, 4, 6, 8, 10, 12])
      #expect(session.report == .init(stages: 1, compiled: compiled))
    }
    #expect(try model.session(for: InputShapes(["x": [6], "shape": [2]])) == nil)
  }

  @Test func `a shape that keeps changing is left out of the program`() throws {
    let session = try reshaping().session()
    let x = StagedValue.tensor(TensorBuffer([64], [Float](repeating: 1, count: 64)))
    var reports: [StagedSession.Report] = []
    for round in 0..<20 {
      // The same result by ever different contents.
      let shape = [1 << (round % 7), -1] + [Int](repeating: 1, count: round / 7)
      let result = try session.run([x, .tensor(TensorBuffer(shape))])
      #expect(result[0].tensor?.elementCount == 64)
      #expect(result[0].tensor?.floats() == [Float](repeating: 2, count: 64))
      reports.append(session.report)
    }
    #expect(reports[3].stages == 1)
    #expect(reports[19].stages == 2)
  }

  @Test func `a shape computed at run time ends a stage`() throws {
    // y = Reshape(x, Cast(ReduceSum(x)) · [1, 1, …] as a vector): from contents that are many.
    let maker = GraphMaker()
    let x = maker.input("x", .float32, [-1])
    let sum = try maker.node(
      ReduceOperator<Elementwise.ReduceSum>.self, [x], ["keepdims": .int(1)])
    let count = try maker.node(CastOperator.self, [sum], ["to": .int(7)])
    let rest = maker.constant(TensorBuffer([-1]))
    let shape = try maker.node(Concat.self, [count, rest], ["axis": .int(0)])
    let session = StagedModel(try maker.finish(try maker.node(Reshape.self, [x, shape]))).session()
    for (rows, compiled) in [(2, 2), (4, 1), (2, 0), (4, 0)] {
      var values = [Float](repeating: 0, count: 100)
      values[7] = Float(rows)
      let result = try session.run([.tensor(TensorBuffer([100], values))])
      #expect(result[0].tensor?.shape == [rows, 100 / rows])
      #expect(result[0].tensor?.floats() == values)
      #expect(session.report == .init(stages: 2, compiled: compiled))
    }
  }

  @Test func `what depends on contents runs alone, and what follows is kept by shape`() throws {
    let maker = GraphMaker()
    let x = maker.input("x", .float32, [-1])
    let doubled = try maker.node(Add.self, [x, x])
    let places = try maker.node(NonZero.self, [doubled])
    let one = maker.constant(scalar(1))
    let session = StagedModel(try maker.finish(try maker.node(Add.self, [places, one]))).session()
    // Each time NonZero is compiled; the first stage and the last are known from then on.
    for (place, compiled) in [(3, 3), (17, 1), (40, 1)] {
      var values = [Float](repeating: 0, count: 50)
      values[place] = 1
      let result = try session.run([.tensor(TensorBuffer([50], values))])
      #expect(result[0].tensor?.integers() == [place + 1])
      #expect(session.report == .init(stages: 3, compiled: compiled))
    }
  }

  @Test func `inputs that do not fit are refused with both sides`() throws {
    let session = try reshaping().session()
    func message(_ inputs: [String: StagedValue]) -> String {
      do throws(StagingError) {
        _ = try session.run(inputs)
        return "it ran"
      } catch {
        return error.code == .wrongInput ? error.description : "\(error.code)"
      }
    }
    let x = StagedValue.tensor(TensorBuffer([6], [1, 2, 3, 4, 5, 6]))
    #expect(message(["x": x]).contains("input \"shape\": no value"))
    #expect(message(["y": x]).contains("its inputs are \"x\", \"shape\""))
    #expect(message(["x": x, "shape": x]).contains("takes int64 ?, and float32 6 is given"))
    #expect(message(["x": x, "shape": .sequence([])]).contains("a tensor, and a sequence"))
    #expect(message(["x": x, "shape": .tensor(TensorBuffer([4, 4]))]) == "invalid model")
    #expect(throws: StagingError.self) { try session.run([x]) }
  }

  @Test func `an index out of range is the data's fault`() throws {
    let maker = GraphMaker()
    let x = maker.input("x", .float32, [4])
    let at = maker.input("at", .int64, [1])
    let model = StagedModel(try maker.finish(try maker.node(Gather.self, [x, at])))
    let error = #expect(throws: StagingError.self) {
      try model.session().run([
        .tensor(TensorBuffer([4], [1, 2, 3, 4])), .tensor(TensorBuffer([9])),
      ])
    }
    #expect(error?.code == .fault)
  }

  @Test func `programs for different shapes share their weights`() throws {
    let maker = GraphMaker()
    let x = maker.input("x", .float32, [-1, 32])
    let w = maker.constant(TensorBuffer([32, 48], (0..<1536).map { Float($0 % 7) - 3 }))
    let model = StagedModel(try maker.finish(try maker.node(MatMul.self, [x, w])))
    let session = model.session()
    var sizes: [Int] = []
    for rows in [1, 2, 5, 2] {
      let input = (0..<rows * 32).map { Float($0 % 5) }
      let result = try session.run([.tensor(TensorBuffer([rows, 32], input))])
      let last = (0..<32).reduce(Float(0)) {
        $0 + input[(rows - 1) * 32 + $1] * (Float(($1 * 48 + 47) % 7) - 3)
      }
      #expect(result[0].tensor?.floats()?.last == last)
      sizes.append(model.weights.byteCount)
    }
    #expect(sizes[0] >= 1536 * 4)
    #expect(sizes == [Int](repeating: sizes[0], count: 4))
  }

  @Test func `weights that do not fit into a pool begin the next`() throws {
    let pools = WeightPools(capacity: 1 << 12)
    let maker = GraphMaker()
    let x = maker.input("x", .float32, [4])
    let other = maker.constant(TensorBuffer([1000, 4], [Float](repeating: 1, count: 4000)))
    let graph = try maker.finish(try maker.node(Add.self, [x, other]))
    for _ in 0..<2 {
      let stage = try Compiler().specialise(
        graph, nodes: 0..<1, known: [x: ValueInfo(type: .float32, shape: [4])])
      let program = try Compiler().program(for: stage, results: graph.outputs, weights: pools)
      #expect(program.weights.byteCount >= 16000)
      #expect(program.inputs == [x])
    }
  }

  @Test func `the cache forgets what was used least recently`() throws {
    let maker = GraphMaker()
    let x = maker.input("x", .float32, [-1])
    var limits = StagedModel.Limits()
    limits.cachedStages = 2
    let model = StagedModel(try maker.finish(try maker.node(Add.self, [x, x])), limits: limits)
    let session = model.session()
    var compiled: [Int] = []
    for count in [1, 2, 1, 3, 1, 2] {
      _ = try session.run([.tensor(TensorBuffer(zeros: .float32, [count]))])
      compiled.append(session.report.compiled)
    }
    #expect(compiled == [1, 1, 0, 1, 0, 1])
  }
}
