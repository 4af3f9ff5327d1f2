import Graphs
import Tensors
import Testing

@testable import Operators

/// Types of less than a byte and floats of 8 bits. The codes are those of the ONNX test-suite and
/// of the package ml_dtypes.
@Suite struct SmallTypeTests {
  private func cast(
    _ x: TensorBuffer, to type: ElementType, _ attributes: [String: Attribute] = [:]
  ) throws -> TensorBuffer {
    var all = attributes
    all["to"] = .int(Int(type.rawValue))
    return try OperatorRunner(CastOperator.self, version: 25, all)(.runtime(x))
  }

  private func bytes(_ tensor: TensorBuffer) -> [UInt8] { tensor.withBytes { Array($0) } }

  private func packed(_ type: ElementType, _ shape: Shape, _ bytes: [UInt8]) -> TensorBuffer {
    let tensor = TensorBuffer(zeros: type, shape)
    tensor.withMutableBytes { $0.copyBytes(from: bytes) }
    return tensor
  }

  private static let numbers: [Float] = [
    0.47892547, 0.48033667, 0.49968487, 0.81910545, 0.47031248, 0.7229038, 1e6, 1e-7, .nan,
    .infinity, .infinity, -.infinity, -1e-7, 1e-7, -1e6,
  ]

  private static let codes: [(ElementType, Bool, [UInt8])] = [
    (
      .float8E4M3FN, true,
      [47, 47, 48, 53, 47, 52, 0x7E, 0, 0x7F, 0x7E, 0x7E, 0xFE, 0x80, 0, 0xFE]
    ),
    (
      .float8E4M3FNUZ, true,
      [55, 55, 56, 61, 55, 60, 0x7F, 0, 0x80, 0x7F, 0x7F, 0xFF, 0, 0, 0xFF]
    ),
    (
      .float8E5M2, true,
      [56, 56, 56, 59, 56, 58, 0x7B, 0, 0x7E, 0x7B, 0x7B, 0xFB, 0x80, 0, 0xFB]
    ),
    (
      .float8E5M2FNUZ, true,
      [60, 60, 60, 63, 60, 62, 0x7F, 0, 0x80, 0x7F, 0x7F, 0xFF, 0, 0, 0xFF]
    ),
    (
      .float8E4M3FN, false,
      [47, 47, 48, 53, 47, 52, 0x7F, 0, 0x7F, 0x7F, 0x7F, 0xFF, 0x80, 0, 0xFF]
    ),
    (
      .float8E4M3FNUZ, false,
      [55, 55, 56, 61, 55, 60, 0x80, 0, 0x80, 0x80, 0x80, 0x80, 0, 0, 0x80]
    ),
    (
      .float8E5M2, false,
      [56, 56, 56, 59, 56, 58, 0x7C, 0, 0x7E, 0x7C, 0x7C, 0xFC, 0x80, 0, 0xFC]
    ),
    (
      .float8E5M2FNUZ, false,
      [60, 60, 60, 63, 60, 62, 0x80, 0, 0x80, 0x80, 0x80, 0x80, 0, 0, 0x80]
    ),
  ]

  @Test func `8-bit floats round to even, and saturate or not`() throws {
    let x = TensorBuffer([15], Self.numbers)
    for (type, saturates, wanted) in Self.codes {
      let y = try cast(x, to: type, ["saturate": .int(saturates ? 1 : 0)])
      #expect(y.type == type && bytes(y) == wanted, "\(type), saturating: \(saturates)")
    }
  }

  @Test func `8-bit floats stand for the numbers that others read`() throws {
    // Sums over all codes: of magnitudes, and of numbers times their code plus one.
    let sums: [(ElementType, Double, Double, nans: Int)] = [
      (.float8E4M3FN, 10815.75, -692208, 2), (.float8E4M3FNUZ, 5887.875, -376824, 1),
      (.float8E5M2, 720895.9995117188, -46137343.96875, 6),
      (.float8E5M2FNUZ, 720895.9997558594, -46137343.984375, 1),
    ]
    let all = (0..<256).map { UInt8($0) }
    for (type, magnitudes, weighted, nans) in sums {
      let y = try cast(packed(type, [256], all), to: .float32).contents.map { Double($0) }
      let finite = y.map { $0.isFinite ? $0 : 0 }
      #expect(finite.reduce(0) { $0 + $1.magnitude } == magnitudes, "\(type)")
      #expect(finite.enumerated().reduce(0) { $0 + $1.1 * Double($1.0 + 1) } == weighted, "\(type)")
      #expect(y.count { $0.isNaN } == nans, "\(type)")
      // Every number keeps its code.
      let format = try #require(SmallFloat(type))
      for code in all where !format.decoded(code).isNaN {
        #expect(format.encoded(Double(format.decoded(code)), saturating: false) == code)
      }
    }
  }

  @Test func `4-bit floats know numbers only`() throws {
    let x = TensorBuffer(
      [15],
      [
        0.48, 0.25, 1.05, -3.5, -8, 9, 1e6, 1e-7, .nan, .infinity, .infinity, -.infinity, -4, 0.01,
        -0.0,
      ])
    let y = try cast(x, to: .float4E2M1)
    #expect(bytes(y) == [0x01, 0xE2, 0x7F, 0x07, 0x78, 0xF7, 0x0E, 0x08])
    let back = try cast(y, to: .float32).contents
    #expect(back == [0.5, 0, 1, -4, -6, 6, 6, 0, 0, 6, 6, -6, -4, 0, 0])
  }

  @Test func `powers of two round as they are told`() throws {
    let x = TensorBuffer([2, 4], [0, 0.124, 0.25, 0.5, 1.1, 2, 4, 8])
    let up = try cast(x, to: .float8E8M0, ["round_mode": .string("up")])
    #expect(bytes(up) == [0, 0x7C, 0x7D, 0x7E, 0x80, 0x80, 0x81, 0x82])
    #expect(try cast(up, to: .float32).contents == [0x1p-127, 0.125, 0.25, 0.5, 2, 2, 4, 8])
    let edge = TensorBuffer([5], [1.4, 1.5, -3, .infinity, 3.4e38])
    #expect(
      bytes(try cast(edge, to: .float8E8M0, ["round_mode": .string("nearest")]))
        == [127, 128, 129, 255, 254])
    #expect(
      bytes(try cast(edge, to: .float8E8M0, ["round_mode": .string("down")]))
        == [127, 127, 128, 255, 254])
    #expect(
      bytes(
        try cast(edge, to: .float8E8M0, ["round_mode": .string("up"), "saturate": .int(0)]))
        == [128, 128, 129, 255, 255])
    #expect(throws: ImportError.self) {
      try cast(x, to: .float8E8M0, ["round_mode": .string("sideways")])
    }
  }

  @Test func `small integers lie packed and keep the low bits`() throws {
    let x = TensorBuffer([7], [-9, -8, -1, 0, 7.9, 8, 15])
    for type in [ElementType.int4, .uint4] {
      #expect(bytes(try cast(x, to: type)) == [0x87, 0x0F, 0x87, 0x0F])
    }
    for type in [ElementType.int2, .uint2] {
      #expect(bytes(try cast(x, to: type)) == [0b0011_0011, 0b0011_0011])
    }
    let four = packed(.int4, [7], [0x87, 0x0F, 0x87, 0x0F])
    #expect(try cast(four, to: .float32).contents == [7, -8, -1, 0, 7, -8, -1])
    #expect(try cast(four, to: .int8).integers() == [7, -8, -1, 0, 7, -8, -1])
    #expect(bytes(try cast(four, to: .uint4)) == [0x87, 0x0F, 0x87, 0x0F])
    let two = packed(.int2, [3], [0b0001_1011])
    #expect(try cast(two, to: .int64).integers() == [-1, -2, 1])
    #expect(four.integers() == [7, -8, -1, 0, 7, -8, -1] && two.floats() == [-1, -2, 1])
  }

  @Test func `moved elements keep their bits`() throws {
    let x = packed(.uint4, [2, 3], [0x21, 0x43, 0x65])
    let y = try OperatorRunner(Transpose.self)(.runtime(x))
    #expect(y.type == .uint4 && bytes(y) == [0x41, 0x52, 0x63])
    let same = try OperatorRunner(Identity.self)(.runtime(x))
    #expect(same.type == .uint4 && bytes(same) == bytes(x))
    let constant = try OperatorRunner(Transpose.self)(.constant(x))
    #expect(bytes(constant) == [0x41, 0x52, 0x63])
    let small = packed(.float4E2M1, [3], [0x72, 0x0F])
    #expect(bytes(try OperatorRunner(Identity.self)(.runtime(small))) == [0x72, 0x0F])
    let eight = packed(.float8E5M2, [2, 2], [1, 2, 0x7C, 0xFF])
    #expect(bytes(try OperatorRunner(Transpose.self)(.runtime(eight))) == [1, 0x7C, 2, 0xFF])
  }

  @Test func `bits are read as another type`() throws {
    func bits(_ x: TensorBuffer, as type: ElementType) throws -> TensorBuffer {
      try OperatorRunner(BitCast.self, version: 26, ["to": .int(Int(type.rawValue))])(.runtime(x))
    }
    let x = TensorBuffer([2], [1, -2.5])
    let y = try bits(x, as: .int32)
    #expect(y.elements(as: UInt32.self) == [0x3F80_0000, 0xC020_0000])
    #expect(try bits(y, as: .float32).contents == [1, -2.5])
    let half = TensorBuffer(.float16, [2], [Float16(1), Float16(-2)])
    #expect(try bits(half, as: .uint16).elements(as: UInt16.self) == [0x3C00, 0xC000])
    let packedBits = try bits(packed(.uint4, [3], [0x21, 0x0F]), as: .int4)
    #expect(bytes(packedBits) == [0x21, 0x0F])
    #expect(try bits(TensorBuffer(.uint8, [2], [UInt8(0), 7]), as: .bool).integers() == [0, 1])
    #expect(throws: GraphError.self) { try bits(x, as: .int64) }
    #expect(throws: ImportError.self) { try bits(x, as: .string) }
  }

  // MARK: Quantisation

  @Test func `quantises to 4 and 2 bits per position of an axis`() throws {
    let x = TensorBuffer([3, 4], [0, 2.5, 4.8, 8.6, -30, -20, 6, 9, 12, 15, 16, 40])
    let scale = TensorBuffer([3], [2, 3, 4])
    let wanted: [(ElementType, [UInt8], [UInt8])] = [
      (.uint4, [0x11, 0x01], [33, 83, 0, 67, 84, 181]),
      (.int4, [0x11, 0x01], [33, 83, 168, 67, 84, 117]),
    ]
    for (type, zero, codes) in wanted {
      let y = try OperatorRunner(QuantizeLinear.self, version: 25, ["axis": .int(0)])(
        .runtime(x), .runtime(scale), .runtime(packed(type, [3], zero)))
      #expect(y.type == type && bytes(y) == codes, "\(type)")
    }
    let few = TensorBuffer([3, 4], [0, 2.5, 4.8, 8.6, -2, -1, 1, 3, 4, 5, 6, 7])
    let y = try OperatorRunner(
      QuantizeLinear.self, version: 25, ["axis": .int(0), "output_dtype": .int(25)])(
        .runtime(few), .constant(scale))
    #expect(y.type == .uint2 && bytes(y) == [228, 64, 165])
  }

  @Test func `quantises to small floats`() throws {
    let x = TensorBuffer([5], [0, 1, 2, 1e5, 200])
    for (type, codes) in [
      (ElementType.float8E4M3FN, [UInt8(0), 48, 56, 126, 108]),
      (.float8E5M2, [0, 56, 60, 122, 86]),
    ] {
      let y = try OperatorRunner(QuantizeLinear.self)(
        .runtime(x), .constant(TensorBuffer([], [2])), .runtime(packed(type, [1], [0])))
      #expect(y.type == type && bytes(y) == codes, "\(type)")
    }
    let four = TensorBuffer([3, 4], [0, 2.5, 4.8, 8.6, -30, -20, 6, 9, -0.0, -2.5, -4.8, -8.6])
    let y = try OperatorRunner(
      QuantizeLinear.self, ["axis": .int(0), "output_dtype": .int(23)])(
        .runtime(four), .constant(TensorBuffer([3], [2, 3, 4])))
    #expect(bytes(y) == [32, 100, 255, 84, 144, 202])
  }

  @Test func `quantises by blocks`() throws {
    let x = TensorBuffer([3, 4], [6, 12, 50, 5, 1, 8, 4, 5, 0, 20, 10, 4])
    let scale = TensorBuffer([3, 2], [1.5, 2.5, 3, 4.9, 5.1, 6.9])
    let blocks: [String: Attribute] = ["axis": .int(1), "block_size": .int(2)]
    let y = try OperatorRunner(QuantizeLinear.self, blocks)(
      .runtime(x), .runtime(scale),
      .runtime(TensorBuffer(.uint8, [3, 2], [UInt8(0), 1, 1, 0, 2, 3])))
    #expect(bytes(y) == [4, 8, 21, 3, 1, 4, 1, 1, 2, 6, 4, 4])
    // A last block that is not full.
    let odd = try OperatorRunner(DequantizeLinear.self, blocks)(
      .runtime(TensorBuffer(.int8, [1, 3], [Int8(1), 2, -3])),
      .runtime(TensorBuffer([1, 2], [10, 100])))
    #expect(odd.contents == [10, 20, -300])
    #expect(throws: GraphError.self) {
      try OperatorRunner(QuantizeLinear.self, blocks)(
        .runtime(x), .runtime(TensorBuffer.counting([3, 3])))
    }
    #expect(throws: ImportError.self) {
      try OperatorRunner(QuantizeLinear.self, ["block_size": .int(-2)])(
        .runtime(x), .runtime(scale))
    }
  }

  @Test func `dequantises every small type`() throws {
    let scale = TensorBuffer([], [2])
    let cases: [(TensorBuffer, TensorBuffer?, [Float])] = [
      (packed(.uint4, [5], [16, 167, 15]), packed(.uint4, [1], [1]), [-2, 0, 12, 18, 28]),
      (packed(.int4, [5], [16, 199, 8]), packed(.int4, [1], [1]), [-2, 0, 12, -10, -18]),
      (packed(.uint2, [4], [228]), packed(.uint2, [1], [1]), [-2, 0, 2, 4]),
      (packed(.int2, [4], [180]), packed(.int2, [1], [1]), [-2, 0, -4, -6]),
      (packed(.float4E2M1, [5], [32, 58, 14]), nil, [0, 2, -2, 3, -8]),
      (packed(.float8E4M3FN, [5], [0, 48, 56, 126, 237]), nil, [0, 1, 2, 896, -208]),
      (packed(.float8E5M2, [5], [0, 56, 60, 122, 214]), nil, [0, 1, 2, 98304, -192]),
    ]
    for (x, zero, wanted) in cases {
      for isConstant in [false, true] {
        let y = try OperatorRunner(DequantizeLinear.self)(
          isConstant ? .constant(x) : .runtime(x), .constant(scale),
          zero.map { .runtime($0) } ?? .absent)
        #expect(y.contents == wanted, "\(x.type)")
      }
    }
    let half = try OperatorRunner(DequantizeLinear.self, ["output_dtype": .int(10)])(
      .runtime(cases[0].0), .runtime(packed(.float8E8M0, [], [128])))
    #expect(half.type == .float16 && half.contents == [0, 2, 14, 20, 30])
    #expect(throws: GraphError.self) {
      try OperatorRunner(DequantizeLinear.self)(.runtime(TensorBuffer([1])), .runtime(scale))
    }
  }
}
