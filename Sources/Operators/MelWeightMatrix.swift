import Graphs
import Instructions
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Makes the matrix that turns a spectrum into the mel scale: triangles of height 1 over the bins.
///
/// num_mel_bins, dft_length, sample_rate: constant integers; lower_edge_hertz, upper_edge_hertz:
/// constant floats, all scalars; output: [dft_length / 2 + 1, num_mel_bins], `output_datatype`
/// (default float32). mel = 2595 · log₁₀(1 + hertz / 700). ONNX version 17.
package struct MelWeightMatrix: LoweredOperator {
  package static let name = "MelWeightMatrix"
  package static let sinceVersion = 17

  package var type: ElementType

  package init(importing node: NodeReader) throws(ImportError) {
    type = try node.elementType("output_datatype") ?? .float32
    guard type.isFloat || type.isInteger else {
      throw node.unsupported("output_datatype is \(type), but must be a numeric type")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let bank = try bank(inputs)
    return [ValueInfo(type: type, shape: [bank.spectrumBins, bank.bins])]
  }

  /// The triangles' corners as bins of the spectrum.
  private struct Bank {
    var bins: Int
    var spectrumBins: Int
    var corners: [Int]
  }

  private func bank(_ inputs: [ValueInfo?]) throws(GraphError) -> Bank {
    guard let bins = try inputs.scalar(0, "num_mel_bins"),
      let length = try inputs.scalar(1, "dft_length"),
      let rate = try inputs.scalar(2, "sample_rate"),
      let low = try inputs.constantFloats(3, "lower_edge_hertz")?.first,
      let high = try inputs.constantFloats(4, "upper_edge_hertz")?.first
    else { throw GraphError("one of the five inputs is missing or empty") }
    guard 1...(1 << 16) ~= bins, 1...(1 << 24) ~= length, rate > 0, low >= 0, high > low,
      high.isFinite, bins * (length / 2 + 1) <= Limits.shapeElements
    else {
      throw GraphError(
        "\(bins) bins from \(low) to \(high) Hz of a transform of \(length) at \(rate) Hz make no "
          + "matrix")
    }
    let mel = { (hertz: Float) in 2595 * log10(1 + Double(hertz) / 700) }
    let step = (mel(high) - mel(low)) / Double(bins + 2)
    let corners = (0..<bins + 2).map { index -> Int in
      let hertz = 700 * (pow(10, (mel(low) + Double(index) * step) / 2595) - 1)
      return Int((Double(length + 1) * hertz / Double(rate)).rounded(.down))
    }
    guard let last = corners.last, last <= length / 2 + 1 else {
      throw GraphError("\(high) Hz is more than half the sample rate of \(rate) Hz")
    }
    return Bank(bins: bins, spectrumBins: length / 2 + 1, corners: corners)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let bank = try bank(lowering.inputInfos)
    var matrix = [Double](repeating: 0, count: bank.spectrumBins * bank.bins)
    func set(_ row: Int, _ column: Int, _ value: Double) {
      if row < bank.spectrumBins { matrix[row * bank.bins + column] = value }
    }
    for column in 0..<bank.bins {
      let (left, centre, right) =
        (bank.corners[column], bank.corners[column + 1], bank.corners[column + 2])
      if left == centre { set(centre, column, 1) }
      for row in left..<centre + 1 where left < centre {
        set(row, column, Double(row - left) / Double(centre - left))
      }
      for row in centre..<right {
        set(row, column, Double(right - row) / Double(right - centre))
      }
    }
    let made = TensorBuffer(.float64, [bank.spectrumBins, bank.bins], matrix)
    guard let tensor = made.rounded(to: type) else { throw GraphError("\(type) is not supported") }
    try lowering.alias(0, to: lowering.constant(tensor))
  }
}
