import Tensors

/// Packs constant weights into the layout that kernels read on every ISA.
///
/// A packed matrix [K, N] is a row of panels of 16 columns, zero-filled past N: float32
/// `[N/16][K][16]`, bfloat16 `[N/16][K/2][16][2]`, int8 `[N/16][K/4][16][4]`. K is made of equal
/// *runs* (stretches of the input that lie together); a run of bfloat16 or int8 gets zeros behind
/// it up to a multiple of 2 or 4.
package enum WeightPacking {
  /// The columns of a panel.
  package static let panelWidth = 16

  /// How the K elements of one column are grouped.
  package struct Runs: Sendable, Hashable {
    package var count: Int
    /// The elements of a run that carry weights.
    package var length: Int
    /// The elements that it takes in packed weights.
    package var paddedLength: Int

    package init(count: Int, length: Int, type: ElementType) {
      self.count = count
      self.length = length
      let grain = WeightPacking.depthGrain(type)
      paddedLength = (length + grain - 1) / grain * grain
    }

    /// K as packed.
    package var depth: Int { count * paddedLength }
  }

  /// The elements of K that lie together in a column: runs are padded to a multiple.
  static func depthGrain(_ type: ElementType) -> Int {
    switch type {
    case .bfloat16: 2
    case .int8: 4
    default: 1
    }
  }

  /// The shape of `panels` packed panels.
  package static func shape(panels: Int, depth: Int, type: ElementType) -> Shape {
    let grain = depthGrain(type)
    return grain > 1
      ? [panels, depth / grain, panelWidth, grain] : [panels, depth, panelWidth]
  }

  /// The panels that `columns` columns take.
  package static func panelCount(columns: Int) -> Int {
    (columns + panelWidth - 1) / panelWidth
  }

  /// The runs of a convolution: kernel rows where the channels of neighbouring taps lie together
  /// (one group, no horizontal dilation), else single taps.
  package static func convolutionRuns(
    channelsPerGroup: Int, kernel: [Int], groups: Int, dilations: [Int], type: ElementType
  ) -> Runs {
    groups == 1 && dilations[1] == 1
      ? Runs(count: kernel[0], length: kernel[1] * channelsPerGroup, type: type)
      : Runs(count: kernel[0] * kernel[1], length: channelsPerGroup, type: type)
  }

  /// Packs the weights of a `convolution`.
  ///
  /// - Parameters:
  ///   - weights: ONNX order: `[Cout, Cin / groups, kh, kw]`
  ///   - shape: the four extents of `weights`
  ///   - dilations: those of the instruction (they decide the order of K)
  ///   - type: float32 or bfloat16
  /// - Returns: `groups` times the panels of `Cout / groups` columns, K ordered ky, kx, c.
  package static func convolution(
    _ weights: [Float], shape: Shape, groups: Int = 1, dilations: [Int] = [1, 1],
    as type: ElementType
  ) -> TensorBuffer {
    let (columns, channels) = (shape[0] / groups, shape[1])
    let (height, width) = (shape[2], shape[3])
    let runs = convolutionRuns(
      channelsPerGroup: channels, kernel: [height, width], groups: groups, dilations: dilations,
      type: type)
    return pack(groups: groups, columns: columns, runs: runs, type: type) {
      group, run, at, column in
      let step = run * runs.length + at  // over ky, kx, c
      let (tap, channel) = (step / channels, step % channels)
      return weights[((group * columns + column) * channels + channel) * height * width + tap]
    }
  }

  /// Packs the constant factor of a `matrix_multiply`.
  ///
  /// - Parameters:
  ///   - matrix: `batch` matrices, each `[depth, columns]`, or `[columns, depth]` if transposed
  ///   - type: float32 or bfloat16
  package static func matrix(
    _ matrix: [Float], batch: Int = 1, depth: Int, columns: Int, transposed: Bool = false,
    as type: ElementType
  ) -> TensorBuffer {
    let runs = Runs(count: 1, length: depth, type: type)
    return pack(groups: batch, columns: columns, runs: runs, type: type) { item, _, k, column in
      let inner = transposed ? column * depth + k : k * columns + column
      return matrix[item * depth * columns + inner]
    }
  }

  /// Packs the weights of a `depthwise_convolution`: ONNX `[C, 1, kh, kw]` to `[kh · kw, C]`,
  /// always float32.
  package static func depthwise(_ weights: [Float], shape: Shape) -> TensorBuffer {
    let (channels, taps) = (shape[0], shape[2] * shape[3])
    var packed = [Float](repeating: 0, count: channels * taps)
    for channel in 0..<channels {
      for tap in 0..<taps { packed[tap * channels + channel] = weights[channel * taps + tap] }
    }
    return TensorBuffer([taps, channels], packed)
  }

  /// Packs the weights of a `transposed_convolution`.
  ///
  /// - Parameters:
  ///   - weights: ONNX order: `[Cin, Cout / groups, kh, kw]`
  ///   - strides, dilations: those of the instruction (they decide the order of taps)
  /// - Returns: `groups` times the panels of `Cout / groups` columns; K is ordered by taps as
  ///   `TransposedPhase` orders them, then by the channels of the group.
  package static func transposedConvolution(
    _ weights: [Float], shape: Shape, groups: Int = 1, strides: [Int], dilations: [Int] = [1, 1],
    as type: ElementType
  ) -> TensorBuffer {
    let (channels, columns) = (shape[0] / groups, shape[1])
    let (height, width) = (shape[2], shape[3])
    let taps = TransposedPhase.all(
      kernel: [height, width], strides: strides, dilations: dilations
    ).flatMap(\.taps)
    let runs = Runs(count: taps.count, length: channels, type: type)
    return pack(groups: groups, columns: columns, runs: runs, type: type) {
      group, run, channel, column in
      let row = (group * channels + channel) * columns + column
      return weights[(row * height + taps[run].ky) * width + taps[run].kx]
    }
  }

  /// Reorders the weights of a `convolution_nd`: ONNX `[Cout, Cin / groups, k...]` to
  /// `[k..., Cin / groups, Cout]`, float32.
  package static func convolutionND(_ weights: [Float], shape: Shape) -> TensorBuffer {
    let (columns, channels) = (shape[0], shape[1])
    let kernel = Array(shape.dimensions.dropFirst(2))
    let taps = kernel.reduce(1, *)
    var packed = [Float](repeating: 0, count: weights.count)
    for column in 0..<columns {
      for channel in 0..<channels {
        for tap in 0..<taps {
          packed[(tap * channels + channel) * columns + column] =
            weights[(column * channels + channel) * taps + tap]
        }
      }
    }
    return TensorBuffer(Shape(kernel + [channels, columns]), packed)
  }

  /// Fills panels; `element(group, run, index in run, column)` gives a weight.
  static func pack(
    groups: Int, columns: Int, runs: Runs, type: ElementType,
    element: (Int, Int, Int, Int) -> Float
  ) -> TensorBuffer {
    precondition(type == .float32 || type == .bfloat16, "weights are float32 or bfloat16")
    let panels = panelCount(columns: columns)
    let shape = shape(panels: groups * panels, depth: runs.depth, type: type)
    // Element k of column n in a panel: k · 16 + n, or with pairs (k / 2) · 32 + n · 2 + k % 2.
    let pairs = type == .bfloat16
    var packed = [Float](repeating: 0, count: groups * panels * runs.depth * panelWidth)
    for group in 0..<groups {
      for column in 0..<columns {
        let panel = group * panels + column / panelWidth
        let lane = column % panelWidth
        for run in 0..<runs.count {
          for index in 0..<runs.length {
            let k = run * runs.paddedLength + index
            let place =
              pairs ? k / 2 * 2 * panelWidth + lane * 2 + k % 2 : k * panelWidth + lane
            packed[panel * runs.depth * panelWidth + place] = element(group, run, index, column)
          }
        }
      }
    }
    return pairs
      ? TensorBuffer(.bfloat16, shape, packed.map { BFloat16($0) }) : TensorBuffer(shape, packed)
  }
}
