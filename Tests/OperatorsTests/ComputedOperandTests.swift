import Graphs
import Tensors
import Testing

@testable import Operators

/// Weights and other large operands that a run computes, and the attention family, against the
/// numbers of ONNX Runtime and of the ONNX reference.
@Suite struct ComputedOperandTests {
  @Test(arguments: ComputedOperandTests.cases) func `gives the same numbers`(
    _ example: OperatorCase
  ) throws {
    try example.check()
  }

  static let cases: [OperatorCase] = [
    OperatorCase(
      "a convolution", Conv.self,
      [
        "pads": .ints([1, 0, 1, 0]),
        "strides": .ints([2, 1]),
      ],
      [
        .runtime(
          TensorBuffer(
            [1, 2, 4, 4],
            [
              -2, 0.4, -0.2, 0.8, 1.4, 0.7, 1.8, -1.9, 1.4, 0.6, 1.9, 1.7, 0.4, 0.7, 0.3, 1.9,
              -1.3, 0, 1.5, 1.3, -0.4, -1.5, -0.7, 1.6, -0.8, -0.3, -1.3, 1.5, -0.1, -0.7, -1.7,
              0.5,
            ])),
        .runtime(
          TensorBuffer(
            [3, 2, 2, 2],
            [
              -0.2, 1.4, 1.9, 0.9, -1.5, 0.5, 1.5, 1.9, -0.7, -1.7, -1.2, -1.6, 0.5, 0.2, -0.2,
              1.9, -1.3, 0.8, 1.9, -0.8, 0.2, -1.6, -0.6, -0.2,
            ])),
        .runtime(TensorBuffer([3], [0.9, -0.1, 1.2])),
      ],
      expected: TensorBuffer(
        [1, 3, 3, 3],
        [
          -4.49, 4.33, 5.96, 2.88, 5.11, 5.77, 1.6, 1.38, 6.3, 1.92, 2.59, 1.03, -5.82, -10.71,
          -0.0500002, -1.76, -1.79, -4.29, -2.14, 1.82, -0.98, 4.98, 2.61, -2.63, 2.34, 3.11,
          1.19,
        ]), tolerance: 0.00021),
    OperatorCase(
      "a grouped convolution", Conv.self, ["group": .int(2), "dilations": .ints([2])],
      [
        .runtime(
          TensorBuffer(
            [1, 4, 3],
            [
              -0.1, -1.2, 0.5, -1.4, -0.9, 1.6, 1.6, 1.3, -0.9, 0.7, -1.6, 1.1,
            ])),
        .runtime(
          TensorBuffer(
            [2, 2, 2],
            [
              -0.6, -1.4, 1.8, -0.1, -1.4, 0.7, -0.9, 0.7,
            ])),
        .absent,
      ],
      expected: TensorBuffer([1, 2, 1], [-3.32, -2.73]), tolerance: 6.6e-05),
    OperatorCase(
      "a depthwise convolution", Conv.self,
      [
        "group": .int(2),
        "auto_pad": .string("SAME_UPPER"),
      ],
      [
        .runtime(
          TensorBuffer(
            [1, 2, 3, 3],
            [
              1.7, -0.6, -0.6, -1.3, 1.4, -0.6, -1.9, -0.3, 1.6, -1.6, -1.1, 1.8, -1.3, -1.6, 1,
              -1.7, 2, 1.4,
            ])),
        .runtime(TensorBuffer([2, 1, 2, 2], [1.9, 0.8, 1, -1.5, 1.7, 1.7, 2, 0.5])),
        .runtime(TensorBuffer([2], [0.2, -1.3])),
      ],
      expected: TensorBuffer(
        [1, 2, 3, 3],
        [
          -0.45, 0.88, -1.54, -2.6, -0.32, 0.66, -3.65, 0.91, 3.24, -9.29, -2.81, 3.76, -8.63,
          2.38, 3.2, -0.79, 4.48, 1.08,
        ]), tolerance: 0.00019),
    OperatorCase(
      "a convolution over three axes", Conv.self, [:],
      [
        .runtime(
          TensorBuffer(
            [1, 1, 2, 3, 3],
            [
              -1.5, 0.5, 1.4, 0.9, -0.4, 0.6, -0.8, -1.9, 0, 1.8, -1.9, -1, -2, -0.5, -1, -1.4,
              0.4, 1.4,
            ])),
        .runtime(
          TensorBuffer(
            [2, 1, 2, 2, 2],
            [
              1, 1.6, 1.9, 1.3, 1.3, -1.8, 1.8, -1.7, 0.6, 2, 1, 1, 0.4, -0.9, -1.7, 0.6,
            ])),
      ],
      expected: TensorBuffer(
        [1, 2, 1, 2, 2],
        [
          3.5, 2.89, -8.63, -3.56, 6.13, 3.69, -0.69, -0.08,
        ]), tolerance: 0.00017),
    OperatorCase(
      "a transposed convolution", ConvTranspose.self,
      [
        "strides": .ints([2, 2]),
        "pads": .ints([1, 1, 1, 1]),
        "output_padding": .ints([1, 0]),
      ],
      [
        .runtime(
          TensorBuffer(
            [1, 2, 2, 2],
            [
              -1.8, 0.1, 1.1, -1.3, -1.2, 1.7, 1.2, 0.9,
            ])),
        .runtime(
          TensorBuffer(
            [2, 2, 3, 3],
            [
              -0.1, 1.8, -2, -1, 0.3, -1.9, -0.2, 0.1, -1.7, -1.3, -1, 1.9, -0.8, 0.6, -0.6, -0.9,
              0.8, 1.3, -1.4, -1.4, -0.2, -0.1, 0.4, 0.7, 1.8, 1.6, -1.6, -1.2, -1.7, 1.8, -1.3,
              0.6, -1.1, -1.2, -1.4, 1.9,
            ])),
        .runtime(TensorBuffer([2], [-1.7, 1.5])),
      ],
      expected: TensorBuffer(
        [1, 2, 4, 3],
        [
          -2.72, 0.61, -0.99, -3.5, 2.75, -2.57, -0.89, -1.74, -1.73, 0.33, -3.61, -0.39, -0.3,
          1.61, 2.58, -1.4, -0.39, -1.03, 2.88, -0.61, 1.26, 0.7, 5.3, -0.8,
        ]), tolerance: 0.00011),
    OperatorCase(
      "a transposed convolution in groups", ConvTranspose.self,
      ["group": .int(2), "dilations": .ints([2])],
      [
        .runtime(TensorBuffer([1, 2, 3], [-1.2, -2, -1.1, -0.6, -0.1, 0.4])),
        .runtime(TensorBuffer([2, 1, 3], [0.6, 0.3, -0.6, -0.8, -1.4, -0.4])),
      ],
      expected: TensorBuffer(
        [1, 2, 7],
        [
          -0.72, -1.2, -1.02, -0.6, 0.39, 1.2, 0.66, 0.48, 0.08, 0.52, 0.14, -0.32, 0.04, -0.16,
        ]), tolerance: 2.4e-05),
    OperatorCase(
      "a transposed convolution over three axes", ConvTranspose.self,
      ["strides": .ints([1, 2, 2])],
      [
        .runtime(
          TensorBuffer(
            [1, 2, 1, 2, 2],
            [
              -1.7, -0.2, -1, 0.5, -1.3, 0.3, -0.1, -0.2,
            ])),
        .runtime(
          TensorBuffer(
            [2, 1, 2, 2, 2],
            [
              1.5, -0.4, 0.9, -1.6, -1.2, 0.4, -1.9, 1.9, -1.8, 0.7, -0.3, 1.2, -0.6, 1.9, 0.7,
              -1.8,
            ])),
        .runtime(TensorBuffer([1], [-1.7])),
      ],
      expected: TensorBuffer(
        [1, 1, 2, 4, 4],
        [
          -1.91, -1.93, -2.54, -1.41, -2.84, -0.54, -1.97, -1.02, -3.02, -1.37, -0.59, -2.04,
          -2.57, -0.22, -1.19, -2.74, 1.12, -4.85, -1.64, -1.21, 0.62, -2.59, -1.11, -2.62,
          -0.44, -2.29, -2.18, -1.88, 0.13, -3.42, -2.79, -0.39,
        ]), tolerance: 9.7e-05),
    OperatorCase(
      "matrices of long integers", MatMul.self, [:],
      [
        .runtime(TensorBuffer(.int64, [1, 3], [1, 2, 3] as [Int64])),
        .runtime(TensorBuffer(.int64, [3, 1], [1, -2, 4] as [Int64])),
      ],
      expected: TensorBuffer(.int64, [1, 1], [9] as [Int64])),
    OperatorCase(
      "integer matrices in a batch", MatMul.self, [:],
      [
        .runtime(
          TensorBuffer(
            .int32, [2, 2, 3],
            [
              -54, -63, 95, 47, 76, 17, -93, 4, 45, 102, -30, -99,
            ] as [Int32])),
        .runtime(TensorBuffer(.int32, [3, 2], [-57, -78, -47, 16, 34, 16] as [Int32])),
      ],
      expected: TensorBuffer(
        .int32, [2, 2, 2],
        [
          9269, 4724, -5673, -2178, 6643, 8038, -7770, -10020,
        ] as [Int32])),
    OperatorCase(
      "integers transposed and added", Gemm.self,
      [
        "transA": .int(1),
        "transB": .int(1),
        "beta": .float(2),
      ],
      [
        .runtime(TensorBuffer(.int32, [3, 2], [-124, 122, -56, 122, -121, 22] as [Int32])),
        .runtime(TensorBuffer(.int32, [2, 3], [52, 66, 83, 50, -74, -94] as [Int32])),
        .runtime(TensorBuffer(.int32, [2], [38, 26] as [Int32])),
      ],
      expected: TensorBuffer(.int32, [2, 2], [-20111, 9370, 16298, -4944] as [Int32])),
    OperatorCase(
      "offsets between pixels", DeformConv.self, ["group": .int(2)],
      [
        .runtime(
          TensorBuffer(
            [1, 2, 3, 3],
            [
              -0.1, -0.8, -1.6, -0.6, -0.7, -1.4, -1.9, -2, 0.5, 1.4, 0.6, 0.9, -0.8, 1, 1.1,
              -0.9, -2, -0.3,
            ])),
        .runtime(TensorBuffer([2, 1, 2, 2], [1.6, -1.3, -1, 0.4, 1.6, -1.3, -1, 0.4])),
        .runtime(
          TensorBuffer(
            [1, 8, 2, 2],
            [
              -0.5, 0.75, -0.125, 0.625, -0.625, 0.875, -0.375, -0.5, -0.125, 0.375, -0.375,
              -0.75, 0.625, 0.125, 0.875, -0.875, 0.5, 0.125, 0.5, 0.125, -0.875, -0.375, -0.125,
              -0.375, -0.375, 0.5, -0.875, 0, 1, -0.25, -1, -0.875,
            ])),
        .runtime(TensorBuffer([2], [1.9, -0.9])),
        .runtime(
          TensorBuffer(
            [1, 4, 2, 2],
            [
              -0.9, 1.4, -1, 1.9, -1.5, -0.5, -0.1, 1.5, 0.3, 1.5, 1.8, -1.2, 1, -0.9, 1.8, 0.8,
            ])),
      ],
      expected: TensorBuffer(
        [1, 2, 2, 2],
        [
          -0.83425, -0.531843, 3.20498, -3.44647, 0.507547, 1.77262, -0.120844, -7.20581,
        ]), tolerance: 0.00014),
    OperatorCase(
      "attention under a causal mask", Attention.self,
      ["is_causal": .int(1), "softcap": .float(1.5)], version: 25,
      [
        .runtime(
          TensorBuffer(
            [1, 2, 2, 4],
            [
              0, -0.8, 0.6, 1.9, -1.5, -0.6, 1.4, 0.9, 0.3, 0.8, -0.5, -1.2, -0.7, 1.5, -1.2, -0.7,
            ])),
        .runtime(
          TensorBuffer(
            [1, 1, 3, 4],
            [
              -1.8, -1.6, 0.3, -1.8, 1.2, -0.2, 0.5, 0.5, 2, -0.9, -0.9, 1.4,
            ])),
        .runtime(TensorBuffer([1, 1, 3, 2], [0.3, -1, -1.9, 1.4, -1.3, -1.9])),
        .runtime(TensorBuffer([2, 3], [1.9, -1, -1.9, -1.4, -0.5, -0.2])),
      ],
      expected: TensorBuffer(
        [1, 2, 2, 2],
        [
          0.3, -1, -0.596196, -0.0223314, 0.3, -1, -0.863933, 0.269745,
        ]), tolerance: 2e-05),
    OperatorCase(
      "a query that may see nothing", Attention.self, [:], version: 25,
      [
        .runtime(TensorBuffer([1, 1, 2, 2], [0, -0.6, 0.6, -0.4])),
        .runtime(TensorBuffer([1, 1, 2, 2], [-0.4, 1.4, 0, 0.3])),
        .runtime(TensorBuffer([1, 1, 2, 2], [-0.9, 0.4, 0.7, -0.5])),
        .runtime(TensorBuffer(.bool, [2, 2], [1, 0, 0, 0] as [UInt8])),
      ],
      expected: TensorBuffer([1, 1, 2, 2], [-0.9, 0.4, 0, 0]), tolerance: 2e-05),
    OperatorCase(
      "attention behind a cache", Attention.self,
      [
        "q_num_heads": .int(2),
        "kv_num_heads": .int(2),
        "scale": .float(0.3),
        "left_window_size": .int(1),
      ], version: 25,
      [
        .runtime(TensorBuffer([1, 1, 4], [-0.2, 1.3, -0.8, 0])),
        .runtime(TensorBuffer([1, 1, 4], [-1.7, 1, -1.4, 1.7])),
        .runtime(TensorBuffer([1, 1, 4], [-0.6, 0.5, 0.9, -0.3])),
        .absent,
        .runtime(TensorBuffer([1, 2, 2, 2], [-1.2, -1, 0.7, 1.7, 1.6, 1.1, 1.3, 1.2])),
        .runtime(TensorBuffer([1, 2, 2, 2], [-0.6, -1.1, 1.6, -0.3, 0.6, 1.6, 1.3, -1])),
      ],
      expected: TensorBuffer([1, 1, 4], [0.570852, 0.0742357, 1.03738, -0.540408]),
      tolerance: 2.1e-05),
    OperatorCase(
      "keys that do not count", Attention.self, ["is_causal": .int(1)], version: 25,
      [
        .runtime(TensorBuffer([2, 1, 1, 2], [1.8, 1.3, -2, 0.2])),
        .runtime(
          TensorBuffer(
            [2, 1, 3, 2],
            [
              -2, -1.2, 0.6, -0.5, 0.4, -1.7, -1.5, 0.7, -1.2, 0.9, -1.1, -1.9,
            ])),
        .runtime(
          TensorBuffer(
            [2, 1, 3, 2],
            [
              -1.9, -0.8, -1.9, 1.1, -1.8, -1.2, 0.6, 0.2, 0.4, 1.3, 0.6, 0.3,
            ])),
        .absent,
        .absent,
        .absent,
        .runtime(TensorBuffer(.int64, [2], [1, 3] as [Int64])),
      ],
      expected: TensorBuffer([2, 1, 1, 2], [-1.9, -0.8, 0.534856, 0.577325]), tolerance: 3.8e-05),
    OperatorCase(
      "rotation by halves", RotaryEmbedding.self,
      [
        "num_heads": .int(2),
        "rotary_embedding_dim": .int(2),
      ], version: 23,
      [
        .runtime(
          TensorBuffer(
            [1, 2, 8],
            [
              -0.9, -1.5, 1.9, 1.7, 0.7, 1, 0, 0.3, 0.8, -0.7, -0.2, 0.3, 1.4, -0.4, -1.9, -1.6,
            ])),
        .runtime(TensorBuffer([4, 1], [-1.7, -1.5, 1.3, -1.9])),
        .runtime(TensorBuffer([4, 1], [0.9, -1.4, -1.1, -1])),
        .runtime(TensorBuffer(.int64, [1, 2], [3, 1] as [Int64])),
      ],
      expected: TensorBuffer(
        [1, 2, 8],
        [
          0.21, 3.75, 1.9, 1.7, -0.33, -2.6, 0, 0.3, -2.18, -0.0700001, -0.2, 0.3, -2.66, -1.36,
          -1.9, -1.6,
        ]), tolerance: 7.5e-05),
    OperatorCase(
      "a gate", SwiGLU.self, ["alpha": .float(0.5)], version: 28,
      [
        .runtime(TensorBuffer([2, 3], [0.1, 0.6, 0.4, 0.3, -1.5, 0.4])),
        .runtime(TensorBuffer([2, 3], [-1.7, 1.3, -1.8, -1.7, -1.3, -0.5])),
      ],
      expected: TensorBuffer(
        [2, 3],
        [
          -0.0871246, 0.448065, -0.39588, -0.274089, 0.625601, -0.109967,
        ]), tolerance: 2e-05),
    OperatorCase(
      "a causal convolution with a state", CausalConvWithState.self,
      ["activation": .string("silu")], version: 27,
      [
        .runtime(TensorBuffer([1, 2, 3], [1.4, -1.7, -1.3, -0.3, -1.1, -1.7])),
        .runtime(TensorBuffer([2, 1, 3], [0.2, -1.8, 0.9, -1.6, -0.2, -0.5])),
        .runtime(TensorBuffer([2], [1, 1.1])),
        .runtime(TensorBuffer([1, 2, 2], [-0.1, -0.9, 1.5, 1])),
      ],
      expected: TensorBuffer(
        [1, 2, 3],
        [
          3.78036, -0.122909, 3.04222, -0.277925, 0.058022, 2.47513,
        ]), tolerance: 7.6e-05),
    OperatorCase(
      "linear attention, linear", LinearAttention.self,
      [
        "q_num_heads": .int(2),
        "kv_num_heads": .int(1),
        "update_rule": .string("linear"),
      ], version: 27,
      [
        .runtime(
          TensorBuffer(
            [1, 2, 4],
            [
              -1, -1.1, 1.6, -0.9, -1.5, -0.1, 0.3, -1.7,
            ])),
        .runtime(TensorBuffer([1, 2, 2], [1.8, -0.2, 0.6, 0.3])),
        .runtime(TensorBuffer([1, 2, 3], [1.7, 1.3, -0.4, -1.8, 0.5, 1.2])),
        .runtime(TensorBuffer([1, 1, 2, 3], [1.4, 0.3, 0.2, 0.3, -1.4, -1.8])),
      ],
      expected: TensorBuffer(
        [1, 2, 6],
        [
          -3.12258, -0.575585, 1.70554, 5.07137, 4.04324, 0.506288, -3.54402, -3.01157,
          -0.115966, 1.41421, 2.43881, 1.67726,
        ]), tolerance: 0.0001),
    OperatorCase(
      "linear attention, gated", LinearAttention.self,
      [
        "q_num_heads": .int(2),
        "kv_num_heads": .int(1),
        "update_rule": .string("gated"),
      ], version: 27,
      [
        .runtime(TensorBuffer([1, 2, 4], [-0.1, 1.6, -0.8, -0.9, 2, 0.2, -1.7, 0.2])),
        .runtime(TensorBuffer([1, 2, 2], [-1.9, 1.7, 1.2, 0.4])),
        .runtime(TensorBuffer([1, 2, 3], [2, 2, -0.5, -1.1, -0.9, 0.7])),
        .runtime(TensorBuffer([1, 1, 2, 3], [-1, 0.3, 0, 0.1, 1.2, 0.5])),
        .runtime(TensorBuffer([1, 2, 1], [-0.2, -0.2])),
      ],
      expected: TensorBuffer(
        [1, 2, 6],
        [
          4.26588, 5.20954, -0.565696, 0.396898, -0.77833, -0.256983, -6.87368, -5.18631,
          2.27649, 6.47334, 5.25292, -1.95614,
        ]), tolerance: 0.00014),
    OperatorCase(
      "linear attention, delta", LinearAttention.self,
      [
        "q_num_heads": .int(2),
        "kv_num_heads": .int(1),
        "update_rule": .string("delta"),
      ], version: 27,
      [
        .runtime(
          TensorBuffer(
            [1, 2, 4],
            [
              -0.4, -0.7, 1.3, 0.6, -0.5, -1.7, 1.3, -0.1,
            ])),
        .runtime(TensorBuffer([1, 2, 2], [1.2, -0.2, 0.6, -1.2])),
        .runtime(TensorBuffer([1, 2, 3], [-1.3, 0.3, 1, 0.7, 0.8, -1.5])),
        .runtime(TensorBuffer([1, 1, 2, 3], [1.1, -0.8, 0.2, -1.8, -1.5, 0.4])),
        .absent,
        .runtime(TensorBuffer([1, 2, 1], [1.9, -1.7])),
      ],
      expected: TensorBuffer(
        [1, 2, 6],
        [
          1.94106, 0.530217, -0.638263, -5.51775, 0.485471, 1.97865, -4.11903, 6.50079, 4.74418,
          -8.77428, 3.86548, 4.8296,
        ]), tolerance: 0.00018),
    OperatorCase(
      "linear attention, gated_delta", LinearAttention.self,
      [
        "q_num_heads": .int(2),
        "kv_num_heads": .int(1),
        "update_rule": .string("gated_delta"),
      ], version: 27,
      [
        .runtime(
          TensorBuffer(
            [1, 2, 4],
            [
              -1.3, -1.1, 0.9, -0.2, 1.2, -0.2, 1.7, -1.9,
            ])),
        .runtime(TensorBuffer([1, 2, 2], [0.3, 1.8, 1, -1.1])),
        .runtime(TensorBuffer([1, 2, 3], [-1.3, 0.5, -1.6, -1.1, 0.1, 0.4])),
        .runtime(TensorBuffer([1, 1, 2, 3], [1.6, -0.6, -1.1, -0.7, 0.3, -0.1])),
        .runtime(TensorBuffer([1, 2, 1], [-1.9, -0.4])),
        .runtime(TensorBuffer([1, 2, 1], [1.1, 0.4])),
      ],
      expected: TensorBuffer(
        [1, 2, 6],
        [
          2.04285, -0.774862, 2.97174, 0.24994, -0.0946891, 0.00407767, -0.979937, 0.24429,
          -0.649736, -0.922731, 0.00995934, 0.704568,
        ]), tolerance: 5.9e-05),
  ]
}
