import Kernels
import Tensors

@testable import Instructions

/// The instructions whose bits `ExactnessTests` compares.
extension ExactnessTests {
  static let cases: [Case] =
    elementwise + reductions + windows + products + convolutions + recurrences + others

  /// A tensor of random numbers.
  static func random(
    _ rig: Rig, _ g: inout SeededGenerator, _ shape: Shape, gap: Int = 0, scale: Float = 3
  ) -> Operand {
    rig.tensor(
      .float32, shape, rowStride: (shape.dimensions.last ?? 1) + gap,
      g.floats(shape.elementCount).map { $0 * scale })
  }

  private static let elementwise: [Case] =
    Activation.Function.allCases.map { function in
      Case("unary \(function)") { rig, g in
        let x = random(rig, &g, [3, 211], gap: 5)
        let y = rig.tensor(.float32, [3, 211])
        return (Unary(x, to: y, Activation(function, alpha: 0.7, beta: 1.5)), [y])
      }
    }
    + Binary.Function.allCases.filter(\.isArithmetic).map { function in
      Case("binary \(function)") { rig, g in
        let a = random(rig, &g, [2, 7, 65])
        let b = random(rig, &g, function == .power ? [1] : [2, 1, 65])
        let y = rig.tensor(.float32, [2, 7, 65])
        let swish = Activation(.swish, alpha: 1)
        return (Binary(function, a, b, to: y, activation: swish), [y])
      }
    }
    + [
      Case("scale and shift") { rig, g in
        let y = rig.tensor(.float32, [9, 83])
        return (
          ScaleShift(
            random(rig, &g, [9, 83]), scale: random(rig, &g, [83]), bias: random(rig, &g, [83]),
            to: y, activation: Activation(.gelu)), [y]
        )
      }
    ]

  private static let reductions: [Case] = reduces + softmaxes + normalizations + sequences

  private static let reduces: [Case] = {
    let shapes: [(Shape, [Int])] = [
      ([3, 1031], [1]), ([2, 9, 33], [1]), ([5, 77, 131], [1, 2]), ([4, 15], [1]), ([2, 70], [0]),
    ]
    var cases: [Case] = []
    for function in Reduce.Function.allCases {
      for (shape, axes) in shapes {
        cases.append(
          Case("reduce \(function) of \(shape) over \(axes)") { rig, g in
            // Products that neither vanish nor overflow; logarithms of something positive.
            let values = g.floats(shape.elementCount).map {
              function == .product ? 1 + 0.02 * $0 : function == .logSum ? 3.5 + 3 * $0 : 3 * $0
            }
            let x = rig.tensor(.float32, shape, values)
            let kept = shape.dimensions.enumerated().filter { !axes.contains($0.offset) }
            let y = rig.tensor(.float32, Shape(kept.map(\.element)))
            return (Reduce(function, x, axes: axes, to: y), [y])
          })
      }
    }
    return cases
  }()

  private static let softmaxes: [Case] = {
    var cases: [Case] = []
    for length in [2, 7, 16, 63, 197, 1024, 2053] {
      for isLogarithmic in [false, true] {
        for inner in [1, 19] {
          cases.append(
            Case("softmax of \(length) by \(inner), \(isLogarithmic)") { rig, g in
              let y = rig.tensor(.float32, [5, length, inner])
              let x = random(rig, &g, [5, length, inner])
              return (Softmax(x, axis: 1, isLogarithmic: isLogarithmic, to: y), [y])
            })
        }
      }
    }
    return cases
  }()

  private static let normalizations: [Case] = {
    var cases: [Case] = []
    for length in [5, 16, 64, 100, 768, 1031] {
      for isRootMeanSquare in [false, true] {
        cases.append(
          Case("normalize \(length), \(isRootMeanSquare)") { rig, g in
            let y = rig.tensor(.float32, [7, length])
            var normalize = Normalize(
              random(rig, &g, [7, length]), axis: 1, scale: random(rig, &g, [length]),
              bias: random(rig, &g, [length]), epsilon: 1e-5, isRootMeanSquare: isRootMeanSquare,
              to: y)
            normalize.mean = rig.tensor(.float32, [7, 1])
            normalize.inverseDeviation = rig.tensor(.float32, [7, 1])
            return (normalize, [y, normalize.mean, normalize.inverseDeviation])
          })
      }
    }
    cases.append(
      Case("normalize groups") { rig, g in
        let y = rig.tensor(.float32, [2, 3, 70])
        var normalize = Normalize(
          random(rig, &g, [2, 3, 70]), axis: 2, scale: random(rig, &g, [6]), epsilon: 1e-3, to: y)
        normalize.period = 3
        normalize.run = 35
        return (normalize, [y])
      })
    return cases
  }()

  private static let sequences: [Case] = [
    Case("expectations") { rig, g in
      let y = rig.tensor(.float32, [2, 3, 37])
      let x = random(rig, &g, [2, 37, 48], gap: 3)
      return (Expectation(x, weights: random(rig, &g, [16]), to: y), [y])
    },
    Case("softmax into bytes") { rig, g in
      let y = rig.tensor(
        .uint8, [9, 197], quantization: Quantization(scale: 1 / 255, zeroPoint: 3),
        elements: nil as [UInt8]?)
      return (Softmax(random(rig, &g, [9, 197]), axis: 1, to: y), [y])
    },
    Case("normalize into bytes") { rig, g in
      let y = rig.tensor(
        .uint8, [9, 203], quantization: Quantization(scale: 0.05, zeroPoint: 120),
        elements: nil as [UInt8]?)
      return (
        Normalize(
          random(rig, &g, [9, 203]), axis: 1, scale: random(rig, &g, [203]),
          bias: random(rig, &g, [203]), epsilon: 1e-5, to: y), [y]
      )
    },
    Case("places of extremes") { rig, g in
      let y = rig.tensor(.int64, [40])
      let x = random(rig, &g, [40, 131])
      return (ArgReduce(x, axis: 1, findsLeast: false, selectsLast: true, to: y), [y])
    },
    Case("cumulative sum") { rig, g in
      let y = rig.tensor(.float32, [3, 211])
      return (CumulativeSum(random(rig, &g, [3, 211]), axis: 1, to: y), [y])
    },
    Case("local response") { rig, g in
      var normalization = LocalResponseNormalization()
      normalization.input = random(rig, &g, [5, 5, 33])
      normalization.output = rig.tensor(.float32, [5, 5, 33])
      (normalization.size, normalization.alpha, normalization.beta) = (5, 1e-2, 0.75)
      return (normalization, [normalization.output])
    },
  ]

  private static let windows: [Case] =
    Pool.Function.allCases.flatMap { function in
      [5, 16, 67].map { channels in
        Case("pool \(function) of \(channels)") { rig, g in
          let x = random(rig, &g, [2, 9, 8, channels])
          let y = rig.tensor(.float32, [2, 5, 4, channels])
          var pool = Pool(
            function, x, to: y, kernel: [3, 3], strides: [2, 2], dilations: [1, 1],
            padsBegin: [1, 1], padsEnd: [1, 0])
          pool.exponent = 3
          return (pool, [y])
        }
      }
    }
    + [Interpolation.Filter.linear, .cubic].flatMap { filter in
      [1, 3, 17].map { inner in
        Case("interpolate \(filter) by \(inner)") { rig, g in
          var resize = Interpolate()
          resize.input = random(rig, &g, [2, 7, 9, inner])
          resize.output = rig.tensor(.float32, [2, 17, 13, inner])
          (resize.axis, resize.filter) = (1, filter)
          resize.parameters = [Float(17.0 / 7), 0, 1, Float(13.0 / 9), 0, 1].map {
            Int($0.bitPattern)
          }
          return (resize, [resize.output])
        }
      }
    }
    + [Interpolation.Filter.linear, .cubic].map { filter in
      Case("sample a grid, \(filter)") { rig, g in
        var sample = SampleGrid()
        sample.input = random(rig, &g, [1, 3, 9, 8])
        sample.grid = random(rig, &g, [1, 6, 11, 2], scale: 1)
        sample.output = rig.tensor(.float32, [1, 3, 6, 11])
        sample.filter = filter
        return (sample, [sample.output])
      }
    }

  static func matrixProduct(
    _ rig: Rig, _ g: inout SeededGenerator, depth: Int, columns: Int = 83, packed: Bool = true
  ) -> Made {
    var product = MatrixMultiply()
    product.a = random(rig, &g, [2, 23, depth])
    let values = g.floats(depth * columns)
    product.b =
      packed
      ? rig.constant(
        WeightPacking.matrix(
          values, batch: 1, depth: depth, columns: columns, transposed: false, as: .float32))
      : rig.tensor(.float32, [depth, columns], values)
    product.packedB = packed
    product.bias = random(rig, &g, [columns])
    product.y = rig.tensor(.float32, [2, 23, columns])
    product.activation = Activation(.geluTanh)
    return (product, [product.y])
  }

  private static let products: [Case] =
    [1, 16, 79, 513].flatMap { depth in
      [1, 17, 64, 83].flatMap { columns in
        [true, false].map { packed in
          Case("product of \(depth) by \(columns), \(packed)") { rig, g in
            matrixProduct(rig, &g, depth: depth, columns: columns, packed: packed)
          }
        }
      }
    }
    + [
      Case("product of heads, scaled, with a residual") { rig, g in
        var product = MatrixMultiply()
        product.a = random(rig, &g, [2, 19, 96])
        product.b = random(rig, &g, [2, 21, 96])
        (product.headsA, product.headsB, product.transposeB) = (4, 4, true)
        product.scale = -0.2041
        product.residual = random(rig, &g, [2, 4, 19, 21])
        product.y = rig.tensor(.float32, [2, 4, 19, 21])
        return (product, [product.y])
      },
      Case("Einstein's sum") { rig, g in
        var sum = SumProducts()
        sum.inputs = [random(rig, &g, [7, 31]), random(rig, &g, [31, 5])]
        sum.output = rig.tensor(.float32, [7, 5])
        (sum.outputRank, sum.extents) = (2, [7, 5, 31])
        sum.strides = [31, 0, 1, 0, 1, 5]
        return (sum, [sum.output])
      },
    ]
}
