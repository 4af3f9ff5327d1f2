import Kernels
import Tensors
import Testing

@testable import Instructions

/// Functions of two operands, 8-bit and float32 ones, against plain Swift, bit by bit, on every ISA
/// that this machine has.
@Suite struct QuantizedBinaryTests {
  /// What a tensor of a test is made of.
  private struct Side {
    var shape: Shape
    var isByte: Bool
    var isPerChannel = false
    var gap = 0
    var seed: UInt64

    var quantization: Quantization? {
      let last = max(0, shape.rank - 1)
      return isByte
        ? QuantizeToUInt8Tests.quantization(
          channels: isPerChannel ? shape[last] : nil, axis: last, seed: seed) : nil
    }

    /// The elements as bytes (or none) and as real numbers.
    func elements() -> (bytes: [UInt8], reals: [Float]) {
      var generator = SeededGenerator(seed: seed)
      let count = shape.elementCount
      guard let quantization else {
        return ([], generator.floats(count).map { $0 * 4 })
      }
      let bytes = generator.bytes(count)
      let channels = max(1, shape.dimensions.last ?? 1)
      return (
        bytes,
        bytes.enumerated().map {
          QuantizeToUInt8Tests.dequantized($0.element, quantization, $0.offset % channels)
        }
      )
    }

    func add(to rig: Rig, filled: Bool = true) -> Operand {
      let (bytes, reals) = elements()
      let stride = (shape.dimensions.last ?? 1) + gap
      return isByte
        ? rig.tensor(
          .uint8, shape, rowStride: stride, quantization: quantization,
          elements: filled ? bytes : nil)
        : rig.tensor(.float32, shape, rowStride: stride, filled ? reals : nil)
    }
  }

  /// Of every element of `target` the place in a tensor broadcast to it.
  private func places(_ shape: Shape, in target: Shape) -> [Int] {
    let missing = target.rank - shape.rank
    let strides = shape.denseStrides
    return (0..<target.elementCount).map { index in
      var rest = index
      var place = 0
      for axis in stride(from: target.rank - 1, through: 0, by: -1) {
        let position = rest % target[axis]
        rest /= target[axis]
        let own = axis - missing
        if own >= 0, shape[own] > 1 { place += position * strides[own] }
      }
      return place
    }
  }

  private func combined(_ function: Binary.Function, _ a: Float, _ b: Float) -> Float {
    switch function {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .minimum: a < b ? a : b
    case .maximum: a > b ? a : b
    case .power: Float.power(a, b)
    case .modulo: Float.modulo(a, b)
    case .remainder: Float.remainder(a, b)
    default: a < 0 ? a * b : a
    }
  }

  private func activated(_ x: Float, _ activation: Activation) -> Float {
    switch activation.function {
    case .relu: x < 0 ? 0 : x
    case .clip: x.isNaN ? x : min(max(x, activation.alpha), activation.beta)
    default: x
    }
  }

  /// The bits of the result in plain Swift; all NaNs alike.
  private func expected(
    _ function: Binary.Function, _ a: Side, _ b: Side, _ y: Side, _ activation: Activation
  ) -> [UInt32] {
    let (left, right) = (a.elements().reals, b.elements().reals)
    let (p, q) = (places(a.shape, in: y.shape), places(b.shape, in: y.shape))
    let channels = max(1, y.shape.dimensions.last ?? 1)
    let scales = [a, b, y].compactMap(\.quantization)
    if function == .add, activation == .none, scales.count == 3,
      scales.allSatisfy({ !$0.isPerChannel })
    {
      let (ratioA, ratioB) =
        (scales[0].scales[0] / scales[2].scales[0], scales[1].scales[0] / scales[2].scales[0])
      let zeros = scales.map { Float($0.zeroPoints[0]) - 128 }
      let base = zeros[2] - (ratioA * zeros[0] + ratioB * zeros[1])
      let (x, z) = (a.elements().bytes, b.elements().bytes)
      return (0..<y.shape.elementCount).map { index in
        let (left, right) = (Float(x[p[index]]) - 128, Float(z[q[index]]) - 128)
        let sum = left * ratioA + (right * ratioB + base)
        return UInt32(min(max(sum.rounded(.toNearestOrEven) + 128, 0), 255))
      }
    }
    return (0..<y.shape.elementCount).map { index in
      let value = activated(combined(function, left[p[index]], right[q[index]]), activation)
      guard let quantization = y.quantization else { return bits(value) }
      if value.isNaN { return 0 }
      let c = index % channels
      let steps = (value * (1 / quantization.scale(c))).rounded(.toNearestOrEven)
      return UInt32(min(max(steps + Float(quantization.zeroPoint(c)), 0), 255))
    }
  }

  private func bits(_ value: Float) -> UInt32 { value.isNaN ? 0x7fc0_0000 : value.bitPattern }

  private func results(_ rig: Rig, _ y: Operand, _ side: Side) -> [UInt32] {
    side.isByte
      ? rig.elements(y, as: UInt8.self).map { UInt32($0) } : rig.values(y).map(bits)
  }

  private func check(
    _ function: Binary.Function, _ a: Side, _ b: Side, _ y: Side, _ activation: Activation = .none,
    parts: [Int] = [1, 3]
  ) throws {
    let wanted = expected(function, a, b, y, activation)
    for isa in quantizedISAs {
      for part in parts {
        let rig = Rig()
        let (left, right) = (a.add(to: rig), b.add(to: rig))
        let result = y.add(to: rig, filled: false)
        try rig.run(
          QuantizedBinary(function, left, right, to: result, activation: activation),
          isas: isa.included, parts: part)
        let got = results(rig, result, y)
        let wrong = zip(got, wanted).enumerated().first { $0.element.0 != $0.element.1 }
        #expect(
          wrong == nil, "\(function) of \(a.shape) and \(b.shape), \(isa), \(part) parts")
        #expect(rig.isIntact(result), "\(function) of \(a.shape) and \(b.shape), \(isa)")
      }
    }
  }

  private static let shapes: [(Shape, Shape, Shape)] = [
    ([2, 3, 5, 16], [2, 3, 5, 16], [2, 3, 5, 16]), ([2, 7, 5, 17], [17], [2, 7, 5, 17]),
    ([2, 5, 5, 33], [2, 1, 1, 33], [2, 5, 5, 33]), ([1, 9, 9, 64], [], [1, 9, 9, 64]),
    ([3, 4, 19], [3, 4, 1], [3, 4, 19]), ([2, 1, 8], [1, 3, 1], [2, 3, 8]),
    ([5, 1], [1, 1031], [5, 1031]), ([6, 1, 3], [6, 5, 1], [6, 5, 3]), ([], [], []),
    ([0, 4], [4], [0, 4]), ([31, 3], [3], [31, 3]), ([4099], [4099], [4099]),
    ([1, 8, 8, 24], [1, 8, 8, 1], [1, 8, 8, 24]),
  ]
  private static let exact: [Binary.Function] = [
    .add, .subtract, .multiply, .divide, .minimum, .maximum, .prelu,
  ]

  @Test(arguments: Binary.Function.allCases.filter(\.isArithmetic))
  func `matches plain Swift in every shape and type`(_ function: Binary.Function) throws {
    let activations = [Activation.none, .relu, .clip(-1, 0.5)]
    for (index, (a, b, y)) in QuantizedBinaryTests.shapes.enumerated() {
      for types in 0..<7 {
        try check(
          function, Side(shape: a, isByte: types & 1 == 0, seed: 1),
          Side(shape: b, isByte: types & 2 == 0, seed: 2),
          Side(shape: y, isByte: types & 4 == 0, seed: 3), activations[(index + types) % 3],
          parts: [1 + types % 3])
      }
    }
  }

  @Test func `takes scales by channel`() throws {
    for channels in [2, 3, 15, 16, 17, 64, 65, 131] {
      let full: Shape = [2, 3, 3, channels]
      for other in [full, [channels], [2, 1, 1, channels], [], [2, 3, 3, 1]] as [Shape] {
        for which in 1..<8 {
          guard which & 2 == 0 || other.dimensions.last == channels else { continue }
          try check(
            QuantizedBinaryTests.exact[which % 7],
            Side(shape: full, isByte: true, isPerChannel: which & 1 != 0, seed: 4),
            Side(shape: other, isByte: true, isPerChannel: which & 2 != 0, seed: 5),
            Side(shape: full, isByte: true, isPerChannel: which & 4 != 0, seed: 6), .relu)
        }
      }
    }
    // Few long rows are split along the channels.
    try check(
      .multiply, Side(shape: [1, 1024], isByte: true, isPerChannel: true, seed: 7),
      Side(shape: [1024], isByte: false, seed: 8),
      Side(shape: [1, 1024], isByte: true, isPerChannel: true, seed: 9), parts: [1, 2, 3])
    // Functions without kernels.
    try check(
      .power, Side(shape: [5, 100], isByte: true, isPerChannel: true, seed: 10),
      Side(shape: [100], isByte: true, isPerChannel: true, seed: 11),
      Side(shape: [5, 100], isByte: true, isPerChannel: true, seed: 12))
  }

  @Test func `works on strided rows`() throws {
    for function in QuantizedBinaryTests.exact {
      try check(
        function, Side(shape: [4, 3, 19], isByte: true, gap: 5, seed: 13),
        Side(shape: [4, 1, 19], isByte: false, gap: 2, seed: 14),
        Side(shape: [4, 3, 19], isByte: true, gap: 14, seed: 15), .clip(-2, 3))
    }
  }

  @Test(arguments: Activation.Function.allCases)
  func `applies every function alike on every ISA`(_ function: Activation.Function) throws {
    let activation = Activation(function, alpha: function == .clip ? -1.5 : 0.7, beta: 2.25)
    for isByte in [false, true] {
      var first: [UInt32]?
      for isa in quantizedISAs {
        for parts in [1, 2, 3] {
          let rig = Rig()
          let a = Side(shape: [3, 211], isByte: true, seed: 16).add(to: rig)
          let b = Side(shape: [3, 211], isByte: true, seed: 17).add(to: rig)
          let side = Side(shape: [3, 211], isByte: isByte, seed: 18)
          let y = side.add(to: rig, filled: false)
          try rig.run(
            QuantizedBinary(.multiply, a, b, to: y, activation: activation), isas: isa.included,
            parts: parts)
          let got = results(rig, y, side)
          #expect(got == first ?? got, "\(function) \(isa) \(parts)")
          first = got
        }
      }
    }
  }

  @Test func `refuses comparisons, other types and shapes that do not broadcast`() throws {
    func message(_ function: Binary.Function, _ b: Shape, _ type: ElementType) -> String {
      let rig = Rig()
      let a = Side(shape: [2, 3], isByte: true, seed: 1).add(to: rig)
      let y = Side(shape: [2, 3], isByte: true, seed: 1).add(to: rig)
      let other = rig.tensor(type, b)
      do throws(InstructionError) {
        try rig.run(QuantizedBinary(function, a, other, to: y))
        return ""
      } catch {
        return error.message
      }
    }
    #expect(message(.less, [3], .float32) == "less does not give numbers")
    #expect(message(.add, [3], .int32) == "t2 (int32) has no quantisation")
    #expect(message(.add, [4], .float32) == "2x3 and 4 do not broadcast to 2x3")
  }
}
