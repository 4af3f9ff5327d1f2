import Kernels
import Tensors
import Testing

@testable import Instructions

/// The vector kernels against the execution in plain Swift (that of a machine without any
/// kernels), on every ISA that this machine has.
@Suite struct VectorKernelTests {
  /// Row lengths around the vector lengths and the kernels' blocks.
  private static let lengths = [0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 257, 1031]
  private static let types: [ElementType] = [.float32, .bfloat16]
  private static let vectorISAs = coveredISAs.filter {
    [.portable, .avx2, .avx512, .avx512bf16].contains($0)
  }

  @Test func `says which instruction sets it covers`() {
    print("vector kernels covered:", VectorKernelTests.vectorISAs.map(\.description))
    let own = Set(ElementwiseKernel.all.map(\.isa))
    #expect(own.isSuperset(of: VectorKernelTests.vectorISAs))
    #expect(own.isSuperset(of: PoolKernel.all.map(\.isa)))
  }

  /// Runs the instruction that `make` builds in plain Swift and with every ISA, and compares.
  private func compare(
    tolerance: Float = 2e-6, parts: [Int] = [1, 3], _ label: @autoclosure () -> String,
    _ make: (Rig) -> (instruction: any Instruction, outputs: [Operand])
  ) throws {
    let reference = Rig()
    let (portable, results) = make(reference)
    try reference.run(portable, isas: [])
    for isa in VectorKernelTests.vectorISAs {
      for part in parts {
        let rig = Rig()
        let (instruction, outputs) = make(rig)
        try rig.run(instruction, isas: isa.included, parts: part)
        for (output, expected) in zip(outputs, results) {
          let spec = rig.specs[Int(output.index)]
          let slack: Float = spec.type == .bfloat16 ? 0.0079 : tolerance
          let wrong = zip(rig.values(output), reference.values(expected)).enumerated().first {
            let (got, wanted) = $0.element
            if got.isNaN || wanted.isNaN { return got.isNaN != wanted.isNaN }
            if got.isInfinite || wanted.isInfinite { return got != wanted }
            return abs(got - wanted) > slack * (1 + abs(wanted))
          }
          #expect(wrong == nil, "\(label()) \(isa) in \(part) parts")
          #expect(rig.isIntact(output), "\(label()) \(isa) wrote elsewhere")
        }
      }
    }
  }

  /// Values over the interesting range of most functions, with zeros and infinities.
  private func samples(_ count: Int, seed: UInt64, positive: Bool = false) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return generator.floats(count).enumerated().map { index, value in
      switch index % 29 {
      case 3: 0
      case 5: positive ? 20 : -20
      case 11: positive ? 1e-3 : -1e-3
      default: positive ? abs(value) * 6 + 1e-4 : value * 6
      }
    }
  }

  @Test(arguments: Activation.Function.allCases)
  func `unary matches plain Swift`(_ function: Activation.Function) throws {
    let positive = [.log, .sqrt, .acosh].contains(function)
    let bounded = [.asin, .acos, .atanh].contains(function)
    let activation = Activation(function, alpha: function == .clip ? -1.5 : 0.7, beta: 2.25)
    for length in VectorKernelTests.lengths {
      for (input, output) in [
        (ElementType.float32, ElementType.float32), (.bfloat16, .float32), (.float32, .bfloat16),
        (.bfloat16, .bfloat16),
      ] {
        try compare(tolerance: 4e-6, parts: [length == 65 ? 3 : 1], "\(function) \(length)") {
          rig in
          var values = samples(3 * length, seed: 7, positive: positive)
          if bounded { values = values.map { $0 / 32 } }
          let x = rig.tensor(input, [3, length], rowStride: length + 5, values)
          let y = rig.tensor(output, [3, length], rowStride: length + 2)
          return (Unary(x, to: y, activation), [y])
        }
      }
    }
  }

  @Test func `unary keeps what is not a number`() throws {
    for function in Activation.Function.allCases {
      try compare("\(function)") { rig in
        let x = rig.tensor(.float32, [17], [Float](repeating: .nan, count: 17))
        let y = rig.tensor(.float32, [17])
        return (Unary(x, to: y, Activation(function, alpha: 0.5, beta: 1)), [y])
      }
    }
  }

  @Test(arguments: Binary.Function.allCases.filter(\.isArithmetic))
  func `binary matches plain Swift`(_ function: Binary.Function) throws {
    let shapes: [(Shape, Shape, Shape)] = [
      ([2, 3, 37], [2, 3, 37], [2, 3, 37]), ([37], [2, 3, 37], [2, 3, 37]),
      ([2, 3, 37], [1], [2, 3, 37]), ([2, 3, 1], [2, 3, 37], [2, 3, 37]),
      ([2, 5, 5, 16], [2, 1, 1, 16], [2, 5, 5, 16]), ([2, 1, 8], [1, 3, 1], [2, 3, 8]),
      ([], [], []), ([0, 4], [4], [0, 4]), ([3, 1], [1, 4], [3, 4]), ([1031], [], [1031]),
    ]
    let activations = [Activation.none, .relu, .clip(-1, 0.5), Activation(.swish, alpha: 1)]
    for (a, b, y) in shapes {
      for (types, activation) in zip(
        [
          [ElementType.float32, .float32, .float32], [.bfloat16, .float32, .bfloat16],
          [.float32, .bfloat16, .float32], [.bfloat16, .bfloat16, .bfloat16],
        ], activations)
      {
        try compare("\(function) of \(a) and \(b)") { rig in
          let left = rig.tensor(types[0], a, samples(a.elementCount, seed: 1, positive: true))
          let right = rig.tensor(types[1], b, samples(b.elementCount, seed: 2, positive: true))
          let result = rig.tensor(types[2], y)
          return (Binary(function, left, right, to: result, activation: activation), [result])
        }
      }
    }
  }

  @Test func `binary works on strided rows`() throws {
    try compare("strided") { rig in
      let a = rig.tensor(.float32, [4, 3, 19], rowStride: 24, samples(4 * 57, seed: 4))
      let b = rig.tensor(.bfloat16, [4, 1, 19], rowStride: 21, samples(4 * 19, seed: 5))
      let y = rig.tensor(.float32, [4, 3, 19], rowStride: 33)
      return (Binary(.subtract, a, b, to: y, activation: .relu), [y])
    }
  }

  @Test func `scale and shift matches plain Swift`() throws {
    for length in VectorKernelTests.lengths {
      for type in VectorKernelTests.types {
        try compare("scale-shift \(length)") { rig in
          let x = rig.tensor(
            type, [5, length], rowStride: length + 3, samples(5 * length, seed: 9))
          let scale = rig.tensor(.float32, [length], samples(length, seed: 10))
          let bias = rig.tensor(.float32, [length], samples(length, seed: 11))
          let y = rig.tensor(type, [5, length])
          return (
            ScaleShift(
              x, scale: scale, bias: bias, to: y,
              activation: Activation(.hardSwish, alpha: 1 / 6, beta: 0.5)),
            [y]
          )
        }
      }
    }
  }

  @Test(arguments: Reduce.Function.allCases)
  func `reduce matches plain Swift`(_ function: Reduce.Function) throws {
    let positive = function == .logSum
    let cases: [(Shape, [Int])] = [
      ([3, 1], [1]), ([3, 17], [1]), ([3, 64], [1]), ([2, 300], [1]), ([5, 1031], [0]),
      ([2, 7, 7, 33], [1, 2]), ([1, 130, 70], [1]), ([2, 3, 5, 6], [0, 2]), ([4], [0]),
      ([3, 4], []),
      ([2, 3, 4], [0, 1, 2]), ([0, 3], [1]), ([2, 5, 129], [1, 2]),
    ]
    for (shape, axes) in cases {
      for type in VectorKernelTests.types {
        // Products over many elements would overflow or vanish.
        let scale: Float = function == .product ? 0.2 : 1
        try compare(tolerance: 3e-5, "\(function) of \(shape) over \(axes)") { rig in
          let values = samples(shape.elementCount, seed: 21, positive: positive).map {
            function == .product ? 1 + $0 * 0.01 * scale : $0
          }
          let x = rig.tensor(
            type, shape, rowStride: (shape.dimensions.last ?? 1) + 4, values)
          let kept = shape.dimensions.enumerated().filter { !axes.contains($0.offset) }
          let y = rig.tensor(type, Shape(kept.map(\.element)))
          return (Reduce(function, x, axes: axes, to: y), [y])
        }
      }
    }
  }

  @Test func `places of extremes match plain Swift`() throws {
    for length in VectorKernelTests.lengths where length > 0 {
      for (least, last) in [(false, false), (false, true), (true, false), (true, true)] {
        for type in VectorKernelTests.types {
          func places(_ isas: Set<ISA>, _ parts: Int) throws -> [Int64] {
            let rig = Rig()
            let values = samples(10 * length, seed: 61).map { ($0 * 2).rounded() }
            let x = rig.tensor(type, [2, 5, length], rowStride: length + 3, values)
            let y = rig.tensor(.int64, [2, 5])
            let search = ArgReduce(x, axis: 2, findsLeast: least, selectsLast: last, to: y)
            try rig.run(search, isas: isas, parts: parts)
            #expect(rig.isIntact(y))
            return rig.integers(y)
          }
          let wanted = try places([], 1)
          for isa in VectorKernelTests.vectorISAs {
            #expect(try places(isa.included, 3) == wanted, "\(length) \(isa)")
          }
        }
      }
    }
  }

  @Test(arguments: [false, true])
  func `softmax matches plain Swift`(_ isLogarithmic: Bool) throws {
    for length in VectorKernelTests.lengths + [1024, 2053] {
      for (shape, axis) in [([3, length] as Shape, 1), ([2, length, 19], 1), ([length, 3], 0)] {
        for type in VectorKernelTests.types {
          try compare(tolerance: 4e-6, "softmax \(shape) along \(axis)") { rig in
            let x = rig.tensor(type, shape, samples(shape.elementCount, seed: 31))
            let y = rig.tensor(type, shape)
            return (Softmax(x, axis: axis, isLogarithmic: isLogarithmic, to: y), [y])
          }
        }
      }
    }
  }

  @Test(arguments: quantizedISAs)
  func `softmax and normalize into bytes round what they give as floats`(isa: ISA) throws {
    for length in VectorKernelTests.lengths + [197, 1024, 1025] where length > 0 {
      for makesShares in [true, false] {
        let rig = Rig()
        let x = rig.tensor(.float32, [5, length], samples(5 * length, seed: 51))
        let reals = rig.tensor(.float32, [5, length])
        let quantization = Quantization(scale: makesShares ? 1 / 255 : 0.03, zeroPoint: 100)
        let bytes = rig.tensor(
          .uint8, [5, length], quantization: quantization, elements: nil as [UInt8]?)
        for y in [reals, bytes] {
          if makesShares {
            try rig.run(Softmax(x, axis: 1, to: y), isas: isa.included, parts: 2)
          } else {
            try rig.run(Normalize(x, axis: 1, epsilon: 1e-3, to: y), isas: isa.included, parts: 2)
          }
        }
        #expect(rig.isIntact(bytes))
        let have = rig.elements(bytes, as: UInt8.self)
        for (byte, real) in zip(have, rig.values(reals)) {
          let exact = Double(real) / Double(quantization.scale(0)) + 100
          // The exponentials of bytes are coarser: at most by a fortieth of a step.
          let want = min(max(exact, 0), 255)
          #expect(abs(Double(byte) - want) <= 0.525, "\(length): \(byte) for \(exact)")
        }
      }
    }
  }

  @Test func `normalize matches plain Swift`() throws {
    for length in VectorKernelTests.lengths where length > 1 {
      for type in VectorKernelTests.types {
        for isRootMeanSquare in [false, true] {
          try compare(tolerance: 2e-5, "normalize \(length)") { rig in
            let x = rig.tensor(type, [5, length], samples(5 * length, seed: 41))
            let y = rig.tensor(type, [5, length])
            var normalize = Normalize(
              x, axis: 1, scale: rig.tensor(.float32, [length], samples(length, seed: 42)),
              bias: rig.tensor(type, [length], samples(length, seed: 43)), epsilon: 1e-3,
              isRootMeanSquare: isRootMeanSquare, to: y)
            normalize.mean = rig.tensor(.float32, [5, 1])
            normalize.inverseDeviation = rig.tensor(.float32, [5, 1])
            return (normalize, [y, normalize.mean, normalize.inverseDeviation])
          }
        }
      }
    }
    // Groups: 3 groups of 2 channels of 35 elements.
    try compare(tolerance: 2e-5, "groups") { rig in
      let x = rig.tensor(.float32, [2, 3, 70], samples(420, seed: 44))
      let y = rig.tensor(.float32, [2, 3, 70])
      var normalize = Normalize(
        x, axis: 2, scale: rig.tensor(.float32, [6], samples(6, seed: 45)), epsilon: 1e-3, to: y)
      normalize.period = 3
      normalize.run = 35
      return (normalize, [y])
    }
  }

  @Test(arguments: [Pool.Function.maximum, .average])
  func `pool matches plain Swift`(_ function: Pool.Function) throws {
    var generator = SeededGenerator(seed: 51)
    for _ in 0..<120 {
      func pick(_ choices: [Int]) -> Int { choices.randomElement(using: &generator) ?? 1 }
      let axes = pick([1, 2, 2, 2, 3])
      let channels = pick([1, 3, 16, 17, 40, 64, 130])
      let kernel = (0..<axes).map { _ in pick([1, 2, 3, 5]) }
      let dilations = (0..<axes).map { _ in pick([1, 1, 2]) }
      let strides = (0..<axes).map { _ in pick([1, 2, 3]) }
      let begin = kernel.map { pick(Array(0..<$0)) }
      let end = kernel.map { pick(Array(0..<$0)) }
      let input = zip(kernel, dilations).map { ($0 - 1) * $1 + 1 + pick([0, 1, 4, 7]) }
      let isCeiling = pick([0, 1])
      let output = (0..<axes).map { axis in
        let reach = (kernel[axis] - 1) * dilations[axis] + 1
        return (input[axis] + begin[axis] + end[axis] - reach) / strides[axis] + 1 + isCeiling
      }
      let type = VectorKernelTests.types[pick([0, 1])]
      let countsPadding = pick([0, 1]) == 1
      let values = generator.floats(2 * input.reduce(channels, *))
      try compare(tolerance: 1e-5, "\(function) \(input) \(kernel) \(strides)") { rig in
        let x = rig.tensor(
          type, Shape([2] + input + [channels]), rowStride: channels + 3, values)
        let y = rig.tensor(type, Shape([2] + output + [channels]), rowStride: channels + 1)
        var pool = Pool(
          function, x, to: y, kernel: kernel, strides: strides, dilations: dilations,
          padsBegin: begin, padsEnd: end)
        pool.countsPadding = countsPadding
        return (pool, [y])
      }
    }
  }
}
