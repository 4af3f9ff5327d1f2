import Graphs
import Tensors
import Testing

@testable import Operators

/// Operators on quantised tensors against ONNX Runtime's numbers.
@Suite struct QuantizedOperatorTests {
  @Test(arguments: QuantizedOperatorTests.cases) func `gives the same numbers`(
    _ example: OperatorCase
  ) throws {
    try example.check()
  }

  static let cases: [OperatorCase] = [
    OperatorCase(
      "a sum", QuantizedOperator<Quantized.QLinearAdd>.self, [:],
      [
        .runtime(TensorBuffer(.uint8, [2, 3], [18, 49, 173, 31, 12, 93] as [UInt8])),
        .runtime(TensorBuffer([], [0.02])),
        .runtime(TensorBuffer(.uint8, [], [12] as [UInt8])),
        .runtime(TensorBuffer(.uint8, [2, 3], [63, 91, 184, 58, 174, 150] as [UInt8])),
        .runtime(TensorBuffer([], [0.03])),
        .runtime(TensorBuffer(.uint8, [], [3] as [UInt8])),
        .runtime(TensorBuffer([], [0.05])),
        .runtime(TensorBuffer(.uint8, [], [7] as [UInt8])),
      ],
      expected: TensorBuffer(.uint8, [2, 3], [45, 75, 180, 48, 110, 128] as [UInt8])),
    OperatorCase(
      "a product under broadcasting", QuantizedOperator<Quantized.QLinearMul>.self, [:],
      [
        .runtime(TensorBuffer(.int8, [2, 3], [-25, -100, -53, -33, 83, -128] as [Int8])),
        .runtime(TensorBuffer([], [0.02])),
        .runtime(TensorBuffer(.int8, [], [12] as [Int8])),
        .runtime(TensorBuffer(.int8, [3], [-58, 63, -121] as [Int8])),
        .runtime(TensorBuffer([], [0.03])),
        .runtime(TensorBuffer(.int8, [], [3] as [Int8])),
        .runtime(TensorBuffer([], [0.05])),
        .runtime(TensorBuffer(.int8, [], [7] as [Int8])),
      ],
      expected: TensorBuffer(.int8, [2, 3], [34, -74, 104, 40, 58, 127] as [Int8])),
    OperatorCase(
      "a sigmoid", QuantizedOperator<Quantized.QLinearSigmoid>.self, [:],
      [
        .runtime(TensorBuffer(.uint8, [7], [147, 63, 119, 5, 61, 207, 245] as [UInt8])),
        .runtime(TensorBuffer([], [0.05])),
        .runtime(TensorBuffer(.uint8, [], [120] as [UInt8])),
        .runtime(TensorBuffer([], [0.004])),
        .runtime(TensorBuffer(.uint8, [], [3] as [UInt8])),
      ],
      expected: TensorBuffer(.uint8, [7], [202, 17, 125, 4, 15, 250, 253] as [UInt8])),
    OperatorCase(
      "a leaky ReLU", QuantizedOperator<Quantized.QLinearLeakyRelu>.self, ["alpha": .float(0.1)],
      [
        .runtime(TensorBuffer(.int8, [7], [-97, 100, 121, 38, -74, 39, -50] as [Int8])),
        .runtime(TensorBuffer([], [0.05])),
        .runtime(TensorBuffer(.int8, [], [12] as [Int8])),
        .runtime(TensorBuffer([], [0.04])),
        .runtime(TensorBuffer(.int8, [], [-7] as [Int8])),
      ],
      expected: TensorBuffer(.int8, [7], [-21, 103, 127, 26, -18, 27, -15] as [Int8])),
    OperatorCase(
      "parts of different scales", QLinearConcat.self, ["axis": .int(1)],
      [
        .runtime(TensorBuffer([], [0.05])),
        .runtime(TensorBuffer(.uint8, [], [12] as [UInt8])),
        .runtime(TensorBuffer(.uint8, [2, 2], [86, 149, 37, 78] as [UInt8])),
        .runtime(TensorBuffer([], [0.04])),
        .runtime(TensorBuffer(.uint8, [], [3] as [UInt8])),
        .runtime(TensorBuffer(.uint8, [2, 1], [241, 97] as [UInt8])),
        .runtime(TensorBuffer([], [0.05])),
        .runtime(TensorBuffer(.uint8, [], [120] as [UInt8])),
      ],
      expected: TensorBuffer(.uint8, [2, 3], [78, 129, 133, 39, 72, 0] as [UInt8])),
    OperatorCase(
      "means of pictures", QuantizedOperator<Quantized.QLinearGlobalAveragePool>.self, [:],
      [
        .runtime(
          TensorBuffer(
            .uint8, [1, 2, 3, 3],
            [
              161, 26, 184, 99, 153, 6, 47, 57, 32, 232, 129, 71, 62, 69, 62, 173, 139, 226,
            ] as [UInt8])),
        .runtime(TensorBuffer([], [0.05])),
        .runtime(TensorBuffer(.uint8, [], [12] as [UInt8])),
        .runtime(TensorBuffer([], [0.04])),
        .runtime(TensorBuffer(.uint8, [], [3] as [UInt8])),
      ],
      expected: TensorBuffer(.uint8, [1, 2, 1, 1], [94, 150] as [UInt8])),
    OperatorCase(
      "means under a window", QuantizedOperator<Quantized.QLinearAveragePool>.self,
      [
        "kernel_shape": .ints([2, 2]),
        "strides": .ints([2, 2]),
      ],
      [
        .runtime(
          TensorBuffer(
            .uint8, [1, 1, 4, 4],
            [
              210, 75, 82, 96, 213, 182, 114, 202, 159, 157, 187, 45, 167, 46, 25, 194,
            ] as [UInt8])),
        .runtime(TensorBuffer([], [0.05])),
        .runtime(TensorBuffer(.uint8, [], [12] as [UInt8])),
        .runtime(TensorBuffer([], [0.04])),
        .runtime(TensorBuffer(.uint8, [], [3] as [UInt8])),
      ],
      expected: TensorBuffer(.uint8, [1, 1, 2, 2], [201, 142, 153, 129] as [UInt8])),
    OperatorCase(
      "a softmax", QuantizedOperator<Quantized.QLinearSoftmax>.self,
      ["opset": .int(13), "axis": .int(-1)],
      [
        .runtime(
          TensorBuffer(
            .int8, [2, 5],
            [
              -119, 52, -74, 101, -119, 71, 106, -21, 122, -94,
            ] as [Int8])),
        .runtime(TensorBuffer([], [0.05])),
        .runtime(TensorBuffer(.int8, [], [12] as [Int8])),
        .runtime(TensorBuffer([], [0.00390625])),
        .runtime(TensorBuffer(.int8, [], [-128] as [Int8])),
      ],
      expected: TensorBuffer(
        .int8, [2, 5],
        [
          -128, -108, -128, 108, -128, -115, -53, -128, 40, -128,
        ] as [Int8])),
    OperatorCase(
      "a choice", QLinearWhere.self, [:],
      [
        .runtime(TensorBuffer(.bool, [3], [1, 0, 1] as [UInt8])),
        .runtime(TensorBuffer(.uint8, [3], [220, 227, 58] as [UInt8])),
        .runtime(TensorBuffer([], [0.05])),
        .runtime(TensorBuffer(.uint8, [], [12] as [UInt8])),
        .runtime(TensorBuffer(.uint8, [3], [178, 191, 147] as [UInt8])),
        .runtime(TensorBuffer([], [0.04])),
        .runtime(TensorBuffer(.uint8, [], [3] as [UInt8])),
        .runtime(TensorBuffer([], [0.06])),
        .runtime(TensorBuffer(.uint8, [], [7] as [UInt8])),
      ],
      expected: TensorBuffer(.uint8, [3], [180, 132, 45] as [UInt8])),
    OperatorCase(
      "a factor quantised by its range", DynamicQuantizeMatMul.self, [:],
      [
        .runtime(
          TensorBuffer(
            [2, 4],
            [
              -1.9, 0.7, -1.7, -0.5, -0.9, -0.6, 2, 0.3,
            ])),
        .constant(
          TensorBuffer(
            .int8, [4, 3],
            [
              -41, -5, 54, 53, 76, 111, 101, 88, 28, -29, -30, -33,
            ] as [Int8])),
        .constant(TensorBuffer([3], [0.02, 0.03, 0.01])),
        .constant(TensorBuffer(.int8, [3], [1, -2, 3] as [Int8])),
        .runtime(TensorBuffer([3], [-0.2, 1.8, 0.7])),
      ],
      expected: TensorBuffer(
        [2, 3],
        [
          -0.967765, -0.542753, 0.249894, 3.76118, 5.63806, -0.0136236,
        ]), tolerance: 0.00011),
    OperatorCase(
      "integers to floats", MatMulIntegerToFloat.self, [:],
      [
        .runtime(TensorBuffer(.uint8, [2, 4], [101, 202, 204, 38, 23, 112, 115, 11] as [UInt8])),
        .runtime(
          TensorBuffer(
            .int8, [4, 3],
            [
              4, 25, 79, 21, 96, -14, -89, 57, 29, -5, 33, -72,
            ] as [Int8])),
        .runtime(TensorBuffer([], [0.03])),
        .runtime(TensorBuffer([3], [0.01, 0.02, 0.03])),
        .runtime(TensorBuffer(.uint8, [], [100] as [UInt8])),
        .runtime(TensorBuffer(.int8, [3], [1, -2, 3] as [Int8])),
        .runtime(TensorBuffer([3], [-1.4, -0.7, 1.4])),
      ],
      expected: TensorBuffer(
        [2, 3],
        [
          -3.4835, 7.6934, 6.5264, -1.6421, -2.5798, 2.3081,
        ]), tolerance: 0.00015),
    OperatorCase(
      "a Gemm with a bias", QGemm.self, ["transB": .int(1), "alpha": .float(1)],
      [
        .runtime(TensorBuffer(.uint8, [2, 4], [209, 141, 68, 246, 249, 47, 175, 134] as [UInt8])),
        .runtime(TensorBuffer([], [0.02])),
        .runtime(TensorBuffer(.uint8, [], [100] as [UInt8])),
        .constant(
          TensorBuffer(
            .int8, [3, 4],
            [
              93, -46, -4, 36, 38, 27, -61, 3, 105, -45, -70, 1,
            ] as [Int8])),
        .constant(TensorBuffer([3], [0.1, 0.2, 0.3])),
        .constant(TensorBuffer(.int8, [3], [0, 0, 0] as [Int8])),
        .constant(TensorBuffer(.int32, [3], [100, -200, 300] as [Int32])),
        .runtime(TensorBuffer([], [0.9])),
        .runtime(TensorBuffer(.uint8, [], [9] as [UInt8])),
      ],
      expected: TensorBuffer(.uint8, [2, 3], [40, 42, 91, 47, 7, 96] as [UInt8])),
    OperatorCase(
      "integer matrices", MatMulInteger.self, [:],
      [
        .runtime(TensorBuffer(.uint8, [2, 3], [118, 95, 255, 228, 26, 118] as [UInt8])),
        .runtime(TensorBuffer(.int8, [3, 2], [35, -7, 120, -62, 109, -64] as [Int8])),
        .runtime(TensorBuffer(.uint8, [], [100] as [UInt8])),
        .runtime(TensorBuffer(.int8, [2], [1, -2] as [Int8])),
      ],
      expected: TensorBuffer(.int32, [2, 2], [16757, -9400, -2510, 2684] as [Int32])),
    OperatorCase(
      "long integer sums", MatMulInteger.self, [:],
      [
        .runtime(
          TensorBuffer(
            .uint8, [1, 300],
            [
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
            ] as [UInt8])),
        .runtime(
          TensorBuffer(
            .uint8, [300, 1],
            [
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
              255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
            ] as [UInt8])),
      ],
      expected: TensorBuffer(.int32, [1, 1], [19_507_500] as [Int32])),
    OperatorCase(
      "an integer convolution with padding", ConvInteger.self, ["pads": .ints([1, 1, 0, 0])],
      [
        .runtime(
          TensorBuffer(
            .uint8, [1, 2, 3, 3],
            [
              225, 244, 65, 80, 25, 222, 42, 152, 84, 251, 165, 42, 196, 241, 145, 197, 183, 145,
            ] as [UInt8])),
        .runtime(
          TensorBuffer(
            .uint8, [2, 2, 2, 2],
            [
              206, 181, 45, 184, 142, 114, 153, 162, 31, 58, 198, 5, 29, 173, 49, 121,
            ] as [UInt8])),
        .runtime(TensorBuffer(.uint8, [], [100] as [UInt8])),
        .runtime(TensorBuffer(.uint8, [], [17] as [UInt8])),
      ],
      expected: TensorBuffer(
        .int32, [1, 2, 3, 3],
        [
          42770, 57509, -1383, 45727, 92837, 67950, 10411, 41884, 44420, 14204, 32489, 22532,
          38905, 34622, -13534, 24940, 20407, 29604,
        ] as [Int32])),
    OperatorCase(
      "an integer convolution with known weights", ConvInteger.self, ["group": .int(2)],
      [
        .runtime(
          TensorBuffer(
            .uint8, [1, 2, 3, 3],
            [
              203, 231, 211, 67, 82, 209, 200, 252, 189, 229, 103, 246, 84, 40, 140, 42, 10, 58,
            ] as [UInt8])),
        .constant(TensorBuffer(.uint8, [2, 1, 2, 2], [96, 92, 4, 29, 30, 38, 195, 4] as [UInt8])),
        .runtime(TensorBuffer(.uint8, [], [100] as [UInt8])),
        .constant(TensorBuffer(.uint8, [], [17] as [UInt8])),
      ],
      expected: TensorBuffer(
        .int32, [1, 2, 2, 2],
        [
          18175, 20216, -3433, 5845, -328, -8095, -10622, -15414,
        ] as [Int32])),
    OperatorCase(
      "a convolution with computed scales", QLinearConv.self, [:],
      [
        .runtime(
          TensorBuffer(
            .uint8, [1, 2, 3, 3],
            [
              83, 238, 93, 92, 189, 160, 62, 116, 126, 190, 106, 206, 110, 98, 84, 137, 121, 24,
            ] as [UInt8])),
        .runtime(TensorBuffer([], [0.02])),
        .runtime(TensorBuffer(.uint8, [], [100] as [UInt8])),
        .runtime(
          TensorBuffer(
            .int8, [3, 2, 2, 2],
            [
              -25, -55, -1, -71, 96, -50, 3, -45, 19, 19, -32, -43, 49, -45, -12, 84, -122, -125,
              -7, -127, 15, -114, -75, 93,
            ] as [Int8])),
        .runtime(TensorBuffer([3], [0.1, 0.2, 0.3])),
        .runtime(TensorBuffer(.int8, [3], [0, 0, 0] as [Int8])),
        .runtime(TensorBuffer([], [1.5])),
        .runtime(TensorBuffer(.uint8, [], [120] as [UInt8])),
        .runtime(TensorBuffer(.int32, [3], [100, -200, 300] as [Int32])),
      ],
      expected: TensorBuffer(
        .uint8, [1, 3, 2, 2],
        [
          113, 105, 113, 116, 126, 96, 130, 107, 14, 0, 72, 7,
        ] as [UInt8])),
    OperatorCase(
      "a convolution with weights about 128", QLinearConv.self,
      [
        "strides": .ints([2, 2]),
        "pads": .ints([0, 0, 1, 1]),
      ],
      [
        .runtime(
          TensorBuffer(
            .uint8, [1, 2, 3, 3],
            [
              132, 162, 51, 186, 42, 245, 20, 55, 233, 235, 53, 62, 249, 132, 177, 174, 151, 204,
            ] as [UInt8])),
        .constant(TensorBuffer([], [0.02])),
        .constant(TensorBuffer(.uint8, [], [100] as [UInt8])),
        .constant(
          TensorBuffer(
            .uint8, [2, 2, 2, 2],
            [
              41, 63, 39, 122, 5, 11, 75, 73, 210, 251, 79, 231, 215, 149, 134, 201,
            ] as [UInt8])),
        .constant(TensorBuffer([], [0.1])),
        .constant(TensorBuffer(.uint8, [], [128] as [UInt8])),
        .constant(TensorBuffer([], [1.5])),
        .constant(TensorBuffer(.uint8, [], [120] as [UInt8])),
      ],
      expected: TensorBuffer(
        .uint8, [1, 2, 2, 2], [73, 109, 113, 88, 139, 101, 114, 147] as [UInt8])),
    OperatorCase(
      "a product of quantised matrices", QLinearMatMul.self, [:],
      [
        .runtime(TensorBuffer(.uint8, [2, 3], [25, 230, 48, 84, 218, 251] as [UInt8])),
        .runtime(TensorBuffer([], [0.02])),
        .runtime(TensorBuffer(.uint8, [], [100] as [UInt8])),
        .runtime(TensorBuffer(.int8, [3, 2], [-100, -14, 104, -88, -2, 7] as [Int8])),
        .runtime(TensorBuffer([2], [0.1, 0.2])),
        .runtime(TensorBuffer(.int8, [2], [0, 0] as [Int8])),
        .runtime(TensorBuffer([], [0.5])),
        .runtime(TensorBuffer(.uint8, [], [120] as [UInt8])),
      ],
      expected: TensorBuffer(.uint8, [2, 2], [204, 34, 174, 47] as [UInt8])),
  ]
}
