import Archives
import Files
import Imaging
import Instructions
import ModelFile
import Options
import Pictures
import Tensors

/// The samples that calibration runs on: known at once, read one by one.
struct CalibrationSource: Sendable {
  /// Where one sample comes from.
  enum Sample: Sendable {
    /// For each input the files that fill it: pictures, or one file of tensors.
    case files([[String]])
    /// One `.npz` with all inputs.
    case archive(String)
    /// A row of the tensors that are in memory.
    case row(Int)
    /// A seed.
    case random(Int)
  }

  /// What the user named.
  let path: String
  let ports: [Program.Port]
  /// Those chosen by `--samples`.
  let samples: [Sample]
  /// The preprocessing of the inputs that have one, by port.
  let preprocessing: [ResolvedPreprocessing?]
  /// The arrays of an `.npz`, by port, and how many samples they hold.
  private(set) var rows: (tensors: [TensorBuffer], count: Int) = ([], 0)

  var count: Int { samples.count }
  /// False where the samples are random: NOT CALIBRATED ON DATA.
  var isOnData: Bool {
    if case .random? = samples.first { return false }
    return true
  }

  /// Opens a directory, a list, or a file of tensors.
  ///
  /// - Parameter limit: `--samples`.
  /// - Throws: a path that is not there, a directory without samples, arrays that do not fit, an
  ///   input that needs `--preprocess`.
  init(
    _ path: String, ports: [Program.Port], processing: Processing, limit: Int? = nil
  ) throws {
    self.path = path
    self.ports = ports
    preprocessing = try CalibrationSource.preprocessing(processing, ports)
    let all: [Sample]
    if FileKind.isDirectory(path) {
      let files = try SampleFolder.files(in: path)
      all = try CalibrationSource.samples(of: files, path, ports, preprocessing)
    } else if TensorSample.isTensorFile(path) {
      rows = try SampleRows.read(path, ports)
      all = (0..<rows.count).map { .row($0) }
    } else if Picture.isPicture(path) {
      all = try CalibrationSource.samples(of: [path], path, ports, preprocessing)
    } else {
      all = try SampleList.samples(path, ports, preprocessing)
    }
    samples = CalibrationSource.chosen(all, limit)
    for sample in samples {
      if case .files(let files) = sample { try requirePreprocessing(for: files) }
    }
  }

  /// Seeded random samples.
  init(random count: Int, ports: [Program.Port], processing: Processing) throws {
    path = "random samples"
    self.ports = ports
    preprocessing = try CalibrationSource.preprocessing(processing, ports)
    samples = (0..<count).map { .random($0) }
  }

  /// How messages name a sample.
  func name(at index: Int) -> String {
    switch samples[index] {
    case .files(let files): files.compactMap(\.first).joined(separator: ",")
    case .archive(let path): path
    case .row(let row): "\(path), sample \(row)"
    case .random(let seed): "random sample \(seed)"
    }
  }

  /// The files behind a sample.
  func files(at index: Int) -> [String] {
    switch samples[index] {
    case .files(let files): files.flatMap { $0 }
    case .archive(let file): [file]
    case .row: [path]
    case .random: []
    }
  }

  /// One sample: the inputs in the order of the ports. Many are read faster by a `SampleReader`.
  func sample(at index: Int) throws -> [TensorBuffer] { try SampleReader(self).sample(at: index) }

  /// `limit` of them, evenly spaced; all where there are no more.
  static func chosen<T>(_ all: [T], _ limit: Int?) -> [T] {
    guard let limit, limit < all.count else { return all }
    return (0..<limit).map { all[$0 * all.count / limit] }
  }

  // MARK: Pictures

  private static func preprocessing(
    _ processing: Processing, _ ports: [Program.Port]
  ) throws -> [ResolvedPreprocessing?] {
    try ports.map { port in
      try processing.inputs.first { $0.name == port.name }.map { input in
        try Preprocessing(parsing: input.text).resolved(
          input: port.name, shape: port.shape, type: port.type)
      }
    }
  }

  /// Files of a directory as samples of the only input; pictures fill batches.
  private static func samples(
    of files: [String], _ path: String, _ ports: [Program.Port],
    _ preprocessing: [ResolvedPreprocessing?]
  ) throws -> [Sample] {
    if files.allSatisfy({ $0.lowercased().hasSuffix(".npz") }) {
      return files.map { .archive($0) }
    }
    guard ports.count == 1 else {
      throw UsageError(
        "\(path): the model has \(ports.count) inputs ("
          + ports.map(\.name).joined(separator: ", ")
          + "); give a list with one file per input on each line, or a .npz file")
    }
    guard Picture.isPicture(files[0]) else { return files.map { .files([[$0]]) } }
    let perSample = preprocessing[0].map {
      max(ports[0].shape.elementCount / $0.sampleElementCount, 1)
    }
    let batch = perSample ?? 1
    return stride(from: 0, to: files.count, by: batch).map { start in
      // The last batch is filled up with its last picture.
      .files([(start..<start + batch).map { files[min($0, files.count - 1)] }])
    }
  }

  private func requirePreprocessing(for files: [[String]]) throws {
    for (index, port) in ports.enumerated() where preprocessing[index] == nil {
      guard let picture = files[index].first(where: Picture.isPicture) else { continue }
      let option = Preprocessing.suggestedOption(
        input: port.name, dimensions: port.shape.dimensions.map { $0 }, type: port.type)
      guard let option else {
        throw UsageError(
          "\(picture): input \"\(port.name)\" (\(port.type) \(port.shape)) takes no pictures; give "
            + "tensors in .npz or .npy files")
      }
      throw UsageError(
        "\(picture): nothing says how a picture becomes input \"\(port.name)\" (\(port.type) "
          + "\(port.shape)); add for example\n  \(option)")
    }
  }
}
