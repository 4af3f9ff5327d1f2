import Glibc
import Graphs
import Instructions
import Kernels
import Tensors
import Testing

@testable import Operators

@Suite struct ElementwiseTests {
  /// Formulas as ONNX states them, in float64.
  private static let unary:
    [(any LoweredOperator.Type, [String: Attribute], @Sendable (Double) -> Double)] =
      [
        (UnaryOperator<Elementwise.Abs>.self, [:], { abs($0) }),
        (UnaryOperator<Elementwise.Neg>.self, [:], { -$0 }),
        (UnaryOperator<Elementwise.Sign>.self, [:], { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }),
        (UnaryOperator<Elementwise.Relu>.self, [:], { max($0, 0) }),
        (UnaryOperator<Elementwise.Ceil>.self, [:], { ceil($0) }),
        (UnaryOperator<Elementwise.Floor>.self, [:], { floor($0) }),
        (UnaryOperator<Elementwise.Round>.self, [:], { $0.rounded(.toNearestOrEven) }),
        (UnaryOperator<Elementwise.Reciprocal>.self, [:], { 1 / $0 }),
        (UnaryOperator<Elementwise.Sqrt>.self, [:], { sqrt($0) }),
        (UnaryOperator<Elementwise.Exp>.self, [:], { exp($0) }),
        (UnaryOperator<Elementwise.Log>.self, [:], { log($0) }),
        (UnaryOperator<Elementwise.Erf>.self, [:], { erf($0) }),
        (UnaryOperator<Elementwise.Sin>.self, [:], { sin($0) }),
        (UnaryOperator<Elementwise.Cos>.self, [:], { cos($0) }),
        (UnaryOperator<Elementwise.Tan>.self, [:], { tan($0) }),
        (UnaryOperator<Elementwise.Asin>.self, [:], { asin($0) }),
        (UnaryOperator<Elementwise.Acos>.self, [:], { acos($0) }),
        (UnaryOperator<Elementwise.Atan>.self, [:], { atan($0) }),
        (UnaryOperator<Elementwise.Sinh>.self, [:], { sinh($0) }),
        (UnaryOperator<Elementwise.Cosh>.self, [:], { cosh($0) }),
        (UnaryOperator<Elementwise.Asinh>.self, [:], { asinh($0) }),
        (UnaryOperator<Elementwise.Acosh>.self, [:], { acosh($0) }),
        (UnaryOperator<Elementwise.Atanh>.self, [:], { atanh($0) }),
        (UnaryOperator<Elementwise.Sigmoid>.self, [:], { 1 / (1 + exp(-$0)) }),
        (UnaryOperator<Elementwise.Tanh>.self, [:], { tanh($0) }),
        (UnaryOperator<Elementwise.Softplus>.self, [:], { log(1 + exp($0)) }),
        (UnaryOperator<Elementwise.Softsign>.self, [:], { $0 / (1 + abs($0)) }),
        (UnaryOperator<Elementwise.Mish>.self, [:], { $0 * tanh(log(1 + exp($0))) }),
        (UnaryOperator<Elementwise.LeakyRelu>.self, [:], { $0 < 0 ? 0.01 * $0 : $0 }),
        (
          UnaryOperator<Elementwise.LeakyRelu>.self, ["alpha": .float(0.3)],
          { $0 < 0 ? 0.3 * $0 : $0 }
        ),
        (UnaryOperator<Elementwise.Elu>.self, [:], { $0 < 0 ? exp($0) - 1 : $0 }),
        (
          UnaryOperator<Elementwise.Elu>.self, ["alpha": .float(2)],
          { $0 < 0 ? 2 * (exp($0) - 1) : $0 }
        ),
        (
          UnaryOperator<Elementwise.Selu>.self, [:],
          { 1.0507009873554805 * ($0 < 0 ? 1.6732632423543772 * (exp($0) - 1) : $0) }
        ),
        (
          UnaryOperator<Elementwise.Celu>.self, ["alpha": .float(2)],
          { max(0, $0) + min(0, 2 * (exp($0 / 2) - 1)) }
        ),
        (UnaryOperator<Elementwise.ThresholdedRelu>.self, [:], { $0 > 1 ? $0 : 0 }),
        (UnaryOperator<Elementwise.HardSigmoid>.self, [:], { max(0, min(1, 0.2 * $0 + 0.5)) }),
        (UnaryOperator<Elementwise.HardSwish>.self, [:], { $0 * max(0, min(1, $0 / 6 + 0.5)) }),
        (
          UnaryOperator<Elementwise.Swish>.self, ["alpha": .float(1.5)],
          { $0 / (1 + exp(-1.5 * $0)) }
        ),
        (UnaryOperator<Elementwise.Shrink>.self, [:], { $0 < -0.5 ? $0 : $0 > 0.5 ? $0 : 0 }),
        (
          UnaryOperator<Elementwise.Shrink>.self, ["lambd": .float(1), "bias": .float(0.25)],
          { $0 < -1 ? $0 + 0.25 : $0 > 1 ? $0 - 0.25 : 0 }
        ),
        (
          UnaryOperator<Elementwise.Gelu>.self, [:], { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) }
        ),
        (
          UnaryOperator<Elementwise.Gelu>.self, ["approximate": .string("tanh")],
          { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }
        ),
        (
          UnaryOperator<Elementwise.MicrosoftGelu>.self, [:],
          { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) }
        ),
        (UnaryOperator<Elementwise.QuickGelu>.self, [:], { $0 / (1 + exp(-1.702 * $0)) }),
      ]

  @Test(arguments: 0..<unary.count)
  func `a function of one tensor is its formula`(_ index: Int) throws {
    let (type, attributes, formula) = ElementwiseTests.unary[index]
    let values: [Float] = [-3, -1.5, -1, -0.75, -0.5, -0.1, 0, 0.1, 0.5, 0.9, 1, 1.5, 2.5, 4]
    for shape in [[14], [2, 7], [1, 2, 1, 7]] as [Shape] {
      for isas in [Set<ISA>(), ISA.host] {
        var runner = OperatorRunner(type, version: 24, attributes)
        runner.isas = isas
        let x = TensorBuffer(shape, values)
        let inputs: [OperatorRunner.Input] =
          shape.rank == 4 ? [.runtime(x), .channelsLast(x)] : [.runtime(x)]
        for input in inputs {
          let y = try runner(input)
          #expect(y.shape == shape)
          for (got, value) in zip(y.contents, values) {
            let wanted = formula(Double(value))
            if wanted.isNaN {
              #expect(got.isNaN, "\(type.name)(\(value))")
            } else {
              #expect(
                Double(got) == wanted || abs(Double(got) - wanted) <= 2e-6 * (1 + abs(wanted)),
                "\(type.name)(\(value)) = \(got), not \(wanted)")
            }
          }
        }
      }
    }
    // Float64 and float16 take the same way.
    let wide = TensorBuffer(.float64, [3], [0.25, 0.5, 0.75])
    let exact = try OperatorRunner(type, version: 24, attributes)(.runtime(wide))
    #expect(exact.type == .float64)
    for (got, value) in zip(exact.elements(as: Double.self), [0.25, 0.5, 0.75]) {
      let wanted = formula(value)
      // Attributes are float32.
      #expect(got.isNaN && wanted.isNaN || abs(got - wanted) < 1e-6, "\(type.name)(\(value))")
    }
    let half = TensorBuffer(.float16, [2], [Float16(0.25), 0.5])
    #expect(try OperatorRunner(type, version: 24, attributes)(.runtime(half)).type == .float16)
    let empty = TensorBuffer(zeros: .float32, [0, 3])
    #expect(try OperatorRunner(type, version: 24, attributes)(.runtime(empty)).shape == [0, 3])
    #expect(throws: GraphError.self) {
      try OperatorRunner(type, version: 24, attributes)(.runtime(TensorBuffer(zeros: .bool, [1])))
    }
  }

  @Test func `integers keep their type`() throws {
    let x = TensorBuffer(.int8, [4], [Int8(-128), -3, 0, 5])
    func values(_ type: any LoweredOperator.Type) throws -> [Int8] {
      try OperatorRunner(type)(.runtime(x)).elements(as: Int8.self)
    }
    #expect(try values(UnaryOperator<Elementwise.Abs>.self) == [-128, 3, 0, 5])
    #expect(try values(UnaryOperator<Elementwise.Neg>.self) == [-128, 3, 0, -5])
    #expect(try values(UnaryOperator<Elementwise.Sign>.self) == [-1, -1, 0, 1])
    #expect(try values(UnaryOperator<Elementwise.Relu>.self) == [0, 0, 0, 5])
    #expect(try values(BitwiseNot.self) == [127, 2, -1, -6])
    #expect(throws: GraphError.self) { try values(UnaryOperator<Elementwise.Exp>.self) }
  }

  @Test func `questions are answered with bools`() throws {
    let x = TensorBuffer([5], [1, .nan, .infinity, -.infinity, 0])
    func answers(
      _ type: any LoweredOperator.Type, _ attributes: [String: Attribute] = [:]
    ) throws -> [Int] {
      let y = try OperatorRunner(type, attributes)(.runtime(x))
      #expect(y.type == .bool)
      return y.integers() ?? []
    }
    #expect(try answers(IsNaN.self) == [0, 1, 0, 0, 0])
    #expect(try answers(IsInf.self) == [0, 0, 1, 1, 0])
    #expect(try answers(IsInf.self, ["detect_negative": .int(0)]) == [0, 0, 1, 0, 0])
    #expect(try answers(IsInf.self, ["detect_positive": .int(0)]) == [0, 0, 0, 1, 0])
    let neither = ["detect_positive": Attribute.int(0), "detect_negative": .int(0)]
    #expect(try answers(IsInf.self, neither) == [0, 0, 0, 0, 0])
    let truth = TensorBuffer(.bool, [2], [UInt8(1), 0])
    #expect(try OperatorRunner(Not.self)(.runtime(truth)).integers() == [0, 1])
  }

  // MARK: Two tensors

  private static let binary: [(any LoweredOperator.Type, @Sendable (Double, Double) -> Double)] = [
    (BinaryOperator<Elementwise.Add>.self, { $0 + $1 }),
    (BinaryOperator<Elementwise.Sub>.self, { $0 - $1 }),
    (BinaryOperator<Elementwise.Mul>.self, { $0 * $1 }),
    (BinaryOperator<Elementwise.Div>.self, { $0 / $1 }),
    (BinaryOperator<Elementwise.Equal>.self, { $0 == $1 ? 1 : 0 }),
    (BinaryOperator<Elementwise.Greater>.self, { $0 > $1 ? 1 : 0 }),
    (BinaryOperator<Elementwise.GreaterOrEqual>.self, { $0 >= $1 ? 1 : 0 }),
    (BinaryOperator<Elementwise.Less>.self, { $0 < $1 ? 1 : 0 }),
    (BinaryOperator<Elementwise.LessOrEqual>.self, { $0 <= $1 ? 1 : 0 }),
    (VariadicOperator<Elementwise.Max>.self, { max($0, $1) }),
    (VariadicOperator<Elementwise.Min>.self, { min($0, $1) }),
    (VariadicOperator<Elementwise.Sum>.self, { $0 + $1 }),
    (VariadicOperator<Elementwise.Mean>.self, { ($0 + $1) / 2 }),
    (Pow.self, { pow($0, $1) }),
  ]

  private func broadcast(
    _ a: TensorBuffer, _ b: TensorBuffer, _ formula: (Double, Double) -> Double
  ) throws -> TensorBuffer {
    let shape = try #require(Shape.broadcast(a.shape, b.shape))
    func element(_ tensor: TensorBuffer, _ index: [Int]) -> Double {
      let own = index.suffix(tensor.shape.rank)
      return Double(tensor.value(zip(own, tensor.shape.dimensions).map { $1 == 1 ? 0 : $0 }))
    }
    return TensorBuffer.computed(shape) { Float(formula(element(a, $0), element(b, $0))) }
  }

  @Test(arguments: 0..<binary.count)
  func `a function of two tensors broadcasts`(_ index: Int) throws {
    let (type, formula) = ElementwiseTests.binary[index]
    let shapes: [(Shape, Shape)] = [
      ([2, 3], [2, 3]), ([3], [2, 3]), ([2, 3], []), ([2, 1], [3]), ([], []), ([0, 3], [3]),
      ([2, 3, 4, 5], [3, 1, 1]), ([2, 3, 4, 5], [2, 3, 1, 1]), ([2, 3, 4, 5], [4, 5]),
      ([2, 3, 4, 5], [5]), ([1, 3, 1, 1], [2, 3, 4, 5]), ([2, 3, 4, 5], [1, 3, 4, 1]),
      ([1, 3, 4, 5], [2, 1, 4, 5]), ([2, 3, 4], [3, 1]), ([2, 1, 3, 1, 2, 1], [4, 1, 5, 1, 3]),
      ([2, 3, 4, 5], [3, 4, 5]), ([2, 3, 4, 5], [1]),
    ]
    for (first, second) in shapes {
      let a = TensorBuffer(first, TensorBuffer.random(first, seed: 3).contents.map { abs($0) * 4 })
      let b = TensorBuffer(
        second, TensorBuffer.random(second, seed: 5).contents.map { $0 * 2 + 0.1 })
      let wanted = try broadcast(a, b, formula)
      for (left, right) in [
        (OperatorRunner.Input.runtime(a), OperatorRunner.Input.runtime(b)),
        (.runtime(a), .constant(b)), (.constant(a), .runtime(b)),
        (first.rank == 4 ? .channelsLast(a) : .runtime(a), .runtime(b)),
        (first.rank == 4 ? .channelsLast(a) : .runtime(a), .constant(b)),
        (.runtime(a), second.rank == 4 ? .channelsLast(b) : .runtime(b)),
      ] {
        var runner = OperatorRunner(type)
        runner.parts = first.rank > 3 ? 3 : 1
        let y = try runner(left, right)
        #expect(y.shape == wanted.shape)
        let far = zip(y.contents, wanted.contents).contains { got, wanted in
          !(got == wanted || got.isNaN && wanted.isNaN
            || abs(got - wanted) <= 1e-5 * (1 + abs(wanted)))
        }
        #expect(!far, "\(type.name) of \(first) and \(second)")
      }
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(type)(
        .runtime(TensorBuffer.counting([3])), .runtime(TensorBuffer.counting([4])))
    }
  }

  @Test func `integers divide and take remainders as stated`() throws {
    let a = TensorBuffer(.int32, [6], [Int32(7), -7, 7, -7, .min, 5])
    let b = TensorBuffer(.int32, [6], [Int32(3), 3, -3, -3, -1, 0])
    func outcome(
      _ type: any LoweredOperator.Type, _ attributes: [String: Attribute] = [:]
    ) throws -> ([Int32], UInt32) {
      let outcome = try OperatorRunner(type, attributes).outcome(.runtime(a), .runtime(b))
      return (outcome.outputs[0].elements(as: Int32.self), outcome.fault)
    }
    let quotients = try outcome(BinaryOperator<Elementwise.Div>.self)
    #expect(quotients.0 == [2, -2, -2, 2, .min, 0])
    #expect(quotients.1 == ExecutionContext.Fault.divisionByZero.rawValue)
    #expect(try outcome(BinaryOperator<Elementwise.Mod>.self).0 == [1, 2, -2, -1, 0, 0])
    #expect(
      try outcome(BinaryOperator<Elementwise.Mod>.self, ["fmod": .int(1)]).0 == [
        1, -1, 1, -1, 0, 0,
      ])
    #expect(try outcome(BinaryOperator<Elementwise.Mul>.self).0 == [21, -21, -21, 21, .min, 0])
    #expect(try outcome(BinaryOperator<Elementwise.Mul>.self).1 == 0)
    let x = TensorBuffer([4], [5.5, -5.5, 5.5, -5.5])
    let y = TensorBuffer([4], [2, 2, -2, -2])
    let rest = try OperatorRunner(BinaryOperator<Elementwise.Mod>.self, ["fmod": .int(1)])(
      .runtime(x), .runtime(y))
    #expect(rest.contents == [1.5, -1.5, 1.5, -1.5])
    let modulo = try OperatorRunner(BinaryOperator<Elementwise.Mod>.self, version: 28)(
      .runtime(x), .runtime(y))
    #expect(modulo.contents == [1.5, 0.5, -0.5, -1.5])
  }

  @Test func `logic, bits and shifts`() throws {
    let p = TensorBuffer(.bool, [4], [UInt8(0), 0, 1, 1])
    let q = TensorBuffer(.bool, [4], [UInt8(0), 1, 0, 1])
    func logic(_ type: any LoweredOperator.Type) throws -> [Int]? {
      try OperatorRunner(type)(.runtime(p), .runtime(q)).integers()
    }
    #expect(try logic(BinaryOperator<Elementwise.And>.self) == [0, 0, 0, 1])
    #expect(try logic(BinaryOperator<Elementwise.Or>.self) == [0, 1, 1, 1])
    #expect(try logic(BinaryOperator<Elementwise.Xor>.self) == [0, 1, 1, 0])
    #expect(try logic(BinaryOperator<Elementwise.Equal>.self) == [1, 0, 0, 1])
    let a = TensorBuffer(.uint8, [3], [UInt8(0b1100), 200, 3])
    let b = TensorBuffer(.uint8, [3], [UInt8(0b1010), 1, 9])
    func bits(
      _ type: any LoweredOperator.Type, _ attributes: [String: Attribute] = [:]
    ) throws -> [Int]? {
      try OperatorRunner(type, attributes)(.runtime(a), .runtime(b)).integers()
    }
    #expect(try bits(BinaryOperator<Elementwise.BitwiseAnd>.self) == [8, 0, 1])
    #expect(try bits(BinaryOperator<Elementwise.BitwiseOr>.self) == [14, 201, 11])
    #expect(try bits(BinaryOperator<Elementwise.BitwiseXor>.self) == [6, 201, 10])
    let shift = BinaryOperator<Elementwise.BitShift>.self
    #expect(try bits(shift, ["direction": .string("LEFT")]) == [0, 144, 0])
    #expect(try bits(shift, ["direction": .string("RIGHT")]) == [0, 100, 0])
    #expect(throws: ImportError.self) { try bits(shift) }
    let signed = TensorBuffer(.int8, [5], [Int8(-8), 100, -1, 1, -5])
    let steps = TensorBuffer(.int8, [5], [Int8(1), 1, 9, -1, -1])
    for (direction, wanted) in [("LEFT", [-16, -56, 0, 0, 0]), ("RIGHT", [-4, 50, -1, 0, -1])] {
      let y = try OperatorRunner(shift, version: 28, ["direction": .string(direction)])(
        .runtime(signed), .runtime(steps))
      #expect(y.integers() == wanted)
    }
  }

  @Test func `powers of mixed types`() throws {
    let x = TensorBuffer(.int32, [4], [Int32(2), -3, 5, 0])
    let y = TensorBuffer(.int64, [4], [Int64(3), 3, -1, 0])
    #expect(
      try OperatorRunner(Pow.self)(.runtime(x), .runtime(y)).elements(as: Int32.self)
        == [8, -27, 0, 1])
    let root = TensorBuffer([], [0.5])
    let squares = TensorBuffer(.int32, [2], [Int32(16), 10])
    #expect(
      try OperatorRunner(Pow.self)(.runtime(squares), .runtime(root)).elements(as: Int32.self)
        == [4, 3])
    let base = TensorBuffer([2], [3, 4])
    let exponent = TensorBuffer(.int32, [2], [Int32(2), -1])
    #expect(try OperatorRunner(Pow.self)(.runtime(base), .runtime(exponent)).contents == [9, 0.25])
    for (power, wanted) in [(2, [9, 16]), (1, [3, 4]), (-1, [1 / 3, 0.25])] as [(Float, [Float])] {
      let z = try OperatorRunner(Pow.self)(.runtime(base), .constant(TensorBuffer([], [power])))
      #expect(z.contents == wanted)
    }
  }

  @Test func `any number of tensors`() throws {
    let a = TensorBuffer([2, 2], [1, 5, .nan, 2])
    let b = TensorBuffer([2], [3, 3])
    let c = TensorBuffer([], [4])
    func values(_ type: any LoweredOperator.Type) throws -> [Float] {
      try OperatorRunner(type)(.runtime(a), .runtime(b), .constant(c)).contents
    }
    let greatest = try values(VariadicOperator<Elementwise.Max>.self)
    #expect(greatest[0] == 4 && greatest[1] == 5 && greatest[2].isNaN && greatest[3] == 4)
    let mean = try values(VariadicOperator<Elementwise.Mean>.self)
    #expect(abs(mean[0] - 8 / 3) < 1e-6 && mean[2].isNaN && mean[3] == 3)
    #expect(
      try OperatorRunner(VariadicOperator<Elementwise.Sum>.self)(.runtime(b)).contents == [3, 3])
    #expect(throws: GraphError.self) {
      try OperatorRunner(VariadicOperator<Elementwise.Max>.self).run([])
    }
    let integers = TensorBuffer(.int64, [2], [Int64(9), -9])
    let zero = TensorBuffer(.int64, [], [Int64(0)])
    let least = try OperatorRunner(VariadicOperator<Elementwise.Min>.self)(
      .runtime(integers), .runtime(zero))
    #expect(least.integers() == [0, -9])
  }

  @Test func `slopes per channel`() throws {
    let x = TensorBuffer([1, 2, 2, 2], [-1, 2, -3, 4, -5, 6, -7, 8])
    let slope = TensorBuffer([2, 1, 1], [0.5, 0.1])
    let wanted: [Float] = [-0.5, 2, -1.5, 4, -0.5, 6, -0.7, 8]
    for input in [OperatorRunner.Input.runtime(x), .channelsLast(x)] {
      for given in [OperatorRunner.Input.runtime(slope), .constant(slope)] {
        let y = try OperatorRunner(PRelu.self)(input, given)
        #expect(y.difference(to: TensorBuffer([1, 2, 2, 2], wanted)) < 1e-6)
      }
      let one = try OperatorRunner(PRelu.self)(input, .constant(TensorBuffer([1], [0.5])))
      #expect(one.contents == [-0.5, 2, -1.5, 4, -2.5, 6, -3.5, 8])
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(PRelu.self)(.runtime(slope), .runtime(x))
    }
  }

  @Test func `bounds of every kind`() throws {
    let x = TensorBuffer([4], [-2, -0.5, 0.5, 2])
    let low = TensorBuffer([], [-1])
    let high = TensorBuffer([], [1])
    #expect(
      try OperatorRunner(Clip.self, version: 6, ["min": .float(-1), "max": .float(1)])(.runtime(x))
        .contents == [-1, -0.5, 0.5, 1])
    #expect(
      try OperatorRunner(Clip.self, version: 6, ["max": .float(0)])(.runtime(x)).contents == [
        -2, -0.5, 0, 0,
      ])
    for make in [OperatorRunner.Input.constant, OperatorRunner.Input.runtime] {
      #expect(
        try OperatorRunner(Clip.self)(.runtime(x), make(low), make(high)).contents == [
          -1, -0.5, 0.5, 1,
        ])
      #expect(
        try OperatorRunner(Clip.self)(.runtime(x), .absent, make(high)).contents == [
          -2, -0.5, 0.5, 1,
        ])
      #expect(try OperatorRunner(Clip.self)(.runtime(x), make(low)).contents == [-1, -0.5, 0.5, 2])
      // Crossed bounds: the upper one wins.
      #expect(
        try OperatorRunner(Clip.self)(.runtime(x), make(high), make(low)).contents == [
          -1, -1, -1, -1,
        ])
    }
    #expect(try OperatorRunner(Clip.self)(.runtime(x)).contents == x.contents)
    let integers = TensorBuffer(.int64, [3], [Int64.min, 1 << 60, 7])
    let bound = TensorBuffer(.int64, [], [Int64(1 << 59) + 1])
    let clipped = try OperatorRunner(Clip.self)(.runtime(integers), .absent, .constant(bound))
    #expect(clipped.elements(as: Int64.self) == [.min, (1 << 59) + 1, 7])
    #expect(throws: GraphError.self) {
      try OperatorRunner(Clip.self)(.runtime(x), .constant(bound))
    }
  }

  @Test func `choices broadcast`() throws {
    let condition = TensorBuffer(.bool, [2, 1], [UInt8(1), 0])
    let a = TensorBuffer([3], [1, 2, 3])
    let b = TensorBuffer([], [9])
    let y = try OperatorRunner(Where.self)(.runtime(condition), .runtime(a), .constant(b))
    #expect(y.shape == [2, 3] && y.contents == [1, 2, 3, 9, 9, 9])
    let bytes = TensorBuffer(.uint8, [2, 3], [UInt8(1), 2, 3, 4, 5, 6])
    let zero = TensorBuffer(.uint8, [], [UInt8(0)])
    let chosen = try OperatorRunner(Where.self)(
      .runtime(condition), .runtime(bytes), .constant(zero))
    #expect(chosen.integers() == [1, 2, 3, 0, 0, 0])
    let picture = TensorBuffer.counting([1, 2, 2, 2])
    let mask = TensorBuffer(.bool, [2, 1, 1], [UInt8(0), 1])
    let masked = try OperatorRunner(Where.self)(
      .runtime(mask), .channelsLast(picture), .constant(b))
    #expect(masked.contents == [9, 9, 9, 9, 4, 5, 6, 7])
    #expect(throws: GraphError.self) {
      try OperatorRunner(Where.self)(.runtime(a), .runtime(a), .runtime(a))
    }
  }

  @Test func `results kept in bfloat16 are rounded once, and so are inputs`() throws {
    let a = TensorBuffer.random([3, 40], seed: 8)
    let b = TensorBuffer.random([40], seed: 9)
    var runner = OperatorRunner(BinaryOperator<Elementwise.Mul>.self)
    runner.storage = .bfloat16
    let y = try runner(.runtime(a), .constant(b))
    let wanted = try broadcast(a, b) {
      Double(Float(BFloat16(Float(BFloat16(Float($0))) * Float($1))))
    }
    #expect(y.type == .float32 && y.contents == wanted.contents)
  }
}
