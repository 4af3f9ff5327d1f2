import Kernels
import Tensors

@testable import Instructions

extension ExactnessTests {
  static let convolutions: [Case] =
    (0..<40).map { seed in
      Case("convolution \(seed)") { rig, g in
        var own = SeededGenerator(seed: UInt64(seed) + 900)
        let c = ConvolutionCase.random(&own)
        var convolution = Convolution()
        let shape: Shape = [c.columns, c.channels / c.groups, c.kernel[0], c.kernel[1]]
        convolution.x = random(rig, &g, [c.batch, c.height, c.width, c.channels])
        convolution.weights = rig.constant(
          WeightPacking.convolution(
            g.floats(shape.elementCount), shape: shape, groups: c.groups, dilations: c.dilations,
            as: .float32))
        convolution.bias = random(rig, &g, [c.columns])
        let result: Shape = [c.batch, c.outputHeight, c.outputWidth, c.columns]
        if seed % 2 == 0 { convolution.residual = random(rig, &g, result) }
        convolution.y = rig.tensor(.float32, result)
        (convolution.kernel, convolution.strides) = (c.kernel, c.strides)
        (convolution.pads, convolution.dilations) = (c.pads, c.dilations)
        convolution.groups = c.groups
        convolution.activation = seed % 3 == 0 ? Activation(.swish, alpha: 1) : .relu
        return (convolution, [convolution.y])
      }
    }
    + [3, 5, 4].flatMap { size in
      [1, 2].flatMap { stride in
        [7, 16, 35].map { channels in
          Case("depthwise \(size) every \(stride) of \(channels)") { rig, g in
            var depthwise = DepthwiseConvolution()
            depthwise.x = random(rig, &g, [2, 13, 21, channels])
            depthwise.weights = rig.constant(
              WeightPacking.depthwise(
                g.floats(channels * size * size), shape: [channels, 1, size, size]))
            depthwise.bias = random(rig, &g, [channels])
            let pad = size / 2
            let height = (13 + 2 * pad - size) / stride + 1
            let width = (21 + 2 * pad - size) / stride + 1
            depthwise.y = rig.tensor(.float32, [2, height, width, channels])
            (depthwise.kernel, depthwise.strides) = ([size, size], [stride, stride])
            (depthwise.pads, depthwise.dilations) = ([pad, pad, pad, pad], [1, 1])
            depthwise.activation =
              channels == 16 ? .relu : Activation(.hardSwish, alpha: 1 / 6, beta: 0.5)
            return (depthwise, [depthwise.y])
          }
        }
      }
    }
    + [1, 2].map { groups in
      Case("transposed convolution in \(groups) groups") { rig, g in
        let c = TransposedConvolutionTests.Case(
          batch: 2, channels: 6, columns: 34, kernel: [3, 4], pads: [1, 1, 1, 1], groups: groups)
        let shape: Shape = [c.channels, c.columns / groups, 3, 4]
        var transposed = TransposedConvolution()
        transposed.x = random(rig, &g, [c.batch, c.height, c.width, c.channels])
        transposed.weights = rig.constant(
          WeightPacking.transposedConvolution(
            g.floats(shape.elementCount), shape: shape, groups: groups, strides: c.strides,
            dilations: c.dilations, as: .float32))
        transposed.bias = random(rig, &g, [c.columns])
        transposed.y = rig.tensor(
          .float32, [c.batch, c.extent(c.height, 0), c.extent(c.width, 1), c.columns])
        (transposed.kernel, transposed.strides) = (c.kernel, c.strides)
        (transposed.pads, transposed.dilations) = ([1, 1], c.dilations)
        transposed.groups = groups
        return (transposed, [transposed.y])
      }
    }
    + [
      Case("convolution of three axes") { rig, g in
        var convolution = ConvolutionND()
        convolution.x = random(rig, &g, [1, 4, 6, 5, 4])
        convolution.weights = rig.constant(
          WeightPacking.convolutionND(g.floats(6 * 2 * 27), shape: [6, 2, 3, 3, 3]))
        convolution.bias = random(rig, &g, [6])
        convolution.y = rig.tensor(.float32, [1, 4, 6, 5, 6])
        (convolution.strides, convolution.dilations) = ([1, 1, 1], [1, 1, 1])
        (convolution.pads, convolution.groups) = ([1, 1, 1], 2)
        return (convolution, [convolution.y])
      },
      Case("direct convolution, transposed") { rig, g in
        var convolution = DirectConvolution()
        convolution.x = random(rig, &g, [1, 2, 3, 4, 4])
        convolution.weights = random(rig, &g, [2, 3, 3, 2, 6])
        convolution.bias = random(rig, &g, [6])
        convolution.y = rig.tensor(.float32, [1, 3, 5, 7, 6])
        (convolution.strides, convolution.dilations) = ([1, 2, 2], [1, 1, 1])
        (convolution.pads, convolution.groups) = ([0, 1, 1], 2)
        convolution.isTransposed = true
        return (convolution, [convolution.y])
      },
      Case("deformed convolution") { rig, g in
        var convolution = DeformedConvolution()
        convolution.x = random(rig, &g, [2, 4, 6, 5])
        convolution.weights = random(rig, &g, [6, 2, 3, 3])
        convolution.offset = random(rig, &g, [2, 36, 6, 5])
        convolution.mask = random(rig, &g, [2, 18, 6, 5])
        convolution.bias = random(rig, &g, [6])
        convolution.y = rig.tensor(.float32, [2, 6, 6, 5])
        (convolution.pads, convolution.groups, convolution.offsetGroups) = ([1, 1], 2, 2)
        return (convolution, [convolution.y])
      },
      Case("linear recurrence") { rig, g in
        var layer = LinearRecurrence()
        layer.q = random(rig, &g, [2, 5, 4 * 3], scale: 0.5)
        layer.k = random(rig, &g, [2, 5, 2 * 3], scale: 0.5)
        layer.v = random(rig, &g, [2, 5, 2 * 7])
        layer.decay = random(rig, &g, [2, 5, 2], scale: 0.2)
        layer.beta = random(rig, &g, [2, 5, 1])
        layer.y = rig.tensor(.float32, [2, 5, 4 * 7])
        layer.last = rig.tensor(.float32, [2, 2, 3, 7])
        (layer.queryHeads, layer.keyHeads, layer.scale) = (4, 2, 0.5)
        return (layer, [layer.y, layer.last])
      },
      Case("fold columns") { rig, g in
        var fold = FoldColumns()
        fold.input = random(rig, &g, [2, 3 * 6, 20])
        fold.output = rig.tensor(.float32, [2, 3, 5, 7])
        (fold.block, fold.strides, fold.dilations) = ([2, 3], [1, 1], [1, 1])
        (fold.pads, fold.positions) = ([0, 0], [4, 5])
        return (fold, [fold.output])
      },
    ]

  static let recurrences: [Case] = [
    Recurrence.Cell.plain, .gated, .longShortTerm,
  ].flatMap { cell in
    [5, 32, 71].map { hidden in
      Case("recurrence \(cell) of \(hidden)") { rig, g in
        let gates = cell.gateCount * hidden
        var layer = Recurrence()
        layer.cell = cell
        layer.x = random(rig, &g, [6, 2, 19])
        layer.w = random(rig, &g, [2, 19, gates], scale: 0.3)
        layer.r = random(rig, &g, [2, hidden, gates], scale: 0.3)
        layer.bias = random(rig, &g, [2, 2 * gates])
        layer.y = rig.tensor(.float32, [6, 2, 2, hidden])
        layer.lastH = rig.tensor(.float32, [2, 2, hidden])
        let functions: [Activation.Function] = [.sigmoid, .tanh, .tanh]
        let own = cell == .plain ? [.tanh] : Array(functions.prefix(cell.activationCount))
        layer.activations = (own + own).flatMap { [Int($0.rawValue), 0, 0] }
        return (layer, [layer.y, layer.lastH])
      }
    }
  }

  static let others: [Case] = [
    Case("quantize") { rig, g in
      var quantize = Quantize()
      quantize.input = random(rig, &g, [4, 131])
      quantize.scale = rig.tensor(.float32, [1], [0.013])
      quantize.output = rig.tensor(.uint8, [4, 131])
      return (quantize, [quantize.output])
    },
    Case("dequantize") { rig, g in
      var dequantize = Dequantize()
      dequantize.input = rig.tensor(.uint8, [4, 131], elements: g.bytes(524))
      dequantize.scale = rig.tensor(.float32, [1], [0.013])
      dequantize.output = rig.tensor(.float32, [4, 131])
      return (dequantize, [dequantize.output])
    },
    Case("quantize dynamically") { rig, g in
      var quantize = QuantizeDynamically()
      quantize.input = random(rig, &g, [4, 131])
      quantize.output = rig.tensor(.uint8, [4, 131])
      quantize.scale = rig.tensor(.float32, [1])
      quantize.zeroPoint = rig.tensor(.uint8, [1])
      return (quantize, [quantize.output, quantize.scale, quantize.zeroPoint])
    },
    Case("cast") { rig, g in
      var cast = Cast()
      cast.input = random(rig, &g, [4, 131], scale: 100)
      cast.output = rig.tensor(.int32, [4, 131])
      return (cast, [cast.output])
    },
    Case("scatter and add") { rig, g in
      let updates = random(rig, &g, [9, 40])
      let places = (0..<360).map { Int64($0 * 7 % 5) }
      let indices = rig.tensor(.int64, [9, 40], elements: places)
      let y = random(rig, &g, [5, 40])
      return (ScatterAlongAxis(updates, at: indices, axis: 0, .add, into: y), [y])
    },
  ]
}
