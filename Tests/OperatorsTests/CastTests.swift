import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct CastTests {
  private func cast(_ x: TensorBuffer, to type: ElementType) throws -> TensorBuffer {
    try OperatorRunner(CastOperator.self, ["to": .int(Int(type.rawValue))])(.runtime(x))
  }

  @Test func `floats truncate and saturate`() throws {
    let x = TensorBuffer([7], [1.9, -1.9, 300, -300, .infinity, -.infinity, .nan])
    #expect(try cast(x, to: .int8).elements(as: Int8.self) == [1, -1, 127, -128, 127, -128, 0])
    #expect(try cast(x, to: .uint8).elements(as: UInt8.self) == [1, 0, 255, 0, 255, 0, 0])
    #expect(
      try cast(x, to: .int64).elements(as: Int64.self) == [1, -1, 300, -300, .max, .min, 0])
    #expect(try cast(x, to: .bool).integers() == [1, 1, 1, 1, 1, 1, 1])
    #expect(try cast(TensorBuffer([2], [0, 0.1]), to: .bool).integers() == [0, 1])
  }

  @Test func `integers wrap`() throws {
    let x = TensorBuffer(.int64, [4], [Int64(300), -1, 1 << 40, 5])
    #expect(try cast(x, to: .uint8).elements(as: UInt8.self) == [44, 255, 0, 5])
    #expect(try cast(x, to: .int32).elements(as: Int32.self) == [300, -1, 0, 5])
    #expect(try cast(x, to: .float32).contents == [300, -1, 0x1p40, 5])
    #expect(try cast(x, to: .bool).integers() == [1, 1, 1, 1])
    let big = TensorBuffer(.uint64, [1], [UInt64.max])
    #expect(try cast(big, to: .float64).elements(as: Double.self) == [0x1p64])
  }

  @Test func `every pair of types agrees on small numbers`() throws {
    let types: [ElementType] = [
      .float32, .float64, .float16, .bfloat16, .int8, .uint8, .int16, .uint16, .int32, .uint32,
      .int64, .uint64,
    ]
    let numbers = TensorBuffer([4], [0, 1, 3, 100])
    for from in types {
      for to in types {
        let x = try #require(numbers.converted(to: from))
        let y = try cast(x, to: to)
        #expect(y.type == to && y.contents == [0, 1, 3, 100], "\(from) to \(to)")
      }
    }
  }

  @Test func `what cannot be cast is refused`() throws {
    let x = TensorBuffer([1], [1])
    #expect(throws: ImportError.self) { try cast(x, to: .string) }
    #expect(throws: ImportError.self) { try cast(x, to: .complex64) }
    #expect(throws: ImportError.self) {
      try OperatorRunner(CastOperator.self, ["to": .int(99)])(.runtime(x))
    }
    #expect(throws: ImportError.self) { try OperatorRunner(CastOperator.self)(.runtime(x)) }
  }

  @Test func `the type of another tensor`() throws {
    let x = TensorBuffer([2], [1.5, -2.5])
    let like = TensorBuffer(.int16, [1], [Int16(0)])
    let y = try OperatorRunner(CastLike.self)(.runtime(x), .runtime(like))
    #expect(y.type == .int16 && y.integers() == [1, -2])
  }
}
