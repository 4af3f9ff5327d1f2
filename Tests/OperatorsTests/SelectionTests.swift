import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct SelectionTests {
  @Test func `lists the distinct elements in ascending order`() throws {
    let x0 = TensorBuffer([6], [2, 1, 1, 3, 4, 3])
    let y = try OperatorRunner(Unique.self, version: 28, outputs: 4)
      .outputs(.constant(x0))
    expectClose(y[0], [4], [1, 2, 3, 4])
    expectClose(y[1], [4], [1, 0, 3, 4])
    expectClose(y[2], [6], [1, 0, 0, 2, 3, 2])
    expectClose(y[3], [4], [2, 1, 2, 1])
  }

  @Test func `or in the order in which they come`() throws {
    let x0 = TensorBuffer([6], [2, 1, 1, 3, 4, 3])
    let y = try OperatorRunner(Unique.self, version: 28, outputs: 4, ["sorted": .int(0)])
      .outputs(.constant(x0))
    expectClose(y[0], [4], [2, 1, 3, 4])
    expectClose(y[1], [4], [0, 1, 3, 4])
    expectClose(y[2], [6], [0, 1, 1, 2, 3, 2])
    expectClose(y[3], [4], [1, 2, 2, 1])
  }

  @Test func `compares whole slices`() throws {
    let x0 = TensorBuffer([2, 4, 2], [1, 1, 0, 1, 2, 1, 0, 1, 1, 1, 0, 1, 2, 1, 0, 1])
    let y = try OperatorRunner(
      Unique.self, version: 28, outputs: 4,
      ["axis": .int(1), "sorted": .int(1)]
    )
    .outputs(.constant(x0))
    expectClose(y[0], [2, 3, 2], [0, 1, 1, 1, 2, 1, 0, 1, 1, 1, 2, 1])
    expectClose(y[1], [3], [1, 0, 2])
    expectClose(y[2], [4], [1, 0, 2, 0])
    expectClose(y[3], [3], [2, 1, 1])
  }

  @Test func `along the last axis`() throws {
    let x0 = TensorBuffer([3, 3], [1, 0, 0, 1, 0, 0, 2, 3, 3])
    let y = try OperatorRunner(
      Unique.self, version: 28, outputs: 4,
      ["axis": .int(-1), "sorted": .int(1)]
    )
    .outputs(.constant(x0))
    expectClose(y[0], [3, 2], [0, 1, 0, 1, 3, 2])
    expectClose(y[1], [2], [1, 0])
    expectClose(y[2], [3], [1, 0, 0])
    expectClose(y[3], [2], [2, 1])
  }

  @Test func `writes new entries into a cache`() throws {
    let x0 = TensorBuffer(
      [2, 1, 4, 5],
      [
        1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 8, 7, 6, 5, 4, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 8,
        7, 6, 5, 4, 4, 3, 2, 1, 0,
      ])
    let x1 = TensorBuffer([2, 1, 1, 5], [5, 5, 5, 5, 5, 1, 1, 1, 1, 1])
    let x2 = TensorBuffer(.int64, [2], [Int64(1), 2])
    let y = try OperatorRunner(
      TensorScatter.self, version: 24, outputs: 1,
      ["mode": .string("linear")]
    )
    .outputs(.runtime(x0), .runtime(x1), .runtime(x2))
    expectClose(
      y[0], [2, 1, 4, 5],
      [
        1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 8, 7, 6, 5, 4, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 1,
        1, 1, 1, 1, 4, 3, 2, 1, 0,
      ])
  }

  @Test func `goes on at the beginning of a circular cache`() throws {
    let x0 = TensorBuffer(
      [2, 1, 4, 5],
      [
        1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 8, 7, 6, 5, 4, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 8,
        7, 6, 5, 4, 4, 3, 2, 1, 0,
      ])
    let x1 = TensorBuffer(
      [2, 1, 2, 5], [5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    let x2 = TensorBuffer(.int64, [2], [Int64(1), 3])
    let y = try OperatorRunner(
      TensorScatter.self, version: 24, outputs: 1,
      ["mode": .string("circular")]
    )
    .outputs(.runtime(x0), .runtime(x1), .runtime(x2))
    expectClose(
      y[0], [2, 1, 4, 5],
      [
        1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 4, 3, 2, 1, 0, 2, 2, 2, 2, 2, 5, 6, 7, 8, 9, 8,
        7, 6, 5, 4, 1, 1, 1, 1, 1,
      ])
  }

  @Test func `writes without a mode`() throws {
    let x0 = TensorBuffer(
      [3, 4, 5],
      [
        1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 8, 7, 6, 5, 4, 5, 4, 3, 2, 1, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 8,
        7, 6, 5, 4, 5, 4, 3, 2, 1, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 8, 7, 6, 5, 4, 5, 4, 3, 2, 1,
      ])
    let x1 = TensorBuffer(
      [3, 2, 5],
      [
        4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3,
      ])
    let x2 = TensorBuffer(.int64, [3], [Int64(1), 2, 0])
    let y = try OperatorRunner(TensorScatter.self, version: 24, outputs: 1)
      .outputs(.runtime(x0), .runtime(x1), .runtime(x2))
    expectClose(
      y[0], [3, 4, 5],
      [
        1, 2, 3, 4, 5, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 4, 3, 2, 1, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 6,
        6, 6, 6, 6, 7, 7, 7, 7, 7, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 8, 7, 6, 5, 4, 5, 4, 3, 2, 1,
      ])
  }

  @Test func `counts pairs of neighbours`() throws {
    let x0 = TensorBuffer(.int32, [12], [Int32(1), 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8])
    let y = try OperatorRunner(
      TfIdfVectorizer.self, version: 9, outputs: 1,
      [
        "max_gram_length": .int(2), "max_skip_count": .int(0), "min_gram_length": .int(2),
        "mode": .string("TF"), "ngram_counts": .ints([0, 4]),
        "ngram_indexes": .ints([0, 1, 2, 3, 4, 5, 6]),
        "pool_int64s": .ints([2, 3, 5, 4, 5, 6, 7, 8, 6, 7]),
      ]
    )
    .outputs(.runtime(x0))
    expectClose(y[0], [7], [0, 0, 0, 0, 1, 1, 1])
  }

  @Test func `counts pairs that stand apart`() throws {
    let x0 = TensorBuffer(.int32, [2, 6], [Int32(1), 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8])
    let y = try OperatorRunner(
      TfIdfVectorizer.self, version: 9, outputs: 1,
      [
        "max_gram_length": .int(2), "max_skip_count": .int(5), "min_gram_length": .int(2),
        "mode": .string("TF"), "ngram_counts": .ints([0, 4]),
        "ngram_indexes": .ints([0, 1, 2, 3, 4, 5, 6]),
        "pool_int64s": .ints([2, 3, 5, 4, 5, 6, 7, 8, 6, 7]),
      ]
    )
    .outputs(.runtime(x0))
    expectClose(y[0], [2, 7], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
  }

  @Test func `counts pairs where there are no single ones`() throws {
    let x0 = TensorBuffer(.int32, [12], [Int32(1), 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8])
    let y = try OperatorRunner(
      TfIdfVectorizer.self, version: 9, outputs: 1,
      [
        "max_gram_length": .int(2), "max_skip_count": .int(0), "min_gram_length": .int(2),
        "mode": .string("TF"), "ngram_counts": .ints([0, 0]), "ngram_indexes": .ints([0, 1, 2]),
        "pool_int64s": .ints([5, 6, 7, 8, 6, 7]),
      ]
    )
    .outputs(.runtime(x0))
    expectClose(y[0], [3], [1, 1, 1])
  }

  @Test func `counts single ones once`() throws {
    let x0 = TensorBuffer(.int32, [12], [Int32(1), 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8])
    let y = try OperatorRunner(
      TfIdfVectorizer.self, version: 9, outputs: 1,
      [
        "max_gram_length": .int(2), "max_skip_count": .int(5), "min_gram_length": .int(1),
        "mode": .string("TF"), "ngram_counts": .ints([0, 4]),
        "ngram_indexes": .ints([0, 1, 2, 3, 4, 5, 6]),
        "pool_int64s": .ints([2, 3, 5, 4, 5, 6, 7, 8, 6, 7]),
      ]
    )
    .outputs(.runtime(x0))
    expectClose(y[0], [7], [0, 3, 1, 0, 1, 3, 1])
  }

  @Test func `weights counts`() throws {
    let x0 = TensorBuffer(.int64, [2, 5], [Int64(3), 4, 3, 4, 4, 4, 4, 4, 1, 3])
    let y = try OperatorRunner(
      TfIdfVectorizer.self, version: 9, outputs: 1,
      [
        "mode": .string("TFIDF"), "min_gram_length": .int(1), "max_gram_length": .int(2),
        "max_skip_count": .int(1), "ngram_counts": .ints([0, 2]),
        "ngram_indexes": .ints([2, 0, 1]), "pool_int64s": .ints([3, 4, 3, 4]),
        "weights": .floats([0.5, 2.0, 3.0]),
      ]
    )
    .outputs(.runtime(x0))
    expectClose(y[0], [2, 3], [6, 9, 1, 6, 0, 0.5])
  }

  @Test func `weights presence`() throws {
    let x0 = TensorBuffer(.int64, [2, 5], [Int64(3), 4, 3, 4, 4, 4, 4, 4, 1, 3])
    let y = try OperatorRunner(
      TfIdfVectorizer.self, version: 9, outputs: 1,
      [
        "mode": .string("IDF"), "min_gram_length": .int(1), "max_gram_length": .int(2),
        "max_skip_count": .int(1), "ngram_counts": .ints([0, 2]),
        "ngram_indexes": .ints([2, 0, 1]), "pool_int64s": .ints([3, 4, 3, 4]),
        "weights": .floats([0.5, 2.0, 3.0]),
      ]
    )
    .outputs(.runtime(x0))
    expectClose(y[0], [2, 3], [2, 3, 0.5, 2, 0, 0.5])
  }

  @Test func `puts maxima back`() throws {
    let x0 = TensorBuffer([1, 1, 2, 2], [1, 2, 3, 4])
    let x1 = TensorBuffer(.int64, [1, 1, 2, 2], [Int64(5), 7, 13, 15])
    let y = try OperatorRunner(
      MaxUnpool.self, version: 22, outputs: 1,
      ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]
    )
    .outputs(.runtime(x0), .runtime(x1))
    expectClose(y[0], [1, 1, 4, 4], [0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4])
  }

  @Test func `puts maxima back into a larger tensor`() throws {
    let x0 = TensorBuffer([1, 1, 2, 2], [5, 6, 7, 8])
    let x1 = TensorBuffer(.int64, [1, 1, 2, 2], [Int64(5), 7, 13, 15])
    let x2 = TensorBuffer(.int64, [4], [Int64(1), 1, 5, 5])
    let y = try OperatorRunner(
      MaxUnpool.self, version: 22, outputs: 1,
      ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]
    )
    .outputs(.runtime(x0), .runtime(x1), .constant(x2))
    expectClose(
      y[0], [1, 1, 5, 5],
      [
        0, 0, 0, 0, 0, 0, 5, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0,
      ])
  }

  @Test func `multiplies along an axis`() throws {
    let x0 = TensorBuffer(
      [2, 3, 2],
      [
        -2.4, -1.16, 1.06, -0.26, -1.1, -0.37, -0.54, 0.72, 0.45, -0.28, -0.67, -0.05,
      ])
    let x1 = TensorBuffer(.int32, [], [Int32(1)])
    let y = try OperatorRunner(CumProd.self, version: 26, outputs: 1)
      .outputs(.runtime(x0), .constant(x1))
    expectClose(
      y[0], [2, 3, 2],
      [
        -2.4, -1.16, -2.544, 0.3016, 2.7984, -0.111592, -0.54, 0.72, -0.243, -0.2016, 0.16281,
        0.01008,
      ])
  }

  @Test func `multiplies backwards without the element itself`() throws {
    let x0 = TensorBuffer(.int32, [2, 3], [Int32(1), 2, 3, 4, 5, 6])
    let x1 = TensorBuffer(.int32, [], [Int32(-1)])
    let y = try OperatorRunner(
      CumProd.self, version: 26, outputs: 1,
      ["exclusive": .int(1), "reverse": .int(1)]
    )
    .outputs(.runtime(x0), .constant(x1))
    expectClose(y[0], [2, 3], [6, 3, 1, 30, 6, 1])
  }

  @Test func `computes determinants`() throws {
    let x0 = TensorBuffer(
      [2, 3, 3],
      [
        1.33, 0.35, 0.64, -0.15, -1.29, -0.71, 0.65, 0.1, -0.9, -1.62, 0.11, -0.34, -0.35, -0.33,
        0.28, 0.29, 0.96, 0.93,
      ])
    let y = try OperatorRunner(Det.self, version: 22, outputs: 1)
      .outputs(.runtime(x0))
    expectClose(y[0], [2], [1.956825, 1.059073])
  }

  @Test func `knows that a singular matrix has none`() throws {
    let x0 = TensorBuffer([2, 2], [1, 2, 2, 4])
    let y = try OperatorRunner(Det.self, version: 22, outputs: 1)
      .outputs(.runtime(x0))
    expectClose(y[0], [], [0])
  }

  @Test func `makes grids of affine maps of planes`() throws {
    let x0 = TensorBuffer(
      [2, 2, 3],
      [
        1.33, 0.81, -0.34, -0.05, 0.49, -0.31, 0.55, 1.15, -0.8, -1.77, 1.19, 0.02,
      ])
    let x1 = TensorBuffer(.int64, [4], [Int64(2), 1, 2, 3])
    let y = try OperatorRunner(
      AffineGrid.self, version: 20, outputs: 1,
      ["align_corners": .int(0)]
    )
    .outputs(.runtime(x0), .constant(x1))
    expectClose(
      y[0], [2, 2, 3, 2],
      [
        -1.631667, -0.521667, -0.745, -0.555, 0.141667, -0.588333, -0.821667, -0.031667, 0.065,
        -0.065, 0.951667, -0.098333, -1.741667, 0.605, -1.375, -0.575, -1.008333, -1.755, -0.591667,
        1.795, -0.225, 0.615, 0.141667, -0.565,
      ])
  }

  @Test func `makes grids of affine maps of planes between corners`() throws {
    let x0 = TensorBuffer(
      [2, 2, 3],
      [
        0.71, -1.33, 1.73, 0.74, -0.13, -0.35, 0.11, -0.17, -0.28, -1.12, 1.26, -0.04,
      ])
    let x1 = TensorBuffer(.int64, [4], [Int64(2), 1, 2, 3])
    let y = try OperatorRunner(
      AffineGrid.self, version: 20, outputs: 1,
      ["align_corners": .int(1)]
    )
    .outputs(.runtime(x0), .constant(x1))
    expectClose(
      y[0], [2, 2, 3, 2],
      [
        2.35, -0.96, 3.06, -0.22, 3.77, 0.52, -0.31, -1.22, 0.4, -0.48, 1.11, 0.26, -0.22, -0.18,
        -0.11, -1.3, 0, -2.42, -0.56, 2.34, -0.45, 1.22, -0.34, 0.1,
      ])
  }

  @Test func `makes grids of affine maps of spaces`() throws {
    let x0 = TensorBuffer(
      [1, 3, 4],
      [
        0.07, 0.09, -2.36, 0.53, -0.33, -0.29, 0.07, -0.97, 0.84, -0.7, -0.9, -0.86,
      ])
    let x1 = TensorBuffer(.int64, [5], [Int64(1), 1, 2, 1, 2])
    let y = try OperatorRunner(AffineGrid.self, version: 20, outputs: 1)
      .outputs(.runtime(x0), .constant(x1))
    expectClose(
      y[0], [1, 2, 1, 2, 3],
      [
        1.675, -0.84, -0.83, 1.745, -1.17, 0.01, -0.685, -0.77, -1.73, -0.615, -1.1, -0.89,
      ])
  }

  @Test func `tells all integers apart, and takes NaN for one`() throws {
    let large = TensorBuffer(.int64, [3], [Int64.max, Int64.max - 1, Int64.max])
    let made = try OperatorRunner(Unique.self, outputs: 2).outputs(.constant(large))
    #expect(made[0].elements(as: Int64.self) == [.max - 1, .max])
    #expect(made[1].integers() == [1, 0])
    let x = TensorBuffer([4], [.nan, 2, .nan, -1])
    let y = try OperatorRunner(Unique.self)(.constant(x)).contents
    #expect(y.count == 3 && y[0] == -1 && y[1] == 2 && y[2].isNaN)
    let bytes = try OperatorRunner(Unique.self, outputs: 4)
      .outputs(.constant(TensorBuffer(.bfloat16, [2], [BFloat16(3), BFloat16(3)])))
    #expect(bytes[0].type == .bfloat16 && bytes[0].contents == [3])
    #expect(bytes[3].integers() == [2])
  }

  @Test func `refuses and reports what cannot be`() throws {
    let x = TensorBuffer.counting([2, 3])
    #expect(throws: GraphError.self) { try OperatorRunner(Unique.self)(.runtime(x)) }
    #expect(throws: GraphError.self) { try OperatorRunner(Det.self)(.runtime(x)) }
    #expect(throws: ImportError.self) {
      try OperatorRunner(TfIdfVectorizer.self, ["pool_strings": .strings(["a"])])(.runtime(x))
    }
    #expect(throws: ImportError.self) {
      try OperatorRunner(
        TfIdfVectorizer.self,
        [
          "ngram_counts": .ints([0, 9]), "ngram_indexes": .ints([0]), "pool_int64s": .ints([1]),
        ])(.runtime(TensorBuffer([1])))
    }
    #expect(throws: ImportError.self) {
      try OperatorRunner(TensorScatter.self, version: 24, ["mode": .string("up")])(
        .runtime(x), .runtime(x))
    }
    let cache = TensorBuffer.counting([1, 4, 2])
    for start in [3, -1] {
      let outcome = try OperatorRunner(TensorScatter.self, version: 24).outcome(
        .runtime(cache), .runtime(TensorBuffer.counting([1, 2, 2])),
        .runtime(TensorBuffer([start])))
      #expect(outcome.fault != 0)
    }
    let unpool = OperatorRunner(MaxUnpool.self, ["kernel_shape": .ints([2])])
    let places = TensorBuffer([1, 99]).reshaped([1, 1, 2])
    #expect(
      try unpool.outcome(.runtime(TensorBuffer.counting([1, 1, 2])), .runtime(places)).fault != 0)
    #expect(throws: GraphError.self) {
      try unpool(
        .runtime(TensorBuffer.counting([1, 1, 2])), .runtime(places),
        .constant(TensorBuffer([1, 1, 1])))
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(AffineGrid.self)(
        .runtime(TensorBuffer.counting([1, 2, 3])),
        .constant(TensorBuffer([1, 1, 1 << 23, 1 << 23])))
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(CumProd.self, version: 26)(
        .runtime(x), .constant(TensorBuffer([2])))
    }
  }
}
