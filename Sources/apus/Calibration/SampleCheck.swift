import Compilation
import ModelFile
import Options
import Synchronization
import Tensors
import Texts

/// Reads every sample once before work starts, so that a bad one is named in seconds and not after
/// hours; and says what looks wrong without being so.
struct SampleCheck {
  private let source: CalibrationSource

  /// What reading all samples has shown.
  struct Result: Sendable {
    /// What looks wrong, for people.
    var warnings: [String] = []
    /// The bytes of the largest picture.
    var largestFrameByteCount = 0
  }

  /// What was seen of one input.
  private struct Extent: Sendable {
    var low = Float.infinity
    var high = -Float.infinity
    /// Whether every number was whole.
    var isWhole = true

    mutating func merge(_ other: Extent) {
      low = min(low, other.low)
      high = max(high, other.high)
      isWhole = isWhole && other.isWhole
    }
  }

  private struct Seen: Sendable {
    var extents: [Extent]
    var constant: [(sample: Int, input: Int, value: Float)] = []
    var largestFrameByteCount = 0
  }

  init(_ source: CalibrationSource) { self.source = source }

  /// - Throws: the first sample that cannot be read, does not fit or holds NaN or infinity.
  func run(threads: Int) throws -> Result {
    let start = Seen(extents: source.ports.map { _ in Extent() })
    let progress = Progress("checking samples", total: source.count)
    let seen = Mutex(start)
    try SampleLoop.run(source.count, threads: threads) { _ in
      SampleReader(source)
    } each: {
      reader, index in
      var own = start
      let tensors = try reader.sample(at: index)
      for (input, tensor) in tensors.enumerated() {
        try look(at: tensor, input: input, sample: index, &own)
      }
      let frame = reader.largestFrameByteCount
      seen.withLock { all in
        for input in all.extents.indices { all.extents[input].merge(own.extents[input]) }
        all.constant += own.constant
        all.largestFrameByteCount = max(all.largestFrameByteCount, frame)
      }
      progress.advance(note: source.name(at: index))
    }
    progress.finish()
    let all = seen.withLock { $0 }
    return Result(
      warnings: constants(all.constant) + units(all.extents),
      largestFrameByteCount: all.largestFrameByteCount)
  }

  private func look(
    at tensor: TensorBuffer, input: Int, sample: Int, _ seen: inout Seen
  ) throws {
    guard tensor.type.isFloat, let values = tensor.floats(), let first = values.first else {
      return
    }
    var extent = Extent()
    var isFinite = true
    for value in values {
      extent.low = min(extent.low, value)
      extent.high = max(extent.high, value)
      isFinite = isFinite && value.isFinite
    }
    if !isFinite, let place = values.firstIndex(where: { !$0.isFinite }) {
      throw VerbError(
        .badInput,
        "\(source.name(at: sample)): input \"\(source.ports[input].name)\" holds \(values[place]) "
          + "at element \(place); correct the sample or leave it out")
    }
    extent.isWhole = values.allSatisfy { $0 == $0.rounded() }
    seen.extents[input].merge(extent)
    if values.count > 1, extent.low == extent.high { seen.constant.append((sample, input, first)) }
  }

  // MARK: What looks wrong

  private func constants(_ constant: [(sample: Int, input: Int, value: Float)]) -> [String] {
    let sorted = constant.sorted { ($0.sample, $0.input) < ($1.sample, $1.input) }
    guard let first = sorted.first else { return [] }
    let others = sorted.count > 1 ? "; so do \(sorted.count - 1) others" : ""
    return [
      "\(source.name(at: first.sample)): input \"\(source.ports[first.input].name)\" holds nothing "
        + "but \(first.value)\(others). Look whether the samples are what they should be"
    ]
  }

  private func units(_ extents: [Extent]) -> [String] {
    source.ports.indices.compactMap { input in
      let extent = extents[input]
      let port = source.ports[input]
      guard extent.low <= extent.high, source.isOnData, port.type.isFloat else { return nil }
      let seen = "input \"\(port.name)\" spans \(extent.low) to \(extent.high)"
      if let specification = source.preprocessing[input] {
        let (low, high) = SampleCheck.reach(of: specification)
        let width = Double(extent.high) - Double(extent.low)
        guard width > 8 * (high - low) || width < (high - low) / 64 else { return nil }
        let reach = [low, high].map { NumberText.significant($0, digits: 4) }
        return "\(source.path): \(seen), but the declared preprocessing gives \(reach[0]) to "
          + "\(reach[1]): other units? Tensors bypass preprocessing and must hold what the model "
          + "takes"
      }
      let isPicture =
        Preprocessing.suggestedOption(
          input: port.name, dimensions: port.shape.dimensions.map { $0 }, type: port.type) != nil
      guard isPicture, extent.isWhole, extent.low >= 0, extent.high <= 255, extent.high > 32 else {
        return nil
      }
      return "\(source.path): \(seen) in whole numbers, like raw pixels. Right only if the model "
        + "itself takes 0 to 255; otherwise scale the samples as in training"
    }
  }

  /// The numbers that a preprocessing can give.
  private static func reach(of resolved: ResolvedPreprocessing) -> (low: Double, high: Double) {
    let declared = resolved.specification
    var (low, high) = (Double.infinity, -Double.infinity)
    for channel in 0..<resolved.channels {
      let mean = declared.mean.count > 1 ? declared.mean[channel] : declared.mean[0]
      let std = declared.std.count > 1 ? declared.std[channel] : declared.std[0]
      for pixel in [0.0, 255] {
        let number = (pixel * declared.rawScale / 255 - mean) / std * declared.inputScale
        low = min(low, number)
        high = max(high, number)
      }
    }
    return (low, high)
  }
}
