import Archives
import Files
import Imaging
import Instructions
import ModelFile
import Options
import Pictures
import Tensors
import Texts

#if canImport(Glibc)
  import Glibc
#endif

/// The samples in a directory.
enum SampleFolder {
  private static let deepest = 16

  /// The pictures of a directory and those below it, sorted by the bytes of their paths; where
  /// there are none, its `.npz` and `.npy` files.
  ///
  /// - Throws: exit 66 where it cannot be listed or holds neither.
  static func files(in folder: String) throws -> [String] {
    var files: [String] = []
    try list(folder, depth: 0, &files)
    files.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let pictures = files.filter(Picture.isPicture)
    if !pictures.isEmpty { return pictures }
    let tensors = files.filter(TensorSample.isTensorFile)
    guard !tensors.isEmpty else {
      let endings = (Picture.extensions + ["npz", "npy"]).map { ".\($0)" }.joined(separator: ", ")
      throw VerbError(
        .inputMissing,
        "\(folder): holds no sample; of its \(files.count) files none ends with \(endings)")
    }
    return tensors
  }

  private static func list(_ folder: String, depth: Int, _ files: inout [String]) throws {
    guard depth < deepest else { return }
    guard let directory = opendir(folder) else {
      throw VerbError(
        .inputMissing, "\(folder): cannot be listed (\(String(cString: strerror(errno))))")
    }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.hasPrefix(".") { continue }
      let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
      if FileKind.isDirectory(path) {
        try list(path, depth: depth + 1, &files)
      } else {
        files.append(path)
      }
    }
  }
}

/// A list of samples: one per line, `path[,path…]` in the order of the inputs, relative to the
/// list. Lines that are empty or begin with `#` do not count.
enum SampleList {
  /// - Throws: exit 65 with the line where it names too few or too many files.
  static func samples(
    _ path: String, _ ports: [Program.Port], _ preprocessing: [ResolvedPreprocessing?]
  ) throws -> [CalibrationSource.Sample] {
    let text = try FileContents.text(of: path, limit: 1 << 28)
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    var entries: [(line: String, sample: CalibrationSource.Sample)] = []
    for (index, raw) in text.split(
      omittingEmptySubsequences: false, whereSeparator: \.isNewline
    ).enumerated() {
      let line = raw.drop { $0 == " " || $0 == "\t" }
      if line.isEmpty || line.hasPrefix("#") { continue }
      let files = line.split(separator: ",", omittingEmptySubsequences: false).map { part in
        let name = String(part.drop { $0 == " " })
        return name.hasPrefix("/") ? name : folder + name
      }
      if files.count == 1, files[0].lowercased().hasSuffix(".npz") {
        entries.append((String(line), .archive(files[0])))
        continue
      }
      guard files.count == ports.count else {
        throw VerbError(
          .badInput,
          "\(path), line \(index + 1): names \(files.count) file\(files.count == 1 ? "" : "s"), "
            + "but the model has \(ports.count) input\(ports.count == 1 ? "" : "s"): "
            + ports.map(\.name).joined(separator: ", "))
      }
      // A picture fills the whole batch.
      let filled = files.enumerated().map { port, file in
        let size = preprocessing[port]?.sampleElementCount ?? ports[port].shape.elementCount
        let batch =
          Picture.isPicture(file) ? max(ports[port].shape.elementCount / max(size, 1), 1) : 1
        return [String](repeating: file, count: batch)
      }
      entries.append((String(line), .files(filled)))
    }
    guard !entries.isEmpty else {
      throw VerbError(.badInput, "\(path): lists no sample; write one path per line")
    }
    return entries.sorted { $0.line.utf8.lexicographicallyPrecedes($1.line.utf8) }.map(\.sample)
  }
}

/// Many samples in one file of tensors: each array is the input's shape with its leading dimension
/// multiplied by their number.
enum SampleRows {
  /// - Throws: exit 65 where names, types, shapes or numbers of samples do not fit.
  static func read(
    _ path: String, _ ports: [Program.Port]
  ) throws -> (tensors: [TensorBuffer], count: Int) {
    let file = try TensorSample(path)
    let isUnnamed = file.tensors.count == 1 && file.tensors[0].name.isEmpty
    let names = ports.map(\.name)
    for item in file.tensors where !isUnnamed && !names.contains(item.name) {
      throw VerbError(
        .badInput,
        "\(path): the model has no input \"\(item.name)\"; it has "
          + names.map { "\"\($0)\"" }.joined(separator: ", ") + "."
          + Suggestion.question(item.name, in: names))
    }
    var counts: [Int] = []
    let tensors = try ports.map { port in
      let found = file.tensors.first { $0.name == port.name }
      guard let tensor = found?.tensor ?? (isUnnamed ? file.tensors[0].tensor : nil) else {
        throw VerbError(
          .badInput, "\(path) lacks the input \"\(port.name)\" (\(port.type) \(port.shape))")
      }
      counts.append(try count(tensor, port, path))
      return tensor
    }
    if let other = counts.indices.first(where: { counts[$0] != counts[0] }) {
      throw VerbError(
        .badInput,
        "\(path): \"\(names[0])\" holds \(counts[0]) samples, but \"\(names[other])\" holds "
          + "\(counts[other])")
    }
    return (tensors, counts.first ?? 0)
  }

  private static func count(_ tensor: TensorBuffer, _ port: Program.Port, _ path: String) throws
    -> Int
  {
    var wanted = port.shape
    var count = 1
    if port.shape.rank == 0 {
      wanted = tensor.shape.rank == 1 ? tensor.shape : wanted
      count = tensor.elementCount
    } else if tensor.shape.rank == port.shape.rank, port.shape[0] > 0 {
      count = tensor.shape[0] / port.shape[0]
      wanted[0] = count * port.shape[0]
    }
    guard tensor.type == port.type, tensor.shape == wanted, count > 0 else {
      let leading = port.shape.rank == 0 ? "[N]" : "\(port.shape) with its first extent times N"
      throw VerbError(
        .badInput,
        "\(path): \"\(port.name)\" is \(tensor.type) \(tensor.shape), but N samples of the model's "
          + "input are \(port.type) \(leading)")
    }
    return count
  }
}
