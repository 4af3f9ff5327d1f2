import Kernels
import Tensors
import Testing

@testable import Instructions

@Suite struct CopyTests {
  private func prepared(
    _ copy: Copy, _ source: TensorSpec, _ target: TensorSpec
  ) throws -> Copy {
    var copy = copy
    copy.input = Operand(0)
    copy.output = Operand(1)
    var preparation = Preparation(tensors: [source, target], isas: ISA.host, parts: 1)
    try copy.prepare(&preparation)
    return copy
  }

  @Test func `refuses to leave its tensors`() {
    let x = TensorSpec(name: "x", type: .float32, shape: [4, 4])
    let wrong: [Copy] = [
      Copy(.none, to: .none, extents: [17], sourceStrides: [1], targetStrides: [0]),
      Copy(.none, to: .none, extents: [4, 5], sourceStrides: [4, 1], targetStrides: [4, 1]),
      Copy(.none, to: .none, extents: [2], sourceStrides: [-1], targetStrides: [1]),
      Copy(.none, to: .none, extents: [2], sourceStrides: [.max], targetStrides: [1]),
      Copy(.none, to: .none, extents: [2], sourceStrides: [.min], targetStrides: [1]),
      Copy(.none, to: .none, extents: [2], sourceStrides: [1], targetStrides: [1, 1]),
      Copy(.none, to: .none, extents: [-2], sourceStrides: [1], targetStrides: [1]),
      Copy(
        .none, to: .none, extents: [1], sourceStrides: [1], targetStrides: [1], sourceOffset: 16),
      Copy(.none, to: .none, extents: [1 << 40], sourceStrides: [0], targetStrides: [0]),
      Copy(
        .none, to: .none, extents: [4], sourceStrides: [1], targetStrides: [1], targetOffset: -1),
    ]
    for copy in wrong {
      #expect(throws: InstructionError.self) { try prepared(copy, x, x) }
    }
  }

  /// What the instruction promises, element by element, on bytes.
  private func expected(
    _ copy: Copy, _ source: [UInt8], _ target: [UInt8], _ size: Int
  ) -> [UInt8] {
    var result = target
    let indices = copy.extents.reduce([[]]) { heads, extent in
      heads.flatMap { head in (0..<extent).map { head + [$0] } }
    }
    for index in indices {
      let from = zip(index, copy.sourceStrides).reduce(copy.sourceOffset) { $0 + $1.0 * $1.1 }
      let to = zip(index, copy.targetStrides).reduce(copy.targetOffset) { $0 + $1.0 * $1.1 }
      for byte in 0..<size { result[to * size + byte] = source[from * size + byte] }
    }
    return result
  }

  /// Runs the copy over exactly sized buffers between guards.
  private func run(
    _ copy: Copy, _ type: ElementType, _ source: [UInt8], to targetType: ElementType,
    _ target: [UInt8], isas: Set<ISA>, parts: Int
  ) throws -> [UInt8] {
    var copy = copy
    copy.input = Operand(0)
    copy.output = Operand(1)
    let specs = [
      TensorSpec(name: "x", type: type, shape: [source.count / type.byteCount]),
      TensorSpec(name: "y", type: targetType, shape: [target.count / targetType.byteCount]),
    ]
    var preparation = Preparation(tensors: specs, isas: isas, parts: parts)
    try copy.prepare(&preparation)
    let guarded = 64
    let x = UnsafeMutableRawPointer.allocate(byteCount: source.count + 1, alignment: 64)
    let y = UnsafeMutableRawPointer.allocate(byteCount: target.count + 2 * guarded, alignment: 64)
    let scratch = UnsafeMutableRawPointer.allocate(
      byteCount: preparation.scratchByteCount + 1, alignment: 64)
    defer {
      x.deallocate()
      y.deallocate()
      scratch.deallocate()
    }
    source.withUnsafeBytes { x.copyMemory(from: $0.baseAddress!, byteCount: source.count) }
    y.initializeMemory(as: UInt8.self, repeating: 0xA5, count: target.count + 2 * guarded)
    target.withUnsafeBytes {
      (y + guarded).copyMemory(from: $0.baseAddress!, byteCount: target.count)
    }
    var fault: UInt32 = 0
    let pointers: [UnsafeMutableRawPointer?] = [x, y + guarded]
    pointers.withUnsafeBufferPointer { pointers in
      for part in 0..<parts {
        copy.execute(
          ExecutionContext(
            tensors: pointers.baseAddress!, scratch: scratch, part: part, parts: parts,
            barrier: nil, fault: &fault))
      }
    }
    let all = [UInt8](UnsafeRawBufferPointer(start: y, count: target.count + 2 * guarded))
    #expect(all.prefix(guarded).allSatisfy { $0 == 0xA5 })
    #expect(all.suffix(guarded).allSatisfy { $0 == 0xA5 })
    return Array(all[guarded..<guarded + target.count])
  }

  private static let isaSets: [Set<ISA>] =
    [ISA.portable, .avx2, .avx512].filter(\.isAvailable).map(\.included)

  @Test(arguments: [ElementType.uint8, .bfloat16, .float32, .int64, .complex128])
  func `every plan copies what the strides say`(_ type: ElementType) throws {
    let size = type.byteCount
    var random = Xorshift(seed: 20)
    print(
      "copies: seed 20, instruction sets "
        + "\(Self.isaSets.compactMap { $0.max { $0.rawValue < $1.rawValue } })"
    )
    for round in 0..<200 {
      let rank = random.below(5)
      let extents = (0..<rank).map { _ in [1, 2, 3, 4, 5, 8, 16, 17, 33][random.below(9)] }
      guard extents.reduce(1, *) < 20_000 else { continue }
      // A dense source and target, axes in orders of their own, some steps doubled or backwards.
      func strides(_ gap: Int) -> (strides: [Int], offset: Int, count: Int) {
        var result = [Int](repeating: 0, count: rank)
        var step = 1
        var offset = 0
        for axis in random.shuffled(rank) {
          result[axis] = step
          step *= extents[axis] * (random.below(4) == 0 ? gap : 1)
          if random.below(5) == 0 {
            offset += (extents[axis] - 1) * result[axis]
            result[axis] = -result[axis]
          }
        }
        return (result, offset, max(step, 1))
      }
      let source = strides(2)
      let target = strides(2)
      var steps = source.strides
      var offset = source.offset
      if round % 4 == 0, rank > 0 {
        let axis = random.below(rank)
        // A broadcast axis.
        if steps[axis] < 0 { offset -= (extents[axis] - 1) * -steps[axis] }
        steps[axis] = 0
      }
      let copy = Copy(
        .none, to: .none, extents: extents, sourceStrides: steps, targetStrides: target.strides,
        sourceOffset: offset, targetOffset: target.offset)
      let from = (0..<source.count * size).map { _ in UInt8(random.below(256)) }
      let to = [UInt8](repeating: 0x11, count: target.count * size)
      let want = expected(copy, from, to, size)
      for isas in Self.isaSets {
        for parts in [1, 3] {
          let got = try run(copy, type, from, to: type, to, isas: isas, parts: parts)
          #expect(got == want, "round \(round), \(copy.extents), \(copy.sourceStrides)")
        }
      }
    }
  }

  @Test(arguments: [
    (ElementType.float32, ElementType.bfloat16), (.bfloat16, .float32), (.float16, .float32),
    (.float32, .float16), (.float16, .bfloat16), (.bfloat16, .float16),
  ])
  func `converts while it transposes`(_ source: ElementType, _ target: ElementType) throws {
    var random = Xorshift(seed: 3)
    for (rows, columns) in [(3, 1000), (1000, 3), (70, 90), (1, 17), (600, 70), (16, 2100)] {
      let count = rows * columns
      // Small integers survive every conversion.
      let values = (0..<count).map { _ in Float(random.below(200) - 100) }
      let x = try #require(TensorBuffer([rows, columns], values).converted(to: source))
      let want = try #require(TensorBuffer([rows, columns], values).converted(to: target))
      for axes in [[0, 1], [1, 0]] {
        let shape = x.shape.permuted(axes)
        let dense = x.shape.denseStrides
        let copy = Copy(
          .none, to: .none, extents: shape.dimensions, sourceStrides: axes.map { dense[$0] },
          targetStrides: shape.denseStrides)
        let zeros = [UInt8](repeating: 0, count: count * target.byteCount)
        let bytes = x.withBytes { Array($0) }
        let expected = want.transposed(axes).withBytes { Array($0) }
        for isas in Self.isaSets {
          for parts in [1, 3] {
            let got = try run(copy, source, bytes, to: target, zeros, isas: isas, parts: parts)
            #expect(got == expected, "\(rows) x \(columns), \(axes)")
          }
        }
      }
    }
  }
}

/// A seeded sequence.
private struct Xorshift {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func below(_ limit: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int((state >> 11) % UInt64(limit))
  }

  mutating func shuffled(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for index in order.indices.reversed() where index > 0 { order.swapAt(index, below(index + 1)) }
    return order
  }
}
