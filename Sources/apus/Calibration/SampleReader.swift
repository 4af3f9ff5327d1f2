import Archives
import Compilation
import Imaging
import Instructions
import ModelFile
import Options
import Pictures
import Tensors

/// Reads the samples of a source, one at a time; one per thread.
final class SampleReader {
  private let source: CalibrationSource
  private let preprocessors: [Preprocessor?]
  /// The bytes of the largest picture decoded so far.
  private(set) var largestFrameByteCount = 0

  init(_ source: CalibrationSource) {
    self.source = source
    preprocessors = source.preprocessing.map { $0.map { Preprocessor($0) } }
  }

  /// The inputs of a sample in the order of the ports.
  ///
  /// - Throws: the file that cannot be read or does not fit, with the numbers.
  func sample(at index: Int) throws -> [TensorBuffer] {
    switch source.samples[index] {
    case .files(let files):
      return try zip(source.ports.indices, files).map { port, paths in
        try input(port, paths)
      }
    case .archive(let path):
      return try TensorSample(path).ordered(for: source.ports)
    case .row(let row):
      return try zip(source.ports, source.rows.tensors).map { port, tensor in
        try TensorSample.slice(tensor, row, of: source.rows.count, to: port, path: source.path)
      }
    case .random(let seed):
      return try random(seed)
    }
  }

  private func input(_ index: Int, _ paths: [String]) throws -> TensorBuffer {
    let port = source.ports[index]
    guard let preprocessor = preprocessors[index], Picture.isPicture(paths[0]) else {
      return try tensor(paths[0], port)
    }
    let tensor = TensorBuffer(zeros: port.type, port.shape)
    let size = preprocessor.sampleByteCount
    for (slot, path) in paths.enumerated() where (slot + 1) * size <= tensor.byteCount {
      let frame = try Picture.read(path)
      largestFrameByteCount = max(largestFrameByteCount, frame.width * frame.height * 4)
      fill(tensor, slot, frame, preprocessor)
    }
    return tensor
  }

  private func fill(
    _ tensor: TensorBuffer, _ slot: Int, _ frame: Frame, _ preprocessor: Preprocessor
  ) {
    let size = preprocessor.sampleByteCount
    tensor.withMutableBytes { bytes in
      let target = UnsafeMutableRawBufferPointer(
        rebasing: bytes[slot * size..<(slot + 1) * size])
      _ = preprocessor.process(frame, into: target)
    }
  }

  /// The one tensor of a file, for one input.
  private func tensor(_ path: String, _ port: Program.Port) throws -> TensorBuffer {
    let tensors = try Archive.read(path)
    let tensor =
      tensors.count == 1 ? tensors[0].tensor : tensors.first { $0.name == port.name }?.tensor
    guard let tensor, tensor.type == port.type, tensor.shape == port.shape else {
      let held = tensors.map { "\($0.tensor.type) \($0.tensor.shape)" }.joined(separator: ", ")
      throw VerbError(
        .badInput,
        "\(path) holds \(held.isEmpty ? "nothing" : held), but input \"\(port.name)\" takes "
          + "\(port.type) \(port.shape)")
    }
    return tensor
  }

  /// Random pictures where the input has a preprocessing, else as `RandomInputs`.
  private func random(_ seed: Int) throws -> [TensorBuffer] {
    var random = RandomInputs(seed: UInt64(seed) + 1)
    return try source.ports.enumerated().map { index, port in
      guard let preprocessor = preprocessors[index] else {
        return random.tensor(port.type, port.shape)
      }
      let specification = preprocessor.specification
      let tensor = TensorBuffer(zeros: port.type, port.shape)
      for slot in 0..<tensor.byteCount / max(preprocessor.sampleByteCount, 1) {
        let count =
          specification.output.width * specification.output.height * specification.channels
        let frame = try Frame(
          copying: random.bytes(count), specification.channels == 1 ? .gray8 : .rgb24,
          width: specification.output.width, height: specification.output.height)
        fill(tensor, slot, frame, preprocessor)
      }
      return tensor
    }
  }
}
