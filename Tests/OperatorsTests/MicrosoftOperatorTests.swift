import Graphs
import Tensors
import Testing

@testable import Operators

/// ONNX Runtime's own operators against its numbers (and NumPy's, where it has no CPU kernel).
@Suite struct MicrosoftOperatorTests {
  @Test(arguments: MicrosoftOperatorTests.cases) func `gives the same numbers`(
    _ example: OperatorCase
  ) throws {
    try example.check()
  }

  static let cases: [OperatorCase] = [
    OperatorCase(
      "a transposed product with a factor", FusedMatMul.self,
      ["alpha": .float(0.5), "transB": .int(1)],
      [
        .runtime(
          TensorBuffer(
            [2, 3, 2],
            [
              -1.5, -1.5, 1.2, 0, 0.4, 0.4, 0.9, -1.9, -0.1, -1.4, -0.4, 1.8,
            ])),
        .runtime(TensorBuffer([2, 2, 2], [0.2, -1.8, 0.2, -1.5, 1, 1.8, 2, 0.5])),
      ],
      expected: TensorBuffer(
        [2, 3, 2],
        [
          1.2, 0.975, 0.12, 0.12, -0.32, -0.26, -1.26, 0.425, -1.31, -0.45, 1.42, 0.05,
        ]), tolerance: 2.8e-05),
    OperatorCase(
      "a product whose first batch axis moves", FusedMatMul.self, ["transBatchA": .int(1)],
      [
        .runtime(
          TensorBuffer(
            [2, 2, 3],
            [
              1.5, -0.5, -1.5, 0, -0.2, 0.7, 2, -0.9, 1.5, -1.5, -0.6, 1.2,
            ])),
        .runtime(TensorBuffer([2, 3, 1], [-1, 0.7, -0.2, 0.1, 1.8, 1.3])),
      ],
      expected: TensorBuffer([2, 2, 1], [-1.55, -2.93, 0.55, 0.33]), tolerance: 5.9e-05),
    OperatorCase(
      "an early transposed product", TransposeMatMul.self, ["transA": .int(1)],
      [
        .runtime(TensorBuffer([3, 2], [1.4, 0.2, 2, 2, -1.5, -1.2])),
        .runtime(TensorBuffer([3, 2], [-0.8, 0.2, 1.3, -0.1, 2, -0.6])),
      ],
      expected: TensorBuffer([2, 2], [-1.52, 0.98, 0.0399997, 0.56]), tolerance: 3e-05),
    OperatorCase(
      "a convolution with a residual", FusedConv.self, ["activation": .string("Relu")],
      [
        .runtime(
          TensorBuffer(
            [1, 2, 3, 3],
            [
              1.8, 0.4, 0.9, -1.1, 0.4, 1.2, 1.6, 1.5, 1.9, -1.5, 1.1, -0.1, 0.8, -0.9, -2, -1.7,
              1.9, 1.6,
            ])),
        .constant(
          TensorBuffer(
            [2, 2, 2, 2],
            [
              -0.8, -0.3, -1.1, -1.4, 1.5, 0.7, -1.7, -1.2, 0.3, 1.6, 2, -1.2, 0.5, -1.9, -1.3,
              -1.2,
            ])),
        .constant(TensorBuffer([2], [-0.2, -0.6])),
        .runtime(TensorBuffer([1, 2, 2, 2], [0.9, -0.1, -0.7, 1.7, 0.5, 0.8, 1, -0.7])),
      ],
      expected: TensorBuffer([1, 2, 2, 2], [0, 2.5, 0, 0, 0, 5.43, 4.15, 0.42]), tolerance: 1e-4),
    OperatorCase(
      "a convolution with a clip", FusedConv.self,
      [
        "activation": .string("Clip"),
        "activation_params": .floats([-0.5, 1.5]),
      ],
      [
        .runtime(
          TensorBuffer(
            [1, 1, 3, 3],
            [
              1.6, -2, -0.8, -1.4, -2, 2, -1.7, -0.2, 1.3,
            ])),
        .constant(TensorBuffer([2, 1, 2, 2], [0.8, 1.5, -1.8, 0, -1.9, -1.3, 1.4, -1.7])),
        .constant(TensorBuffer([2], [0.4, -2])),
      ],
      expected: TensorBuffer(
        [1, 2, 2, 2],
        [
          1.2, 1.2, -0.5, 1.5, -0.5, -0.5, 1.22, -0.5,
        ]), tolerance: 3e-05),
    OperatorCase(
      "a Gemm with a function", FusedGemm.self,
      [
        "activation": .string("LeakyRelu"),
        "activation_alpha": .float(0.2),
        "transB": .int(1),
      ],
      [
        .runtime(TensorBuffer([2, 3], [-0.8, 1.8, -0.7, -0.8, -1.7, 1.1])),
        .runtime(TensorBuffer([2, 3], [-1.3, 0, -1.9, -2, 1.4, -2])),
        .runtime(TensorBuffer([2], [-0.1, -0.3])),
      ],
      expected: TensorBuffer([2, 2], [2.27, 5.22, -0.23, -0.656]), tolerance: 0.0001),
    OperatorCase(
      "attention with lengths", MultiHeadAttention.self, ["num_heads": .int(2)],
      [
        .runtime(
          TensorBuffer(
            [2, 2, 4],
            [
              -1.5, 0.6, 1, 2, -1.2, 1.7, -1.8, -1.5, 0.4, 1.5, 1.6, 1, -1.9, -0.3, 1.3, 0.1,
            ])),
        .runtime(
          TensorBuffer(
            [2, 3, 4],
            [
              -1.3, 0.7, -1.7, 0.8, -2, -0.6, -0.8, 1.8, 0.9, 0.6, 0, -0.9, 1.4, 1.8, -1.2, -1,
              -0.8, -0.1, -1, -0.4, 2, -0.5, 1.8, 0,
            ])),
        .runtime(
          TensorBuffer(
            [2, 3, 4],
            [
              -0.7, 1.8, -0.3, 1.1, -0.8, 2, 1, 1.5, -1.9, -1.6, -1.8, 0.1, -0.4, 2, -1, -1.4,
              1.4, -0.8, 1, -0.9, 0.2, -1.7, 0.7, 1.7,
            ])),
        .runtime(
          TensorBuffer(
            [12],
            [
              0.8, 1.6, 1.2, 0.3, 1.8, -0.1, -1.4, 0.2, 0.5, -1.3, -1.5, 0.7,
            ])),
        .runtime(TensorBuffer(.int32, [2], [2, 3] as [Int32])),
      ],
      expected: TensorBuffer(
        [2, 2, 4],
        [
          -0.215765, 0.531529, -0.560121, 2.1815, -0.205544, 0.511087, -1.50605, 1.89045,
          0.110635, 0.654093, -0.800969, 2.38974, 0.973554, -0.761482, -0.804431, 2.37221,
        ]), tolerance: 4.8e-05),
    OperatorCase(
      "attention behind a cache, causal", MultiHeadAttention.self,
      ["num_heads": .int(2), "unidirectional": .int(1)],
      [
        .runtime(
          TensorBuffer(
            [1, 2, 4],
            [
              -0.2, -0.1, 1.2, 0.8, 1.6, -1.4, 1.1, 0.2,
            ])),
        .runtime(
          TensorBuffer(
            [1, 2, 4],
            [
              -1.9, -1.8, -0.6, 0.6, -1.4, 0.2, 2, -1.5,
            ])),
        .runtime(TensorBuffer([1, 2, 4], [-1.5, 1.9, -1, 1.5, -0.6, 1.1, -1.8, 0.5])),
        .absent,
        .absent,
        .absent,
        .runtime(TensorBuffer([1, 2, 1, 2], [1.5, -0.7, 0.6, -1.2])),
        .runtime(TensorBuffer([1, 2, 1, 2], [-1.4, -2, 0, 0.1])),
      ],
      expected: TensorBuffer(
        [1, 2, 4],
        [
          -1.46361, 0.480914, -0.5, 0.8, -1.39444, -1.72637, -1.2935, 0.524619,
        ]), tolerance: 2e-05),
    OperatorCase(
      "attention with its projections", MicrosoftAttention.self, ["num_heads": .int(2)],
      [
        .runtime(TensorBuffer([1, 2, 3], [-1.7, -1.1, 0.5, -0.6, -1.1, -2])),
        .constant(
          TensorBuffer(
            [3, 12],
            [
              -1.9, 0.6, -1.6, 1.4, 0.2, -1, 0.6, -1.4, -0.7, 0, 0.6, -1.5, -0.6, -1.7, -1.5,
              -1.1, -0.8, 1.7, -0.4, -1.6, 1.7, 0.3, -1.6, -1.7, -1.7, 1.7, 0.3, 0.7, 1.9, -0.4,
              1.7, -0.4, 0.8, 1.3, -1.8, 1,
            ])),
        .constant(
          TensorBuffer(
            [12],
            [
              1.3, 1.9, 0.8, 0, -1.5, 1.1, -0.1, 1.3, -1.8, -0.6, 1.2, 0.5,
            ])),
        .runtime(TensorBuffer(.int32, [1, 2], [1, 0] as [Int32])),
      ],
      expected: TensorBuffer(
        [1, 2, 4],
        [
          -2.08, -0.28, 1.04, 5.42, -2.08, -0.28, 1.04, 5.42,
        ]), tolerance: 1e-4),
    OperatorCase(
      "grouped attention with rotation", GroupQueryAttention.self,
      [
        "num_heads": .int(2),
        "kv_num_heads": .int(1),
        "do_rotary": .int(1),
      ],
      [
        .runtime(
          TensorBuffer(
            [1, 2, 32],
            [
              0.9, 0.4, 1.2, 1.4, 1.1, 0.7, -1, -1.7, 1.2, -0.6, -1, -2, -1.5, -1.9, -0.4, -0.8,
              0, 0.3, -0.9, 0.1, 0.4, 0.7, 0.4, -1.9, -1.1, 1.2, 0.5, -0.8, -0.6, 1.8, 1, -0.5,
              -0.9, -1.5, 1.2, 0.5, -0.3, 0.8, 0.2, 0.1, 0.7, 1.1, 0.1, -0.4, -1, -0.8, 2, -1.3,
              -1.7, 0.5, -0.7, -1.7, 0.2, 1, -1.9, -0.1, -1.4, 0.3, 1.2, 1.2, 1.2, -0.8, 0.6, 0.6,
            ])),
        .runtime(
          TensorBuffer(
            [1, 2, 16],
            [
              1.6, 0.8, 1, -1.6, -0.8, -0.5, 0.6, 1.5, -0.7, 0, 1, -1.3, -0.5, -1.2, -1.4, 0.8,
              1.5, -1.4, 0.8, 0.8, 1, 0.8, 0.2, -1.6, 1.2, -1.3, -0.2, 1.9, 0.3, -0.9, -1.8, -1,
            ])),
        .runtime(
          TensorBuffer(
            [1, 2, 16],
            [
              0.2, 1.4, 1.3, -1.2, 0.8, 0.6, 1.2, 0, 0, -0.3, 1.6, 0.1, -1.6, 0, 1.5, 1.4, -0.5,
              1.6, -1.7, 1, 0.5, -2, -0.2, -0.5, -0.3, -1, 1.4, 1.3, -1.5, 1.1, 0.5, -1.3,
            ])),
        .absent,
        .absent,
        .runtime(TensorBuffer(.int32, [1], [1] as [Int32])),
        .constant(TensorBuffer(.int32, [], [2] as [Int32])),
        .runtime(
          TensorBuffer(
            [4, 8],
            [
              -0.4, -0.9, 0.1, -1.5, 0, -1.6, -1.5, 1.4, 0, -0.9, 1.5, -0.7, -1.3, 1.6, -2, 1.8,
              -1.8, 1.3, -0.2, -1.5, 1.9, -0.3, -1.9, 0.9, 2, -1.4, 0.1, 1.8, -1.6, 1.2, -0.3,
              -1.8,
            ])),
        .runtime(
          TensorBuffer(
            [4, 8],
            [
              -1.2, 1.5, 0.9, 1.6, 0.2, -1.5, -0.9, -0.8, -1, -1.7, 1.5, -1.7, 1.1, 0.9, -0.3,
              0.5, -0.4, 0.1, 1, -0.2, 1.9, 1.4, -1.7, 1.7, -1.4, -1.2, -0.6, 1.3, 0, 1.1, -1.8, 1,
            ])),
      ],
      expected: TensorBuffer(
        [1, 2, 32],
        [
          0.2, 1.4, 1.3, -1.2, 0.8, 0.6, 1.2, 0, 0, -0.3, 1.6, 0.1, -1.6, 0, 1.5, 1.4, 0.2, 1.4,
          1.3, -1.2, 0.8, 0.6, 1.2, 0, 0, -0.3, 1.6, 0.1, -1.6, 0, 1.5, 1.4, -0.463908, 1.58969,
          -1.54532, 0.886568, 0.515468, -1.86594, -0.127816, -0.47422, -0.284532, -0.963908,
          1.41031, 1.23813, -1.50516, 1.04328, 0.55156, -1.16079, 0.139128, 1.41739, 1.03912,
          -1.00869, 0.773912, 0.373903, 1.07826, -0.0434803, -0.0260882, -0.360872, 1.58261,
          0.204353, -1.5913, 0.0956566, 1.41304, 1.16521,
        ]), tolerance: 3.7e-05),
    OperatorCase(
      "rotation from a first position on", MicrosoftRotaryEmbedding.self, ["interleaved": .int(1)],
      [
        .runtime(
          TensorBuffer(
            [1, 2, 8],
            [
              -1.8, -1, -1.2, 1.4, -0.5, 1.1, 1, 0.8, 0.5, 1.5, -1.9, 0.7, -1.9, 0.5, -0.2, 1.9,
            ])),
        .runtime(TensorBuffer(.int64, [1], [1] as [Int64])),
        .runtime(
          TensorBuffer(
            [4, 2],
            [
              1.5, -1.8, 1.7, -1.3, -0.6, 0.1, 1.6, -0.6,
            ])),
        .runtime(TensorBuffer([4, 2], [1.8, -0.8, -0.4, 1.8, 1, 0.7, -0.6, -2])),
      ],
      expected: TensorBuffer(
        [1, 2, 8],
        [
          -3.46, -0.98, -0.96, -3.98, -0.41, 2.07, -2.74, 0.76, -1.8, -0.4, -0.68, -1.26, 0.64,
          -2.2, -1.35, 0.05,
        ]), tolerance: 8e-05),
    OperatorCase(
      "embeddings", EmbedLayerNormalization.self, ["epsilon": .float(1e-06)],
      [
        .runtime(TensorBuffer(.int32, [1, 2], [2, 0] as [Int32])),
        .runtime(TensorBuffer(.int32, [1, 2], [0, 1] as [Int32])),
        .runtime(
          TensorBuffer(
            [3, 4],
            [
              -1.4, -0.8, 0.3, 1.5, -1.7, -1.8, 0.7, -1.1, 1.3, 0.3, 1.7, -0.2,
            ])),
        .runtime(
          TensorBuffer(
            [2, 4],
            [
              -0.2, 1.1, -1.6, -1.2, 1.7, -1.5, 1.5, 0.8,
            ])),
        .runtime(
          TensorBuffer(
            [2, 4],
            [
              1.9, -0.9, 0.4, -1.9, 0.7, -1.8, -0.5, -0.7,
            ])),
        .runtime(TensorBuffer([4], [-1.3, 0.2, -0.9, -1.7])),
        .runtime(TensorBuffer([4], [0.9, -1.3, -0.7, -0.7])),
      ],
      expected: TensorBuffer(
        [1, 2, 4],
        [
          -0.731517, -1.27112, -0.829944, 1.92442, 0.318622, -1.64499, -1.21749, -1.8947,
        ]), tolerance: 3.8e-05),
    OperatorCase(
      "a residual before a root mean square", SkipSimplifiedLayerNormalization.self,
      ["epsilon": .float(1e-05)],
      [
        .runtime(TensorBuffer([2, 4], [0.8, 0.9, 0, -1.7, -0.2, 0.8, 1.9, 1.9])),
        .runtime(TensorBuffer([2, 4], [-1.4, -1, -0.1, -1, -1.4, -1.1, 1.8, 0.8])),
        .runtime(TensorBuffer([4], [0, 0.2, -0.7, 0.2])),
        .runtime(TensorBuffer([4], [-1.4, -1.8, 0.4, 0.2])),
      ],
      expected: TensorBuffer(
        [2, 4],
        [
          -0, -0.203482, -0.112451, -0.267739, -0, -0.13515, -0.923526, 0.186636,
        ]), tolerance: 2e-05),
    OperatorCase(
      "weights of four bits in blocks", MatMulNBits.self,
      [
        "K": .int(20),
        "N": .int(2),
        "bits": .int(4),
        "block_size": .int(16),
      ],
      [
        .runtime(
          TensorBuffer(
            [1, 20],
            [
              -0.4, -0.2, -1.5, 1.4, -1.9, -0.1, -0.4, 1.1, 0.3, -1.3, 0.1, 0.4, 1.6, 0.1, 1.7,
              -0.7, 1.8, 1.8, 1.2, 1.4,
            ])),
        .constant(
          TensorBuffer(
            .uint8, [2, 2, 8],
            [
              122, 240, 134, 151, 101, 148, 102, 145, 10, 16, 204, 219, 62, 4, 7, 199, 119, 68,
              183, 133, 111, 23, 93, 197, 168, 120, 41, 163, 2, 251, 151, 183,
            ] as [UInt8])),
        .constant(TensorBuffer([4], [0.1, -0.6, 1.5, -2])),
        .constant(TensorBuffer(.uint8, [2], [106, 187] as [UInt8])),
      ],
      expected: TensorBuffer([1, 2], [11.86, 40]), tolerance: 0.0008),
    OperatorCase(
      "a maximum over channels-last pictures", NhwcMaxPool.self,
      [
        "kernel_shape": .ints([2, 2]),
        "strides": .ints([2, 2]),
      ],
      [
        .runtime(
          TensorBuffer(
            .uint8, [1, 2, 4, 2],
            [
              201, 63, 4, 250, 6, 206, 153, 0, 57, 46, 17, 151, 32, 85, 95, 8,
            ] as [UInt8]))
      ],
      expected: TensorBuffer(.uint8, [1, 1, 2, 2], [201, 250, 153, 206] as [UInt8])),
    OperatorCase(
      "a softmax with a mask", BiasSoftmax.self, ["axis": .int(2), "is_inner_broadcast": .int(0)],
      [
        .runtime(
          TensorBuffer(
            [2, 1, 4],
            [
              -0.7, 0.5, 0.3, 0.2, 1.6, -1.2, -0.6, 0.7,
            ])),
        .runtime(TensorBuffer([1, 1, 4], [-1.3, -0.8, 0.3, 0.9])),
      ],
      expected: TensorBuffer(
        [2, 1, 4],
        [
          0.0237329, 0.129913, 0.319533, 0.526821, 0.188028, 0.0188514, 0.103192, 0.689929,
        ]), tolerance: 2e-05),
    OperatorCase(
      "halves that gate each other", BiasSplitGelu.self, [:],
      [
        .runtime(
          TensorBuffer(
            [1, 2, 4],
            [
              -2, -0.4, -0.5, -0.7, -0.7, 1.4, -0.5, 0.4,
            ])),
        .runtime(TensorBuffer([4], [-1.8, 1.1, 0.2, -0.5])),
      ],
      expected: TensorBuffer(
        [1, 2, 2],
        [
          0.435581, -0.0966585, 0.286566, -0.115043,
        ]), tolerance: 2e-05),
    OperatorCase(
      "a bias and a residual", BiasAdd.self, [:],
      [
        .runtime(TensorBuffer([1, 2, 3], [0.5, 1.1, 1, 1.5, 1.9, 1.1])),
        .runtime(TensorBuffer([3], [-0.6, 1.1, 0.6])),
        .runtime(TensorBuffer([1, 2, 3], [-0.7, -0.2, -2, -1.2, -1.5, 1.6])),
      ],
      expected: TensorBuffer([1, 2, 3], [-0.8, 2, -0.4, -0.3, 1.5, 3.3]), tolerance: 6.6e-05),
    OperatorCase(
      "groups of channels that lie last", MicrosoftGroupNorm.self,
      ["groups": .int(2), "activation": .int(1)],
      [
        .runtime(TensorBuffer([1, 1, 2, 4], [1.7, 1, -0.9, 1.8, -1.1, 1.3, 1.1, 1.7])),
        .runtime(TensorBuffer([4], [1, -1.5, -2, -2])),
        .runtime(TensorBuffer([4], [1.9, -1.2, 1.4, -0.4])),
      ],
      expected: TensorBuffer(
        [1, 1, 2, 4],
        [
          2.64022, -0.269801, 4.71691, -0.237521, 0.118493, -0.238702, 0.804365, -0.253314,
        ]), tolerance: 9.4e-05),
    OperatorCase(
      "a lower triangle", ForwardedOperator<Forwarded.Trilu>.self, ["upper": .int(0)],
      [
        .runtime(
          TensorBuffer(
            [3, 3],
            [
              1.5, 0.8, -1.8, -0.3, 0.7, 0.1, -1.5, 1.1, 0.8,
            ])),
        .constant(TensorBuffer(.int64, [], [-1] as [Int64])),
      ],
      expected: TensorBuffer([3, 3], [0, 0, 0, -0.3, 0, 0, -1.5, 1.1, 0]), tolerance: 3e-05),
  ]
}
