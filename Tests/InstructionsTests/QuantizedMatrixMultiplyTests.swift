import Kernels
import Tensors
import Testing

@testable import Instructions

@Suite struct QuantizedMatrixMultiplyTests {
  typealias Case = MatrixMultiplyTests.Case

  /// What the factors stand for, and the integer sums that follow.
  struct Factors {
    var a: [UInt8]
    var b: [Int32]
    var zeroA: Int32
    var zeroB: Int32
    /// Per column; for packed constants of every matrix.
    var offsets: [Int32]

    /// Σ (a − zero(a)) (b − zero(b)), or for packed constants offset + Σ a b.
    func sums(_ c: Case) -> [Int32] {
      var sums: [Int32] = []
      for item in 0..<c.batch.reduce(1, *) {
        let ai = MatrixMultiplyTests.index(item, c.batch, c.batchA)
        let bi = MatrixMultiplyTests.index(item, c.batch, c.batchB)
        for row in 0..<c.rows {
          for column in 0..<c.columns {
            var sum = offsets[(c.packed ? bi * c.columns : 0) + column]
            for k in 0..<c.depth {
              let left = Int32(a[(ai * c.rows + row) * c.depth + k])
              let right = b[(bi * c.depth + k) * c.columns + column]
              sum &+= c.packed ? left * right : (left - zeroA) * (right - zeroB)
            }
            sums.append(sum)
          }
        }
      }
      return sums
    }
  }

  static func add<T: BitwiseCopyable>(
    _ rig: Rig, _ type: ElementType, _ shape: [Int], _ elements: [T]?, transposed: Bool = false,
    heads: Bool, gap: Int, _ quantization: Quantization?
  ) -> Operand {
    let memory = MatrixMultiplyTests.memoryShape(shape, transposed: transposed, heads: heads)
    return rig.tensor(
      type, memory, rowStride: (memory.dimensions.last ?? 1) + gap, quantization: quantization,
      elements: elements.map {
        MatrixMultiplyTests.arrange($0, shape, transposed: transposed, heads: heads)
      })
  }

  /// Runs one case on all ISAs; returns what is wrong, or nil.
  static func check(_ c: Case, seed: UInt64, activation: Activation, parts: Int) throws -> String? {
    var g = SeededGenerator(seed: seed &+ 3_000_000)
    let extreme = seed % 3 == 0
    let (aShape, bShape) = (c.batchA + [c.rows, c.depth], c.batchB + [c.depth, c.columns])
    let yShape = c.batch + [c.rows, c.columns]
    let count = c.packed ? c.batchB.reduce(1, *) : 1
    let right = g.weights(bShape.reduce(1, *), extreme: extreme)
    // Zero points at 128 take the way without sums of rows.
    let zeroB: Int32 = seed % 5 == 0 ? 128 : Int32.random(in: 0...255, using: &g)
    var factors = Factors(
      a: g.operandBytes(aShape.reduce(1, *), extreme: extreme),
      b: right.map { c.packed ? Int32($0) : Int32(UInt8(bitPattern: $0)) },
      zeroA: Int32.random(in: 0...255, using: &g), zeroB: zeroB,
      offsets: c.packed ? g.offsets(count * c.columns) : Array(repeating: 0, count: c.columns))
    let magnitude = factors.sums(c).reduce(Float(0)) { max($0, abs(Float($1))) }
    var store = ProductStore(
      &g, columns: c.columns, magnitude: magnitude, activation: activation,
      perChannel: !c.heads)
    store.scale = c.scale
    if !c.packed { store.weightScales = [store.weightScales[0]] }
    let hasBias = !c.packed && Bool.random(using: &g)
    let unit = store.multiplier(0)
    let bias = g.floats(c.columns).map { $0 * unit * 100_000 }
    if hasBias {
      factors.offsets = bias.map { Int32(($0 / unit).rounded(.toNearestOrEven)) }
    }
    let gaps = (0..<4).map { _ in [0, 0, 3].randomElement(using: &g) ?? 0 }
    let sums = factors.sums(c)
    // Elements of y in memory order.
    func arranged<T>(_ values: [T]) -> [T] {
      MatrixMultiplyTests.arrange(values, yShape, transposed: false, heads: c.heads)
    }
    let shape = MatrixMultiplyTests.memoryShape(yShape, transposed: false, heads: c.heads)
    var portable: [UInt32]?
    for isa in quantizedISAs {
      let rig = Rig()
      var product = QuantizedMatrixMultiply()
      product.a = add(
        rig, .uint8, aShape, factors.a, transposed: c.transposeA, heads: c.heads, gap: gaps[0],
        Quantization(scale: store.xScale, zeroPoint: factors.zeroA))
      let scales = Quantization(
        scales: store.weightScales, zeroPoints: store.weightScales.map { _ in 0 }, axis: 0)
      if c.packed {
        let order =
          c.transposeB
          ? MatrixMultiplyTests.arrange(right, bShape, transposed: true, heads: false) : right
        let packed = WeightPacking.matrix(
          quantized: order, batch: count, depth: c.depth, columns: c.columns,
          transposed: c.transposeB)
        product.b = rig.tensor(
          .int8, packed.shape, quantization: scales, elements: packed.elements(as: Int8.self))
        product.offsets = rig.tensor(.int32, [factors.offsets.count], elements: factors.offsets)
      } else {
        product.b = add(
          rig, .uint8, bShape, right, transposed: c.transposeB, heads: c.heads, gap: gaps[1],
          Quantization(scale: store.weightScales[0], zeroPoint: zeroB))
        if hasBias { product.bias = rig.tensor(.float32, [c.columns], bias) }
      }
      let width = shape.dimensions.last ?? 1
      var random = g
      let (residual, added) = store.makeResidual(
        rig, shape, rowStride: width + gaps[2], &random)
      product.residual = residual
      product.y = store.makeY(rig, shape, rowStride: width + gaps[3])
      product.packedB = c.packed
      (product.transposeA, product.transposeB) = (c.transposeA, c.packed ? false : c.transposeB)
      if c.heads {
        let heads = c.batch.last ?? 1
        (product.headsA, product.headsY) = (heads, heads)
        product.headsB = c.packed ? 1 : heads
      }
      product.scale = c.scale
      product.activation = activation
      product.residualAfterActivation = store.residualLast
      try rig.run(product, isas: isa.included, parts: parts)
      guard rig.isIntact(product.y) else { return "\(isa) wrote outside y" }
      let found = store.results(rig, product.y)
      if store.isExact {
        // With heads a row of y holds columns of several matrices, whose stores are one.
        let expected = store.apply(
          arranged(sums), residual: added, columns: c.columns)
        if let wrong = difference(found, expected, isReal: store.y == nil) {
          return "\(isa): \(wrong) \(store)"
        }
      }
      if let portable, let wrong = difference(found, portable, isReal: store.y == nil) {
        return "\(isa) differs from portable: \(wrong) \(store)"
      }
      portable = portable ?? found
    }
    return nil
  }

  @Test func `gives the bits of a plain loop on random products`() throws {
    let batches: [([Int], [Int])] = [
      ([], []), ([3], []), ([2], [2]), ([2, 3], [2, 3]), ([1, 3], [2, 1]), ([], [4]),
      ([2, 3], [3]),
    ]
    for seed in UInt64(0)..<400 {
      var g = SeededGenerator(seed: seed)
      var c = Case()
      (c.batchA, c.batchB) = batches.randomElement(using: &g)!
      c.rows = [1, 2, 5, 6, 7, 13, 27].randomElement(using: &g)!
      c.columns = [1, 3, 15, 16, 17, 40, 64, 65, 100].randomElement(using: &g)!
      c.depth = [1, 2, 3, 16, 31, 64, 77].randomElement(using: &g)!
      (c.transposeA, c.transposeB) = (Bool.random(using: &g), Bool.random(using: &g))
      c.scale = [1, 0.125].randomElement(using: &g)!
      c.packed = Bool.random(using: &g)
      if c.packed {
        if !(c.batchB.isEmpty || c.batchB == c.batch) { c.batchB = [] }
      } else if !c.batch.isEmpty && c.batchA == c.batchB {
        c.heads = Bool.random(using: &g)
      }
      let activation: Activation = [.none, .relu, .clip(-0.5, 1.25), Activation(.gelu)][
        Int(seed) % 4]
      let wrong = try Self.check(
        c, seed: seed, activation: activation, parts: Int(seed / 4) % 3 + 1)
      #expect(wrong == nil, "seed \(seed), \(c): \(wrong ?? "")")
    }
  }

  @Test func `gives the bits of a plain loop on large and on empty products`() throws {
    for (rows, columns, depth) in [(1, 1000, 513), (197, 192, 64), (0, 5, 4), (6, 5, 0)] {
      for packed in [true, false] {
        for seed in UInt64(0)..<6 {
          var c = Case()
          (c.rows, c.columns, c.depth, c.packed) = (rows, columns, depth, packed)
          let wrong = try Self.check(c, seed: seed, activation: .none, parts: 2)
          #expect(wrong == nil, "\(rows) \(columns) \(depth): \(wrong ?? "")")
        }
      }
    }
  }

  @Test func `rows of a strip and more sum up`() throws {
    // More rows than are summed at a time, and a transposed A that is staged in strips.
    for transposed in [false, true] {
      var c = Case()
      (c.rows, c.columns, c.depth) = (2100, 19, 67)
      c.transposeA = transposed
      let wrong = try Self.check(c, seed: 1, activation: .relu, parts: 2)
      #expect(wrong == nil, "\(wrong ?? "")")
    }
  }

  @Test func `refuses what its tensors do not say`() {
    let rig = Rig()
    let unit = Quantization(scale: 1, zeroPoint: 0)
    let two = Quantization(scales: [1, 2, 3, 4, 5], zeroPoints: [0, 0, 0, 0, 0], axis: 1)
    func bytes(_ type: ElementType, _ shape: Shape, _ q: Quantization?) -> Operand {
      rig.tensor(type, shape, quantization: q, elements: [UInt8]?.none)
    }
    var valid = QuantizedMatrixMultiply()
    valid.a = bytes(.uint8, [6, 3], unit)
    valid.b = bytes(.int8, [1, 1, 16, 4], unit)
    valid.offsets = rig.tensor(.int32, [5], elements: [Int32](repeating: 0, count: 5))
    valid.y = bytes(.uint8, [6, 5], two)
    valid.packedB = true
    #expect(throws: Never.self) { try rig.run(valid) }
    var dynamic = valid
    dynamic.packedB = false
    dynamic.offsets = .none
    dynamic.b = bytes(.uint8, [3, 5], unit)
    #expect(throws: Never.self) { try rig.run(dynamic) }
    let changes: [(inout QuantizedMatrixMultiply) -> Void] = [
      { $0.a = bytes(.uint8, [6, 3], nil) },
      { $0.a = bytes(.int8, [6, 3], unit) },
      { $0.a = bytes(.uint8, [5, 3], unit) },
      { $0.b = bytes(.int8, [1, 1, 16, 4], nil) },
      { $0.b = bytes(.int8, [2, 1, 16, 4], unit) },
      { $0.b = bytes(.uint8, [3, 5], two) },
      { $0.offsets = rig.tensor(.int32, [4], elements: [Int32](repeating: 0, count: 4)) },
      { $0.scale = 0 },
      { $0.scale = -1 },
      { $0.scale = .nan },
      { $0.headsY = 5 },
      { $0.residual = bytes(.uint8, [6, 5], nil) },
      { $0.y = bytes(.int8, [6, 5], unit) },
    ]
    for (index, change) in changes.enumerated() {
      for base in [valid, dynamic] {
        var changed = base
        change(&changed)
        #expect(throws: (any Error).self, "change \(index)") { try rig.run(changed) }
      }
    }
    var biased = valid
    biased.bias = rig.tensor(.float32, [5])
    #expect(throws: (any Error).self) { try rig.run(biased) }
    dynamic.bias = rig.tensor(.float32, [4])
    #expect(throws: (any Error).self) { try rig.run(dynamic) }
  }
}
