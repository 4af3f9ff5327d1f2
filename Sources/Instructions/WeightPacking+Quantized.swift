import Tensors

/// Packs 8-bit weights: panels of 16 columns, `[N/16][K/4][16][4]`. A run whose length is no
/// multiple of 4 gets zeros behind it. The order of K is that of the float weights.
extension WeightPacking {
  /// Packs the weights of a `convolution_int8`.
  ///
  /// - Parameters:
  ///   - weights: ONNX order: `[Cout, Cin / groups, kh, kw]`
  ///   - shape: the four extents of `weights`
  ///   - dilations: those of the instruction (they decide the order of K)
  /// - Returns: `groups` times the panels of `Cout / groups` columns, K ordered ky, kx, c.
  package static func convolution(
    quantized weights: [Int8], shape: Shape, groups: Int = 1, dilations: [Int] = [1, 1]
  ) -> TensorBuffer {
    let (columns, channels) = (shape[0] / groups, shape[1])
    let (height, width) = (shape[2], shape[3])
    let runs = convolutionRuns(
      channelsPerGroup: channels, kernel: [height, width], groups: groups, dilations: dilations,
      type: .int8)
    return packBytes(groups: groups, columns: columns, runs: runs) { group, run, at, column in
      let step = run * runs.length + at  // over ky, kx, c
      let (tap, channel) = (step / channels, step % channels)
      return weights[((group * columns + column) * channels + channel) * height * width + tap]
    }
  }

  /// Packs the constant factor of a `matrix_multiply_int8`.
  ///
  /// - Parameter matrix: `batch` matrices, each `[depth, columns]`, or `[columns, depth]` if
  ///   transposed
  package static func matrix(
    quantized matrix: [Int8], batch: Int = 1, depth: Int, columns: Int, transposed: Bool = false
  ) -> TensorBuffer {
    let runs = Runs(count: 1, length: depth, type: .int8)
    return packBytes(groups: batch, columns: columns, runs: runs) { item, _, k, column in
      let inner = transposed ? column * depth + k : k * columns + column
      return matrix[item * depth * columns + inner]
    }
  }

  /// The channels that packed depthwise weights keep together.
  static let depthwiseBlock = 64

  /// The shape of packed depthwise weights: blocks of channels, groups of 4 kernel rows, kernel
  /// columns, and what a block has in a column of a group.
  static func depthwiseShape(kernel: [Int], channels: Int) -> Shape {
    [
      (channels + depthwiseBlock - 1) / depthwiseBlock, (kernel[0] + 3) / 4, kernel[1],
      4 * depthwiseBlock,
    ]
  }

  /// Packs the weights of a `depthwise_convolution_int8`: ONNX `[C, 1, kh, kw]` to
  /// `[C/64][kh/4][kw][256]`, zeros where there is no channel or no kernel row.
  ///
  /// Of the 256 weights, that of channel c and kernel row r is at `[c/4 % 4][c/16][c % 4][r]`,
  /// which is the order that bytes of image rows get by unpacking (`depthwise8.h`).
  package static func depthwise(quantized weights: [Int8], shape: Shape) -> TensorBuffer {
    let (channels, height, width) = (shape[0], shape[2], shape[3])
    let target = depthwiseShape(kernel: [height, width], channels: channels)
    var packed = [Int8](repeating: 0, count: target.elementCount)
    for channel in 0..<channels {
      let (block, c) = channel.quotientAndRemainder(dividingBy: depthwiseBlock)
      let place = c / 4 % 4 * 64 + c / 16 * 16 + c % 4 * 4
      for y in 0..<height {
        for x in 0..<width {
          let column = (block * target[1] + y / 4) * width + x
          packed[column * 4 * depthwiseBlock + place + y % 4] =
            weights[(channel * height + y) * width + x]
        }
      }
    }
    return TensorBuffer(.int8, target, packed)
  }

  /// Packs the weights of a `transposed_convolution_int8`.
  ///
  /// - Parameters:
  ///   - weights: ONNX order: `[Cin, Cout / groups, kh, kw]`
  ///   - strides, dilations: those of the instruction (they decide the order of taps)
  /// - Returns: `groups` times the panels of `Cout / groups` columns; K is ordered by taps as
  ///   `TransposedPhase` orders them, then by the channels of the group.
  package static func transposedConvolution(
    quantized weights: [Int8], shape: Shape, groups: Int = 1, strides: [Int],
    dilations: [Int] = [1, 1]
  ) -> TensorBuffer {
    let (channels, columns) = (shape[0] / groups, shape[1])
    let (height, width) = (shape[2], shape[3])
    let taps = TransposedPhase.all(
      kernel: [height, width], strides: strides, dilations: dilations
    ).flatMap(\.taps)
    let runs = Runs(count: taps.count, length: channels, type: .int8)
    return packBytes(groups: groups, columns: columns, runs: runs) { group, run, channel, column in
      let row = (group * channels + channel) * columns + column
      return weights[(row * height + taps[run].ky) * width + taps[run].kx]
    }
  }

  /// The sums of a transposed convolution's weights over the taps of each phase, which its offsets
  /// need: `[strideY · strideX][Cout]`, phases as `TransposedPhase.all` orders them.
  package static func transposedSums(
    quantized weights: [Int8], shape: Shape, groups: Int = 1, strides: [Int],
    dilations: [Int] = [1, 1]
  ) -> [[Int32]] {
    let (channels, columns) = (shape[0] / groups, shape[1])
    let (height, width) = (shape[2], shape[3])
    let phases = TransposedPhase.all(
      kernel: [height, width], strides: strides, dilations: dilations)
    return phases.map { phase in
      (0..<groups * columns).map { output in
        let (group, column) = (output / columns, output % columns)
        var sum: Int32 = 0
        for channel in 0..<channels {
          let row = (group * channels + channel) * columns + column
          for tap in phase.taps {
            sum &+= Int32(weights[(row * height + tap.ky) * width + tap.kx])
          }
        }
        return sum
      }
    }
  }

  /// Fills panels; `element(group, run, index in run, column)` gives a weight.
  private static func packBytes(
    groups: Int, columns: Int, runs: Runs, element: (Int, Int, Int, Int) -> Int8
  ) -> TensorBuffer {
    let panels = panelCount(columns: columns)
    var packed = [Int8](repeating: 0, count: groups * panels * runs.depth * panelWidth)
    for group in 0..<groups {
      for column in 0..<columns {
        let panel = group * panels + column / panelWidth
        let start = panel * runs.depth * panelWidth + column % panelWidth * 4
        for run in 0..<runs.count {
          for index in 0..<runs.length {
            let k = run * runs.paddedLength + index
            packed[start + k / 4 * 4 * panelWidth + k % 4] = element(group, run, index, column)
          }
        }
      }
    }
    return TensorBuffer(
      .int8, shape(panels: groups * panels, depth: runs.depth, type: .int8), packed)
  }
}
