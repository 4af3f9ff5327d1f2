import Graphs
import Operators
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Chooses how far the scales of a value's channels follow their own ranges, where dense
/// convolutions read it.
///
/// A finer scale for a quiet channel makes the rounding of its elements smaller and its weights,
/// which are multiplied by the scale, coarser. Both errors of the convolutions' sums are known
/// beforehand: the exponent that makes them least is taken. Weights that lie on a grid already, as
/// those of a network that was quantised before, stay there with exponent 0.
struct EqualizationChoice {
  /// 0, one scale for all channels, to 1, each its own.
  let exponent: Float

  /// A channel that calibration hardly saw alive keeps a share of the common range.
  static let leastShare: Float = 1 / 64
  private static let candidates: [Float] = [0, 0.25, 0.5, 0.75, 1]
  /// The root mean square of a channel's elements, as a share of its largest.
  private static let effectiveShare: Float = 0.25

  /// The scale of each channel as a multiple of the common one.
  static func factors(
    _ channels: [ValueRange.Channel], _ range: ValueRange, _ exponent: Float
  ) -> [Float] {
    let (low, high) = (min(range.low, 0), max(range.high, 0))
    return channels.map { channel in
      // The share of the common range that the channel fills, at its fuller end.
      let below = low < 0 ? min(max(channel.low, low), 0) / low : 0
      let above = high > 0 ? max(min(channel.high, high), 0) / high : 0
      return power(max(below, above, leastShare), exponent)
    }
  }

  private static func power(_ base: Float, _ exponent: Float) -> Float {
    exponent == 1 ? base : exponent == 0.5 ? base.squareRoot() : pow(base, exponent)
  }

  /// - Parameter readers: the nodes that read the value; those that are no dense convolutions have
  ///   no say.
  init(
    _ channels: [ValueRange.Channel], _ range: ValueRange, _ readers: [Graph.Node], _ graph: Graph
  ) {
    let (low, high) = (min(range.low, 0), max(range.high, 0))
    let step = (high - low) / 255
    let squares = channels.map { channel in
      let largest = max(abs(channel.low), abs(channel.high)) * EqualizationChoice.effectiveShare
      return largest * largest
    }
    let weights = readers.compactMap { node -> TensorBuffer? in
      guard let conv = node.op as? Conv, conv.groupCount == 1, let id = node.inputs[1],
        let tensor = graph[id].constant, tensor.shape.rank >= 2, tensor.shape[1] == channels.count
      else { return nil }
      return tensor
    }
    var errors = [Double](repeating: 0, count: EqualizationChoice.candidates.count)
    for tensor in weights {
      let own = EqualizationChoice.candidates.map { exponent in
        EqualizationChoice.error(
          tensor, EqualizationChoice.factors(channels, range, exponent), step, squares)
      }
      // Every reader counts alike, whatever the size of its sums.
      let scale = own.min() ?? 0
      for (index, error) in own.enumerated() { errors[index] += error / max(scale, 1e-30) }
    }
    let best = errors.indices.min { errors[$0] < errors[$1] } ?? 0
    exponent = EqualizationChoice.candidates[best]
  }

  /// The expected squared error of a convolution's sums, all output channels together, per element
  /// of an output channel.
  private static func error(
    _ tensor: TensorBuffer, _ factors: [Float], _ step: Float, _ squares: [Float]
  ) -> Double {
    guard let values = tensor.floats() else { return 0 }
    let (columns, channels) = (tensor.shape[0], tensor.shape[1])
    let taps = tensor.shape.dimensions.dropFirst(2).reduce(1, *)
    // The largest factor is the one that the weights' other factor is counted from.
    let reference = factors.max() ?? 1
    var total = 0.0
    for column in 0..<columns {
      let start = column * channels * taps
      var largest: Float = 0
      for channel in 0..<channels {
        for tap in 0..<taps {
          largest = max(
            largest, abs(values[start + channel * taps + tap]) * factors[channel] / reference)
        }
      }
      let scale = largest / 127
      guard scale > 0 else { continue }
      for channel in 0..<channels {
        let factor = factors[channel] / reference
        let rounding = step * factors[channel]
        let noise = rounding * rounding / 12
        for tap in 0..<taps {
          let value = values[start + channel * taps + tap]
          let rounded = (value * factor / scale).rounded(.toNearestOrEven) * scale / factor
          let difference = rounded - value
          total += Double(value * value * noise + difference * difference * squares[channel])
        }
      }
    }
    return total
  }
}
