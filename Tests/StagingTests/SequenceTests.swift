import Compilation
import Graphs
import Operators
import Tensors
import Testing

@testable import Staging

/// Sequences and optionals, by the standard's definitions.
@Suite struct SequenceTests {
  private let a = TensorBuffer([2], [1, 2])
  private let b = TensorBuffer([1], [3])
  private let c = TensorBuffer([3], [4, 5, 6])

  /// Runs one operator on its own.
  private func apply(
    _ type: any ValueOperator.Type, _ inputs: [StagedValue?],
    _ attributes: [String: Attribute] = [:]
  ) throws -> StagedValue {
    let reader = NodeReader(
      name: "node", operatorName: type.name, domain: "", version: 18,
      inputs: inputs.map { $0 != nil }, outputs: [true], attributes: attributes)
    let op = try type.init(importing: reader)
    #expect(reader.unreadAttributes == [])
    return try op.apply(inputs)[0]
  }

  private func floats(_ value: StagedValue) -> [[Float]?] {
    if case .sequence(let tensors) = value { tensors.map { $0.floats() } } else { [nil] }
  }

  private func position(_ value: Int) -> StagedValue { .tensor(scalar(value)) }

  @Test func `are made, extended, shortened and read`() throws {
    let sequence = try apply(SequenceConstruct.self, [.tensor(a), .tensor(b)])
    #expect(floats(sequence) == [[1, 2], [3]])
    #expect(floats(try apply(SequenceEmpty.self, [], ["dtype": .int(7)])) == [])
    let at = { try self.apply(SequenceInsert.self, [sequence, .tensor(self.c), $0]) }
    #expect(floats(try at(nil)) == [[1, 2], [3], [4, 5, 6]])
    #expect(floats(try at(position(0))) == [[4, 5, 6], [1, 2], [3]])
    #expect(floats(try at(position(-1))) == [[1, 2], [4, 5, 6], [3]])
    #expect(floats(try apply(SequenceErase.self, [sequence])) == [[1, 2]])
    #expect(floats(try apply(SequenceErase.self, [sequence, position(0)])) == [[3]])
    #expect(try apply(SequenceLength.self, [sequence]).tensor?.integers() == [2])
    #expect(try apply(SequenceAt.self, [sequence, position(-2)]).tensor?.floats() == [1, 2])
    for wrong in [2, -3] {
      #expect(throws: GraphError.self) {
        try apply(SequenceAt.self, [sequence, position(wrong)])
      }
    }
    #expect(throws: GraphError.self) {
      try apply(SequenceInsert.self, [sequence, .tensor(scalar(1))])
    }
    #expect(throws: GraphError.self) { try apply(SequenceAt.self, [.tensor(a), position(0)]) }
  }

  @Test func `are cut from tensors and put together again`() throws {
    let x = TensorBuffer([2, 3], [1, 2, 3, 4, 5, 6])
    let axis = ["axis": Attribute.int(1)]
    let twos = try apply(SplitToSequence.self, [.tensor(x), position(2)], axis)
    #expect(floats(twos) == [[1, 2, 4, 5], [3, 6]])
    let listed = try apply(
      SplitToSequence.self, [.tensor(x), .tensor(TensorBuffer([1, 2]))], ["axis": .int(-1)])
    #expect(floats(listed) == [[1, 4], [2, 3, 5, 6]])
    let whole = try apply(ConcatFromSequence.self, [listed], axis).tensor
    #expect(whole?.shape == [2, 3])
    #expect(whole?.floats() == x.floats())
    let rows = try apply(SplitToSequence.self, [.tensor(x)], ["keepdims": .int(0)])
    guard case .sequence(let tensors) = rows else { return }
    #expect(tensors.map(\.shape) == [[3], [3]])
    let stacked = try apply(
      ConcatFromSequence.self, [rows], ["axis": .int(-1), "new_axis": .int(1)]
    ).tensor
    #expect(stacked?.shape == [3, 2])
    #expect(stacked?.floats() == [1, 4, 2, 5, 3, 6])
    #expect(throws: GraphError.self) {
      try apply(SplitToSequence.self, [.tensor(x), .tensor(TensorBuffer([1, 1]))], axis)
    }
    #expect(throws: GraphError.self) {
      try apply(ConcatFromSequence.self, [.sequence([a, x])], ["axis": .int(0)])
    }
    #expect(throws: GraphError.self) {
      try apply(ConcatFromSequence.self, [.sequence([])], ["axis": .int(0)])
    }
  }

  @Test func `may be optional`() throws {
    let has = { try self.apply(OptionalHasElement.self, [$0]).tensor?.integers() }
    #expect(try has(.optional(nil)) == [0])
    #expect(try has(.optional(.sequence([]))) == [1])
    #expect(try has(.tensor(a)) == [1])
    #expect(try has(nil) == [0])
    let full = try apply(OptionalOperator.self, [.tensor(a)])
    #expect(try apply(OptionalGetElement.self, [full]).tensor?.floats() == [1, 2])
    #expect(try apply(OptionalGetElement.self, [.tensor(b)]).tensor?.floats() == [3])
    #expect(throws: GraphError.self) { try apply(OptionalGetElement.self, [.optional(nil)]) }
    #expect(throws: ImportError.self) { try apply(OptionalOperator.self, []) }
    #expect(try has(try apply(OptionalOperator.self, [], ["type": .type])) == [0])
  }

  @Test func `pass through a model with programs between them`() throws {
    // y = SequenceMap(x, t): 2 · x[i] + t, then its first element.
    let body = GraphMaker()
    let (element, shared) = (body.input("element"), body.input("shared"))
    let doubled = try body.node(BinaryOperator<Elementwise.Add>.self, [element, element])
    let sum = try body.node(BinaryOperator<Elementwise.Add>.self, [doubled, shared])
    let maker = GraphMaker()
    let x = maker.input("x", .float32, nil, kind: .sequence)
    let t = maker.input("t", .float32, [1])
    let mapped = try maker.node(SequenceMap.self, [x, t], ["body": .graph(try body.finish(sum))])
    let same = try maker.node(Identity.self, [mapped])
    let zero = maker.constant(scalar(0))
    let first = try maker.node(SequenceAt.self, [same, zero])
    let model = StagedModel(try maker.finish(same, first))
    #expect(model.inputs[0].kind == .sequence)
    let session = model.session()
    let result = try session.run([.sequence([a, b, c]), .tensor(TensorBuffer([1], [10]))])
    #expect(floats(result[0]) == [[12, 14], [16], [18, 20, 22]])
    #expect(result[1].tensor?.floats() == [12, 14])
    #expect(session.report.iterations == 3)
  }

  @Test func `as inputs make no program, whatever their shapes`() throws {
    let maker = GraphMaker()
    let x = maker.input("x", .float32, nil, kind: .sequence)
    let graph = try maker.finish(try maker.node(SequenceLength.self, [x]))
    let error = #expect(throws: CompileError.self) { try Compiler().compile(graph) }
    #expect(error?.code == .dataDependent)
    #expect(error?.message.contains("input \"x\" is a sequence") == true)
  }

  @Test func `cannot be given to what works on tensors`() throws {
    let maker = GraphMaker()
    let x = maker.input("x", .float32, nil, kind: .sequence)
    let y = try maker.node(
      BinaryOperator<Elementwise.Add>.self, [x, x], name: "sum")
    let session = StagedModel(try maker.finish(y)).session()
    let error = #expect(throws: StagingError.self) { try session.run([.sequence([a])]) }
    #expect(error?.description.contains("node \"sum\" (Add)") == true)
  }
}
