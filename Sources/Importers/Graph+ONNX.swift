import Graphs
import Operators
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// The operator sets that are read.
enum ONNXVersions {
  static let oldestOpset = 1
  static let newestOpset = 28
}

extension Graph {
  /// Reads an ONNX file. Weights are not copied: the graph borrows them from the mapped file.
  ///
  /// External data are looked for in the file's directory, and only there.
  ///
  /// - Throws: `ImportError` with the file in its place: `.unreadable`, `.malformed`,
  ///   `.unsupported` or `.invalidNode`; the last two list every node that cannot be imported.
  public init(onnxFile path: String, limits: ONNXLimits = ONNXLimits()) throws(ImportError) {
    self = try Graph.withParts(onnxFile: path, limits: limits).graph
  }

  /// Reads an ONNX file, and returns what it was read from, too: the bytes of the file under the
  /// empty name, and of the files of external data under the names that the model gives them.
  ///
  /// - Throws: as `init(onnxFile:)`.
  public static func withParts(
    onnxFile path: String, limits: ONNXLimits = ONNXLimits()
  ) throws(ImportError) -> (graph: Graph, parts: [NamedTensor]) {
    do throws(ImportError) {
      let source = try ByteSource.open(path, limit: limits.fileBytes)
      let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
      let (graph, files) = try build(source, directory: directory, limits: limits)
      return (graph, parts(source, files))
    } catch {
      var placed = error
      placed.place = error.place.map { "\(path), \($0)" } ?? path
      throw placed
    }
  }

  /// Reads an ONNX model from the parts that `withParts` returned. Weights are not copied.
  ///
  /// - Throws: `ImportError`, as for a file; external data lie in the parts only.
  public init(
    onnxParts parts: [NamedTensor], limits: ONNXLimits = ONNXLimits()
  ) throws(ImportError) {
    guard let model = parts.first(where: { $0.name.isEmpty }) else {
      throw ImportError(.malformed, "the model's own file is missing")
    }
    let files = parts.filter { !$0.name.isEmpty }.map {
      ($0.name, ByteSource(borrowing: $0.tensor))
    }
    self = try Graph.build(
      ByteSource(borrowing: model.tensor), directory: nil,
      files: Dictionary(files, uniquingKeysWith: { first, _ in first }), limits: limits
    ).graph
  }

  /// Reads an ONNX model from memory. The bytes are copied once.
  ///
  /// - Parameter directory: where external data lie; nil refuses them.
  /// - Throws: `ImportError`, as for a file.
  public init(
    onnxBytes bytes: [UInt8], directory: String? = nil, limits: ONNXLimits = ONNXLimits()
  ) throws(ImportError) {
    self = try Graph.withParts(onnxBytes: bytes, directory: directory, limits: limits).graph
  }

  /// Reads an ONNX model from memory, and returns what it was read from, too.
  ///
  /// - Throws: as `init(onnxBytes:)`.
  public static func withParts(
    onnxBytes bytes: [UInt8], directory: String? = nil, limits: ONNXLimits = ONNXLimits()
  ) throws(ImportError) -> (graph: Graph, parts: [NamedTensor]) {
    guard bytes.count <= limits.fileBytes else {
      throw ImportError(
        .malformed, "\(bytes.count) bytes are more than the limit of \(limits.fileBytes)")
    }
    let source = bytes.withUnsafeBytes { ByteSource(copying: $0) }
    let (graph, files) = try build(source, directory: directory, limits: limits)
    return (graph, parts(source, files))
  }

  private static func parts(_ source: ByteSource, _ files: [String: ByteSource]) -> [NamedTensor] {
    [NamedTensor("", source.tensor)]
      + files.sorted { $0.key < $1.key }.map { NamedTensor($0.key, $0.value.tensor) }
  }

  init(
    onnx source: ByteSource, directory: String?, limits: ONNXLimits,
    operators: @escaping GraphBuilder.OperatorLookup = {
      OperatorCatalog.type(domain: $0, name: $1)
    }
  ) throws(ImportError) {
    self = try Graph.build(source, directory: directory, limits: limits, operators: operators).graph
  }

  /// Reads a model; returns the files of external data that it asked for, too.
  private static func build(
    _ source: ByteSource, directory: String?, files: [String: ByteSource] = [:],
    limits: ONNXLimits,
    operators: @escaping GraphBuilder.OperatorLookup = {
      OperatorCatalog.type(domain: $0, name: $1)
    }
  ) throws(ImportError) -> (graph: Graph, files: [String: ByteSource]) {
    if let other = ForeignFormat.certain(source.bytes) { throw other }
    var parser = ONNXParser(source.bytes, limits: limits)
    let model: ONNXModel
    do throws(ImportError) {
      model = try parser.model(0..<source.bytes.count)
    } catch {
      throw ForeignFormat.likely(source.bytes) ?? error
    }
    guard let graph = model.graph else {
      throw ForeignFormat.likely(source.bytes)
        ?? ImportError(
          .malformed, "the file has no graph: it is not an ONNX model, or a part of one")
    }
    let opsets = parser.versions(model.opsets)
    try checkOpset(opsets["ai.onnx"], model)
    var functions: [GraphBuilder.FunctionKey: ONNXFunction] = [:]
    for function in model.functions {
      let key = GraphBuilder.FunctionKey(
        domain: ONNXOpset.domainName(parser.names[function.domain]), name: function.name,
        overload: function.overload)
      guard functions.updateValue(function, forKey: key) == nil else {
        throw ImportError(
          .malformed, "the function \(parser.names[function.name].quoted) is defined twice",
          place: "byte \(function.body.offset)")
      }
    }
    let decoder = ONNXTensorDecoder(
      source: source, limits: limits,
      external: ExternalData(directory: directory, limit: limits.fileBytes, files: files))
    let builder = GraphBuilder(
      parser: parser, decoder: decoder, functions: functions, limits: limits, operators: operators)
    let draft = GraphBuilder.Draft()
    try builder.build(graph, in: GraphBuilder.Scope(draft: draft, opsets: opsets))
    if let error = builder.problems.error { throw error }
    draft.graph.origin = Graph.origin(of: model, opsets: opsets, parser)
    return (draft.graph, builder.decoder.external.files)
  }

  private static func checkOpset(_ version: Int?, _ model: ONNXModel) throws(ImportError) {
    let oldest = ONNXVersions.oldestOpset
    let newest = ONNXVersions.newestOpset
    guard let version else {
      // A model may consist of functions of other domains alone, but not before functions existed.
      if model.opsets.isEmpty {
        throw ImportError(
          .unsupported,
          "the model names no operator set (IR version \(model.irVersion)): "
            + "export it with opset \(oldest) to \(newest)")
      }
      return
    }
    if version < oldest {
      throw ImportError(
        .unsupported,
        "the model uses opset \(version); Apus reads \(oldest) to \(newest): export "
          + "it with a newer opset, or convert it with onnx.version_converter")
    }
    if version > newest {
      throw ImportError(
        .unsupported,
        "the model uses opset \(version); Apus reads \(oldest) to \(newest): export "
          + "it with opset \(newest) or older")
    }
  }

  private static func origin(
    of model: ONNXModel, opsets: [String: Int], _ parser: ONNXParser
  ) -> [(key: String, value: String)] {
    var origin = [(key: "format", value: "ONNX"), (key: "ir version", value: "\(model.irVersion)")]
    for (domain, version) in opsets.sorted(by: { $0.key < $1.key }) {
      origin.append((key: "opset \(domain)", value: "\(version)"))
    }
    for (key, range) in [
      ("producer", model.producer), ("producer version", model.producerVersion),
      ("domain", model.domain),
    ] {
      let text = parser.text(range)
      if !text.isEmpty { origin.append((key: key, value: text)) }
    }
    if model.modelVersion != 0 {
      origin.append((key: "model version", value: "\(model.modelVersion)"))
    }
    for (key, value) in model.metadata {
      origin.append((key: "metadata \(parser.text(key))", value: parser.text(value)))
    }
    return origin
  }
}
