import Kernels
import Tensors
import Testing

@testable import Instructions

@Suite struct MatrixMultiplyTests {
  /// Logical extents and the options of one product.
  struct Case {
    var batchA: [Int] = []
    var batchB: [Int] = []
    var rows = 3
    var columns = 5
    var depth = 7
    var packed = false
    var transposeA = false
    var transposeB = false
    var heads = false
    var scale: Float = 1

    var batch: [Int] { Shape.broadcast(Shape(batchA), Shape(batchB))?.dimensions ?? [] }
  }

  /// The logical matrices of a batch [.., rows, columns], moved to where they lie in memory.
  static func arrange<T>(_ values: [T], _ shape: [Int], transposed: Bool, heads: Bool) -> [T] {
    let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    let count = shape.dropLast(2).reduce(1, *)
    let heads = heads ? shape[shape.count - 3] : 1
    var result = values
    for item in 0..<count {
      let (outer, head) = (item / heads, item % heads)
      for row in 0..<rows {
        for column in 0..<columns {
          let (height, width) = transposed ? (columns, rows) : (rows, columns)
          let (i, j) = transposed ? (column, row) : (row, column)
          result[((outer * height + i) * heads + head) * width + j] =
            values[(item * rows + row) * columns + column]
        }
      }
    }
    return result
  }

  /// The shape in memory of logical matrices.
  static func memoryShape(_ shape: [Int], transposed: Bool, heads: Bool) -> Shape {
    var s = shape
    let last = s.count - 1
    if transposed { s.swapAt(last - 1, last) }
    if heads {
      let count = s.remove(at: last - 2)
      s[last - 1] *= count
    }
    return Shape(s)
  }

  static func check(
    _ c: Case, _ g: inout SeededGenerator, types: (ElementType, ElementType, ElementType),
    isa: ISA, parts: Int
  ) throws -> String? {
    let (aType, bType, yType) = types
    let productType: ElementType =
      c.packed ? bType : aType == .bfloat16 || bType == .bfloat16 ? .bfloat16 : .float32
    let aShape = c.batchA + [c.rows, c.depth]
    let bShape = c.batchB + [c.depth, c.columns]
    let yShape = c.batch + [c.rows, c.columns]
    let a = g.floats(aShape.reduce(1, *))
    let b = g.floats(bShape.reduce(1, *))
    let bias = g.floats(c.columns)
    let residual = g.floats(yShape.reduce(1, *))
    let rig = Rig()
    func add(
      _ type: ElementType, _ shape: [Int], _ values: [Float]?, transposed: Bool = false,
      _ g: inout SeededGenerator
    ) -> Operand {
      let memory = memoryShape(shape, transposed: transposed, heads: c.heads)
      let gap = [0, 0, 3].randomElement(using: &g) ?? 0
      return rig.tensor(
        type, memory, rowStride: (memory.dimensions.last ?? 1) + gap,
        values.map { arrange($0, shape, transposed: transposed, heads: c.heads) })
    }
    var product = MatrixMultiply()
    product.a = add(aType, aShape, a, transposed: c.transposeA, &g)
    if c.packed {
      product.b = rig.constant(
        WeightPacking.matrix(
          c.transposeB
            ? arrange(b, bShape, transposed: true, heads: false) : b,
          batch: c.batchB.reduce(1, *), depth: c.depth, columns: c.columns,
          transposed: c.transposeB, as: bType))
    } else {
      product.b = add(bType, bShape, b, transposed: c.transposeB, &g)
    }
    let hasBias = Bool.random(using: &g)
    if hasBias { product.bias = rig.tensor(.float32, [c.columns], bias) }
    let hasResidual = Bool.random(using: &g)
    if hasResidual { product.residual = add(yType, yShape, residual, &g) }
    product.y = add(yType, yShape, nil, &g)
    product.packedB = c.packed
    (product.transposeA, product.transposeB) = (c.transposeA, c.packed ? false : c.transposeB)
    if c.heads {
      let heads = c.batch.last ?? 1
      (product.headsA, product.headsY) = (heads, heads)
      product.headsB = c.packed ? 1 : heads
    }
    product.scale = c.scale
    try rig.run(product, isas: isa.included, parts: parts)
    guard rig.isIntact(product.y) else { return "wrote outside y" }

    let x = stored(stored(a, as: aType), as: productType)
    let w = stored(stored(b, as: bType), as: productType)
    let added = stored(residual, as: yType)
    var want = [Double](repeating: 0, count: residual.count)
    var tolerance = want
    let matrices = c.batch.reduce(1, *)
    for item in 0..<matrices {
      let (ai, bi) = (index(item, c.batch, c.batchA), index(item, c.batch, c.batchB))
      for row in 0..<c.rows {
        for column in 0..<c.columns {
          var (sum, magnitude) = (0.0, 0.0)
          for k in 0..<c.depth {
            let term =
              Double(x[(ai * c.rows + row) * c.depth + k])
              * Double(w[(bi * c.depth + k) * c.columns + column])
            sum += term
            magnitude += abs(term)
          }
          let place = (item * c.rows + row) * c.columns + column
          want[place] =
            sum * Double(c.scale) + (hasBias ? Double(bias[column]) : 0)
            + (hasResidual ? Double(added[place]) : 0)
          tolerance[place] =
            2 * Double(c.depth) * 0x1p-24 * magnitude * Double(abs(c.scale)) + 0x1p-22
          if yType == .bfloat16 { tolerance[place] += abs(want[place]) * 0x1p-8 }
        }
      }
    }
    let order = arrange(
      (0..<want.count).map { Float($0) }, yShape, transposed: false, heads: c.heads)
    for (got, place) in zip(rig.values(product.y), order.map { Int($0) })
    where !(abs(Double(got) - want[place]) <= tolerance[place]) {
      return "y[\(place)] = \(got), expected \(want[place]) ± \(tolerance[place])"
    }
    return nil
  }

  /// The place in a broadcast batch of an item of the whole batch.
  static func index(_ item: Int, _ batch: [Int], _ part: [Int]) -> Int {
    var (rest, place, step) = (item, 0, 1)
    for axis in batch.indices.reversed() {
      let coordinate = rest % batch[axis]
      rest /= batch[axis]
      let own = axis - (batch.count - part.count)
      guard own >= 0 else { continue }
      if part[own] > 1 { place += coordinate * step }
      step *= part[own]
    }
    return place
  }

  static let combinations: [(ElementType, ElementType, ElementType)] = [
    (.float32, .float32, .float32), (.bfloat16, .bfloat16, .bfloat16),
    (.float32, .bfloat16, .float32), (.bfloat16, .bfloat16, .float32),
    (.float32, .bfloat16, .bfloat16), (.bfloat16, .float32, .bfloat16),
  ]

  @Test(arguments: coveredISAs)
  func `matches a plain loop on random products`(isa: ISA) throws {
    let batches: [([Int], [Int])] = [
      ([], []), ([3], []), ([2], [2]), ([2, 3], [2, 3]), ([1, 3], [2, 1]), ([], [4]),
      ([2, 3], [3]),
    ]
    for seed in UInt64(0)..<300 {
      var g = SeededGenerator(seed: seed)
      var c = Case()
      (c.batchA, c.batchB) = batches.randomElement(using: &g)!
      c.rows = [1, 2, 5, 6, 7, 13, 27].randomElement(using: &g)!
      c.columns = [1, 3, 15, 16, 17, 40, 64, 65, 100].randomElement(using: &g)!
      c.depth = [1, 2, 3, 16, 31, 64, 77].randomElement(using: &g)!
      (c.transposeA, c.transposeB) = (Bool.random(using: &g), Bool.random(using: &g))
      c.scale = [1, 0.125, -2].randomElement(using: &g)!
      c.packed = Bool.random(using: &g)
      var types = Self.combinations[Int(seed) % 6]
      if c.packed {
        if !(c.batchB.isEmpty || c.batchB == c.batch) { c.batchB = [] }
        if types.0 == .bfloat16 { types.1 = .bfloat16 }
      } else if !c.batch.isEmpty && c.batchA == c.batchB {
        c.heads = Bool.random(using: &g)
      }
      let wrong = try Self.check(c, &g, types: types, isa: isa, parts: Int(seed / 6) % 3 + 1)
      #expect(wrong == nil, "seed \(seed), \(types), \(c): \(wrong ?? "")")
      if wrong != nil { return }
    }
  }

  @Test(arguments: coveredISAs)
  func `matches a plain loop on large and on empty products`(isa: ISA) throws {
    var g = SeededGenerator(seed: 9)
    for (rows, columns, depth) in [(1, 1000, 513), (197, 192, 64), (0, 5, 4), (6, 5, 0)] {
      for packed in [true, false] {
        for types in Self.combinations.prefix(3) {
          var c = Case()
          (c.rows, c.columns, c.depth, c.packed) = (rows, columns, depth, packed)
          let wrong = try Self.check(c, &g, types: types, isa: isa, parts: 2)
          #expect(wrong == nil, "\(rows) \(columns) \(depth) \(types): \(wrong ?? "")")
        }
      }
    }
  }

  /// Every function in the store, against the portable definition applied to the plain product.
  @Test(arguments: coveredISAs)
  func `applies every function in the store`(isa: ISA) throws {
    var g = SeededGenerator(seed: 4)
    let (rows, columns, depth) = (9, 37, 5)
    let a = g.floats(rows * depth).map { $0 * 3 }
    let b = g.floats(depth * columns)
    for function in Activation.Function.allCases where function.isVector {
      var outputs: [[Float]] = []
      for activation in [Activation.none, Activation(function, alpha: 0.75, beta: 1.25)] {
        let rig = Rig()
        var product = MatrixMultiply()
        product.a = rig.tensor(.float32, [rows, depth], a)
        product.b = rig.constant(
          WeightPacking.matrix(b, depth: depth, columns: columns, as: .float32))
        product.packedB = true
        product.activation = activation
        product.y = rig.tensor(.float32, [rows, columns])
        try rig.run(product, isas: isa.included)
        outputs.append(rig.values(product.y))
      }
      var want = outputs[0].map(Double.init)
      want.withUnsafeMutableBufferPointer { values in
        guard let first = values.baseAddress else { return }
        Activation(function, alpha: 0.75, beta: 1.25).apply(to: first, count: values.count)
      }
      for (got, want) in zip(outputs[1], want) where !want.isNaN || !got.isNaN {
        #expect(abs(Double(got) - want) <= 1e-6 * max(1, abs(want)), "\(function) on \(isa)")
      }
    }
  }

  @Test func `refuses shapes that do not fit`() throws {
    let rig = Rig()
    var product = MatrixMultiply()
    product.a = rig.tensor(.float32, [2, 3, 4])
    product.b = rig.tensor(.float32, [3, 4, 5])
    product.y = rig.tensor(.float32, [2, 3, 5])
    #expect(throws: InstructionError.self) { try rig.run(product) }
    product.b = rig.tensor(.float32, [5, 5])
    #expect(throws: InstructionError.self) { try rig.run(product) }
    product.b = rig.tensor(.float32, [1, 5, 16])
    product.packedB = true
    #expect(throws: InstructionError.self) { try rig.run(product) }
  }
}
