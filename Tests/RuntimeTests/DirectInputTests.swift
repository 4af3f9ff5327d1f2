import CTestSupport
import Glibc
import Instructions
import Kernels
import Planner
import Tensors
import Testing

@testable import Runtime

@Suite struct DirectInputTests {
  /// x [2,3,5,7] → a conversion to channels last → two more steps that reuse memory → y.
  private static func program(
    _ type: ElementType, _ quantization: Quantization? = nil, layout: Layout = .channelsLast
  ) -> Program {
    let declared = Shape([2, 3, 5, 7])
    let last = layout.physical(declared)
    var program = Program()
    program.tensors = [
      TensorSpec(name: "x", type: .float32, shape: declared),
      TensorSpec(name: "q", type: type, shape: last, layout: layout, quantization: quantization),
      TensorSpec(name: "r", type: .float32, shape: last, layout: layout),
      TensorSpec(name: "y", type: .float32, shape: last, layout: layout),
    ]
    let (x, q, r, y) = (Operand(0), Operand(1), Operand(2), Operand(3))
    let axes = layout == .declared ? nil : layout.axes(rank: 4)
    if quantization != nil {
      program.instructions = [QuantizeToUInt8(x, to: q), DequantizeFromUInt8(q, to: r)]
    } else {
      program.instructions = [
        Copy.converting(x, program.tensors[0], to: q, program.tensors[1], axes: axes),
        Copy.converting(q, program.tensors[1], to: r, program.tensors[2], axes: nil),
      ]
    }
    program.instructions.append(
      Copy.converting(r, program.tensors[2], to: y, program.tensors[3], axes: nil))
    program.origins = program.instructions.map { _ in "node" }
    program.inputs = [.init(name: "x", type: .float32, shape: declared, operand: x)]
    program.outputs = [.init(name: "y", type: .float32, shape: last, operand: y)]
    return program
  }

  private static let values = TensorBuffer(
    [2, 3, 5, 7], (0..<210).map { Float($0) * 0.377 - 31 })

  private static let quantizations: [(ElementType, Quantization?)] = [
    (.float32, nil), (.bfloat16, nil),
    (.uint8, Quantization(scale: 0.31, zeroPoint: 97)),
    (
      .uint8,
      Quantization(scales: [0.2, 0.31, 0.5], zeroPoints: [128, 0, 64], axis: 1)
    ),
  ]

  @Test(arguments: [1, 2], quantizations)
  func `runs give the same bits as with the declared input`(
    _ threads: Int, _ form: (type: ElementType, quantization: Quantization?)
  ) throws {
    let program = Self.program(form.type, form.quantization)
    let session = try Evaluation.session(program, constants: [:], threads: threads)
    let expected = try session.run([DirectInputTests.values])[0].floats()
    let direct = try #require(try session.takeDirectInput(0))
    #expect(direct.type == form.type)
    #expect(direct.shape == [2, 5, 7, 3])
    #expect(direct.axes == [0, 2, 3, 1])
    #expect(direct.quantization == form.quantization)
    let numbers = try direct.converted(DirectInputTests.values)
    for _ in 0..<3 {
      try session.withDirectInput(0) { bytes in
        numbers.withBytes { bytes.copyMemory(from: $0) }
      }
      try session.run()
      #expect(try session.output(0).floats() == expected)
    }
    // A trace shows the step that is left out without time.
    try session.withDirectInput(0) { bytes in
      numbers.withBytes { bytes.copyMemory(from: $0) }
    }
    let trace = try session.trace()
    #expect(trace.steps[0].nanoseconds == 0 && trace.steps.count == 3)
    #expect(try session.output(0).floats() == expected)
  }

  @Test func `a row of numbers is converted as the whole input is`() throws {
    let quantization = Quantization(
      scales: [0.2, 0.25, 0.5], zeroPoints: [128, 0, 64], axis: 1)
    let session = try Evaluation.session(Self.program(.uint8, quantization), constants: [:])
    let direct = try #require(try session.directInput(0))
    // Halves between two bytes go to the even one; what is outside is saturated.
    let row = TensorBuffer([1, 3, 1, 4], [0.1, 0.3, -900, 900, 0, 0.125, 0.375, 80, 0, 1, 2, 3])
    let result = try direct.converted(row)
    #expect(result.shape == [1, 1, 4, 3])
    #expect(
      result.elements(as: UInt8.self) == [128, 0, 64, 130, 0, 66, 0, 2, 68, 255, 255, 70])
    #expect(throws: RuntimeError.self) { try direct.converted(TensorBuffer([3], [1, 2, 3])) }
  }

  @Test func `the declared input is refused once it is taken`() throws {
    let session = try Evaluation.session(Self.program(.float32), constants: [:])
    #expect(throws: RuntimeError.self) { try session.withDirectInput(0) { _ in } }
    try session.takeDirectInput(0)
    #expect(try session.takeDirectInput(0) != nil)
    let error = #expect(throws: RuntimeError.self) {
      try session.setInput(0, DirectInputTests.values)
    }
    #expect(error?.code == .inputTaken)
    #expect(throws: RuntimeError.self) { try session.withInput(0) { _ in } }
    #expect(throws: RuntimeError.self) { try session.bind(input: 0, to: nil) }
    #expect(throws: RuntimeError.self) { try session.takeDirectInput(1) }
  }

  @Test func `runs with a direct input allocate nothing`() async {
    await #expect(processExitsWith: .exitCode(0)) {
      for threads in 1...2 {
        let session = try Evaluation.session(
          DirectInputTests.program(.bfloat16), constants: [:], threads: threads)
        guard try session.takeDirectInput(0) != nil else { exit(101) }
        try session.withDirectInput(0) { bytes in
          for index in bytes.indices { bytes[index] = 0 }
        }
        try session.run()
        ts_start_counting_allocations()
        for _ in 0..<100 { try session.run() }
        let count = ts_stop_counting_allocations()
        if count != 0 { exit(Int32(min(count, 100))) }
      }
    }
  }

  @Test func `an input with another reader stays as declared`() throws {
    var program = Self.program(.float32)
    program.tensors.append(TensorSpec(name: "z", type: .float32, shape: [2, 3, 5, 7]))
    program.instructions.append(
      Copy.converting(
        Operand(0), program.tensors[0], to: Operand(4), program.tensors[4], axes: nil))
    program.origins.append("other")
    program.outputs.append(
      .init(name: "z", type: .float32, shape: [2, 3, 5, 7], operand: Operand(4)))
    #expect(try Evaluation.session(program, constants: [:]).takeDirectInput(0) == nil)
  }

  @Test func `a conversion that is not the first step stays`() throws {
    var program = Self.program(.float32)
    program.tensors.append(TensorSpec(name: "f", type: .float32, shape: [4]))
    program.instructions.insert(Fill(Operand(4), bits: 0), at: 0)
    program.origins.append("fill")
    #expect(try Evaluation.session(program, constants: [:]).takeDirectInput(0) == nil)
  }

  @Test func `a result that is an output stays`() throws {
    var program = Self.program(.float32)
    program.outputs.append(
      .init(name: "q", type: .float32, shape: [2, 5, 7, 3], operand: Operand(1)))
    #expect(try Evaluation.session(program, constants: [:]).takeDirectInput(0) == nil)
  }

  @Test func `a copy of a part of the input stays`() throws {
    var program = Self.program(.float32, layout: .declared)
    program.instructions[0] = Copy(
      Operand(0), to: Operand(1), extents: [2, 3, 5, 6], sourceStrides: [105, 35, 7, 1],
      targetStrides: [105, 35, 7, 1])
    #expect(try Evaluation.session(program, constants: [:]).takeDirectInput(0) == nil)
  }

  @Test func `two inputs are taken one after the other`() throws {
    var program = Program()
    let shape = Shape([1, 2, 3, 4])
    let last = Shape([1, 3, 4, 2])
    for name in ["a", "b"] {
      program.tensors.append(TensorSpec(name: name, type: .float32, shape: shape))
    }
    for name in ["c", "d", "e", "f"] {
      program.tensors.append(TensorSpec(name: name, type: .float32, shape: last))
    }
    let axes = [0, 2, 3, 1]
    let specs = program.tensors
    program.instructions = [
      Copy.converting(Operand(0), specs[0], to: Operand(2), specs[2], axes: axes),
      Copy.converting(Operand(1), specs[1], to: Operand(3), specs[3], axes: axes),
      Copy.converting(Operand(2), specs[2], to: Operand(4), specs[4], axes: nil),
      Copy.converting(Operand(3), specs[3], to: Operand(5), specs[5], axes: nil),
    ]
    program.origins = ["a", "b", "c", "d"]
    program.inputs = (0..<2).map {
      .init(name: specs[$0].name, type: .float32, shape: shape, operand: Operand($0))
    }
    program.outputs = (4..<6).map {
      .init(name: specs[$0].name, type: .float32, shape: last, operand: Operand($0))
    }
    let session = try Evaluation.session(program, constants: [:])
    #expect(try session.takeDirectInput(1) == nil)
    #expect(try session.takeDirectInput(0) != nil)
    #expect(try session.takeDirectInput(1) != nil)
    for (index, base) in [(0, Float(10)), (1, Float(500))] {
      try session.withDirectInput(index) { bytes in
        for (i, _) in bytes.bindMemory(to: Float.self).enumerated() {
          bytes.storeBytes(of: base + Float(i), toByteOffset: 4 * i, as: Float.self)
        }
      }
    }
    try session.run()
    #expect(try session.output(0).floats() == (0..<24).map { 10 + Float($0) })
    #expect(try session.output(1).floats() == (0..<24).map { 500 + Float($0) })
  }
}
