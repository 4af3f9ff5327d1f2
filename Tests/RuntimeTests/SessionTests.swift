import Instructions
import Kernels
import Tensors
import Testing

@testable import Runtime

@Suite struct SessionTests {
  @Test func `runs a program in memory`() throws {
    let (program, constants) = Samples.transposeAndJoin()
    let x = TensorBuffer([2, 3], [1, 2, 3, 4, 5, 6])
    let results = try Evaluation.run(program, constants: constants, inputs: [x])
    #expect(results[0].floats() == [1, 4, 10, 20, 2, 5, 30, 40, 3, 6, 50, 60])
    #expect(results[0].shape == [3, 4])
  }

  @Test func `gives the same results again`() throws {
    let (program, constants) = Samples.transposeAndJoin()
    let session = try Evaluation.session(program, constants: constants)
    for round in 0..<3 {
      let x = TensorBuffer([2, 3], (0..<6).map { Float($0 + round) })
      let y = try session.run([x])[0].floats() ?? []
      #expect(y[0] == Float(round) && y[1] == Float(3 + round))
    }
  }

  @Test func `names both sides of a wrong tensor`() throws {
    let (program, constants) = Samples.transposeAndJoin()
    let session = try Evaluation.session(program, constants: constants)
    let error = #expect(throws: RuntimeError.self) {
      try session.run([TensorBuffer([3, 2], [1, 2, 3, 4, 5, 6])])
    }
    #expect(error?.code == .wrongTensor)
    #expect(error?.description.contains("2x3") == true)
    #expect(error?.description.contains("3x2") == true)
    #expect(throws: RuntimeError.self) { try session.run([]) }
    #expect(throws: RuntimeError.self) { try session.output(1) }
  }

  @Test func `runs scalars and tensors of no elements`() throws {
    for shape in [Shape([]), Shape([0]), Shape([3, 0])] {
      var program = Program()
      program.tensors = [
        TensorSpec(name: "x", type: .float32, shape: shape),
        TensorSpec(name: "y", type: .float32, shape: shape),
      ]
      program.instructions = [
        Copy.converting(
          Operand(0), program.tensors[0], to: Operand(1), program.tensors[1], axes: nil)
      ]
      program.origins = ["copy"]
      program.inputs = [.init(name: "x", type: .float32, shape: shape, operand: Operand(0))]
      program.outputs = [.init(name: "y", type: .float32, shape: shape, operand: Operand(1))]
      let x = TensorBuffer(shape, (0..<shape.elementCount).map { Float($0 + 7) })
      let y = try Evaluation.run(program, constants: [:], inputs: [x])
      #expect(y[0].floats() == x.floats())
    }
  }

  @Test func `shows all tensors when they are kept`() throws {
    let (program, constants) = Samples.transposeAndJoin()
    let session = try Evaluation.session(program, constants: constants, keepingAll: true)
    _ = try session.run([TensorBuffer([2, 3], [1, 2, 3, 4, 5, 6])])
    let transposed = try session.contents(of: Samples.transposedView)
    #expect(transposed.floats() == [1, 4, 2, 5, 3, 6])
  }

  @Test func `stores equal constants once`() throws {
    var (program, constants) = Samples.transposeAndJoin()
    program.tensors.append(program.tensors[1])
    constants[Operand(program.tensors.count - 1)] = TensorBuffer(
      [3, 2], [10, 20, 30, 40, 50, 60])
    let weights = try Weights(constants, of: &program)
    #expect(weights.byteCount == 64)
    #expect(program.tensors[1].storage == program.tensors.last?.storage)
  }

  @Test func `refuses an instruction without its operands`() throws {
    var (program, constants) = Samples.transposeAndJoin()
    program.instructions.append(CopyRows())
    program.origins.append("nothing")
    let error = #expect(throws: RuntimeError.self) {
      try Evaluation.session(program, constants: constants)
    }
    #expect(error?.code == .invalidProgram)
    #expect(error?.place?.contains("nothing") == true)
  }

  @Test func `runs by name and lists the names that exist`() throws {
    let (program, constants) = Samples.transposeAndJoin()
    let session = try Evaluation.session(program, constants: constants)
    let x = TensorBuffer([2, 3], [1, 2, 3, 4, 5, 6])
    #expect(try session.run(["x": x])["y"]?.shape == [3, 4])
    let missing = #expect(throws: RuntimeError.self) { try session.run([:]) }
    #expect(missing?.place == "input \"x\"")
    let unknown = #expect(throws: RuntimeError.self) { try session.run(["x": x, "z": x]) }
    #expect(unknown?.message.contains("\"z\"") == true)
  }

  @Test func `reads and writes memory that is bound to it`() throws {
    let (program, constants) = Samples.transposeAndJoin()
    let session = try Evaluation.session(program, constants: constants)
    let expected = try session.run([TensorBuffer([2, 3], [1, 2, 3, 4, 5, 6])])[0].floats()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 64)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0xAA)
    let input = UnsafeMutableRawBufferPointer(rebasing: memory[0..<88])
    let output = UnsafeMutableRawBufferPointer(rebasing: memory[128..<240])
    for index in 0..<6 {
      input.storeBytes(of: Float(index + 1), toByteOffset: index * 4, as: Float.self)
    }
    try session.bind(input: 0, to: UnsafeRawBufferPointer(input))
    try session.bind(output: 0, to: output)
    try session.run()
    let written = (0..<12).map { output.load(fromByteOffset: $0 * 4, as: Float.self) }
    #expect(written == expected)
    #expect(memory[176..<512].allSatisfy { $0 == 0xAA }, "nothing behind the output is written")
    #expect(try session.output(0).floats() == expected)
    try session.bind(output: 0, to: nil)
    try session.bind(input: 0, to: nil)
    #expect(try session.run([TensorBuffer([2, 3], [1, 2, 3, 4, 5, 6])])[0].floats() == expected)
  }

  @Test func `refuses to bind memory that is too small or not aligned`() throws {
    let (program, constants) = Samples.transposeAndJoin()
    let session = try Evaluation.session(program, constants: constants)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 64)
    defer { memory.deallocate() }
    for range in [0..<87, 8..<512, 0..<0] {
      let slice = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[range])
      let error = #expect(throws: RuntimeError.self) { try session.bind(input: 0, to: slice) }
      #expect(error?.message.contains("88 bytes") == true)
    }
  }

  @Test func `traces every instruction`() throws {
    let (program, constants) = Samples.transposeAndJoin()
    for threads in 1...2 {
      let session = try Evaluation.session(program, constants: constants, threads: threads)
      let trace = try session.trace()
      #expect(trace.steps.map(\.name) == ["transpose", "left", "right"])
      #expect(trace.steps.map(\.opcode) == ["copy", "copy_rows", "copy_rows"])
      #expect(trace.steps[0].byteCount == 48)
      #expect(trace.steps.allSatisfy { $0.nanoseconds >= 0 })
      #expect(trace.nanoseconds > 0)
      #expect(Trace.median([trace, trace, trace])?.nanoseconds == trace.nanoseconds)
    }
  }

  @Test func `tells its memory by kind`() throws {
    let (program, constants) = Samples.transposeAndJoin()
    let memory = try Evaluation.session(program, constants: constants).memory
    #expect(memory.weightByteCount == 64)
    #expect(memory.ioByteCount == 24 + 48)
    #expect(memory.arenaByteCount >= 24)
    #expect(memory.scratchByteCount == 0)
  }

  @Test(.enabled(if: ISA.avx2.isAvailable))
  func `makes weights in other forms once, and counts them`() throws {
    var program = Program()
    program.tensors = [
      TensorSpec(name: "x", type: .float32, shape: [1, 24, 24, 16]),
      TensorSpec(name: "w", type: .float32, shape: [1, 144, 16]),
      TensorSpec(name: "y", type: .float32, shape: [1, 24, 24, 16]),
    ]
    var convolution = Convolution()
    (convolution.x, convolution.weights, convolution.y) = (Operand(0), Operand(1), Operand(2))
    (convolution.kernel, convolution.pads) = ([3, 3], [1, 1, 1, 1])
    program.instructions = [convolution]
    program.origins = ["conv"]
    program.inputs = [
      Program.Port(
        name: "x", type: .float32, shape: program.tensors[0].shape, operand: Operand(0))
    ]
    program.outputs = [
      Program.Port(
        name: "y", type: .float32, shape: program.tensors[2].shape, operand: Operand(2))
    ]
    let weights = TensorBuffer([1, 144, 16], (0..<2304).map { Float($0 % 17) / 16 - 0.5 })
    let x = TensorBuffer([1, 24, 24, 16], (0..<9216).map { Float($0 % 23) / 16 - 0.5 })
    var results: [[Float]] = []
    for threads in 1...2 {
      let session = try Evaluation.session(
        program, constants: [Operand(1): weights], threads: threads)
      #expect(session.memory.derivedWeightByteCount == 36 * 16 * 16 * 4)
      #expect(try session.trace().steps[0].method == "winograd 4x4")
      results.append(try #require(session.run([x])[0].floats()))
    }
    #expect(results[0] == results[1])
    let portable = try Evaluation.session(
      program, constants: [Operand(1): weights], isas: [.portable])
    #expect(portable.memory.derivedWeightByteCount == 0)
    let direct = try #require(portable.run([x])[0].floats())
    #expect(zip(direct, results[0]).allSatisfy { abs($0 - $1) < 1e-3 })
  }

  @Test func `an arena too large for the machine is an error with numbers`() throws {
    var program = Program()
    program.tensors = [TensorSpec(name: "x", type: .float32, shape: [1 << 43])]
    program.inputs = [
      .init(name: "x", type: .float32, shape: [1 << 43], operand: Operand(0))
    ]
    let error = #expect(throws: RuntimeError.self) {
      try Evaluation.session(program, constants: [:])
    }
    #expect(error?.code == .outOfMemory)
    #expect(error?.message.contains("35184372088") == true)
  }
}

/// Small programs that tests share.
enum Samples {
  static let transposedView = Operand(3)

  /// y = concat(transpose(x), c) along the last axis; the transposed x is written into a strided
  /// view of y.
  static func transposeAndJoin() -> (Program, [Operand: TensorBuffer]) {
    var program = Program()
    program.tensors = [
      TensorSpec(name: "x", type: .float32, shape: [2, 3]),
      TensorSpec(name: "c", type: .float32, shape: [3, 2], storage: .constant(offset: 0)),
      TensorSpec(name: "t", type: .float32, shape: [3, 2]),
      TensorSpec(
        name: "left", type: .float32, shape: [3, 2], rowStride: 4,
        storage: .view(of: Operand(4), byteOffset: 0)),
      TensorSpec(name: "y", type: .float32, shape: [3, 4]),
    ]
    program.instructions = [
      Copy(
        Operand(0), to: Operand(2), extents: [3, 2], sourceStrides: [1, 3], targetStrides: [2, 1]),
      CopyRows(Operand(2), to: Operand(3), count: 2),
      CopyRows(Operand(1), to: Operand(4), at: 2, count: 2),
    ]
    program.origins = ["transpose", "left", "right"]
    program.inputs = [.init(name: "x", type: .float32, shape: [2, 3], operand: Operand(0))]
    program.outputs = [.init(name: "y", type: .float32, shape: [3, 4], operand: Operand(4))]
    return (program, [Operand(1): TensorBuffer([3, 2], [10, 20, 30, 40, 50, 60])])
  }
}
