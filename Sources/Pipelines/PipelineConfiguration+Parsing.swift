// A pipeline's configuration as a JSON document; Documentation/pipelines.md describes every key.
// Mistakes are found in the order of the text as far as one reading can; what concerns several
// places (names, files written twice) is checked afterwards.
import Texts

extension PipelineError.Code {
  /// A file that was given cannot be understood.
  public static let input = PipelineError.Code(name: "input", exitStatus: 65)
}

extension PipelineConfiguration {
  /// The largest file that is read, in bytes.
  package static let maximumByteCount = 1 << 20
  /// The most sources of a pipeline.
  package static let maximumSourceCount = 1024
  /// The most sinks of a stream.
  package static let maximumSinkCount = 16

  /// Reads a configuration.
  ///
  /// Relative paths become relative to the folder of `file`; addresses (with "://") stay.
  /// - Parameter file: the file that it comes from, for messages and for its folder.
  /// - Throws: `input`, with line, column and, for a misspelt word, the nearest known one.
  public init(parsing bytes: [UInt8], file: String) throws(PipelineError) {
    do throws(JSONError) {
      let document = try JSONNode(
        parsing: bytes, byteLimit: PipelineConfiguration.maximumByteCount, depthLimit: 8)
      let folder = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
      self = try ConfigurationReader(folder: folder).configuration(document)
    } catch {
      throw PipelineError(.input, error.description, place: file)
    }
  }
}

/// Reads the nodes of a configuration.
private struct ConfigurationReader {
  /// What relative paths begin with: empty, or ended by "/".
  let folder: String

  func configuration(_ document: JSONNode) throws(JSONError) -> PipelineConfiguration {
    try requireObject(document, "a configuration")
    try document.requireKeys(["model", "threads", "batch_deadline_ms", "sources", "sinks"])
    let model = try text(try required("model", in: document), "model")
    let threads = try document["threads"].map { (node) throws(JSONError) in
      try integer(node, "threads", in: 1...1024)
    }
    let deadline = try document["batch_deadline_ms"].map { (node) throws(JSONError) in
      try number(node, "batch_deadline_ms", in: 0...60_000)
    }
    let places = try list(
      try required("sources", in: document), "sources",
      limit: PipelineConfiguration.maximumSourceCount)
    guard !places.isEmpty else {
      throw JSONError(
        position: document["sources"]?.position ?? document.position,
        message: "\"sources\" is empty; a pipeline needs at least one, as {\"url\":\"VIDEO.mp4\"}")
    }
    var sources: [PipelineConfiguration.Source] = []
    for place in places { sources.append(try source(place)) }
    sources = try StreamNames(sources, at: places).named()
    var sinks: [PipelineConfiguration.Sink] = []
    let outputs = try document["sinks"].map { (node) throws(JSONError) in
      try list(node, "sinks", limit: PipelineConfiguration.maximumSinkCount)
    }
    for place in outputs ?? [] { sinks.append(try sink(place)) }
    try OutputCheck(sources, sinks, at: outputs ?? []).check()
    var result = PipelineConfiguration(model: absolute(model), sources: sources, sinks: sinks)
    result.threads = threads
    if let deadline { result.batchDeadline = deadline }
    return result
  }

  private func source(_ node: JSONNode) throws(JSONError) -> PipelineConfiguration.Source {
    try requireObject(node, "a source")
    try node.requireKeys([
      "name", "url", "loop", "pace", "queue", "connect_timeout_s", "silence_s", "reconnect",
    ])
    let url = try text(try required("url", in: node), "url")
    var source = PipelineConfiguration.Source(name: "", url: address(url))
    if let name = node["name"] { source.name = try text(name, "name") }
    if let loop = node["loop"] { source.loops = try flag(loop, "loop") }
    if let pace = node["pace"] {
      source.pace = try choice(pace, "pace", PipelineConfiguration.Pace.self)
    }
    if let queue = node["queue"] {
      try requireObject(queue, "\"queue\"")
      try queue.requireKeys(["policy", "capacity"])
      if let policy = queue["policy"] {
        source.policy = try choice(policy, "policy", PipelineConfiguration.OverflowPolicy.self)
      }
      if let capacity = queue["capacity"] {
        source.capacity = try integer(capacity, "capacity", in: 1...1024)
      }
    }
    if let timeout = node["connect_timeout_s"] {
      source.connectTimeout = try number(timeout, "connect_timeout_s", in: 0.1...86_400)
    }
    if let silence = node["silence_s"] {
      source.silence = try number(silence, "silence_s", in: 0.1...86_400)
    }
    if let reconnect = node["reconnect"] {
      source.reconnects = try flag(reconnect, "reconnect")
    }
    return source
  }

  private func sink(_ node: JSONNode) throws(JSONError) -> PipelineConfiguration.Sink {
    try requireObject(node, "a sink")
    try node.requireKeys(["type", "path"])
    let type = try choice(
      try required("type", in: node), "type", PipelineConfiguration.Sink.Kind.self)
    let path = try text(try required("path", in: node), "path")
    return PipelineConfiguration.Sink(type, path: absolute(path))
  }

  // MARK: Paths

  /// A path relative to the configuration's folder.
  private func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : folder + path }

  private func address(_ url: String) -> String {
    if url.hasPrefix("file://") { return absolute(String(url.dropFirst(7))) }
    return url.contains("://") ? url : absolute(url)
  }

  // MARK: Values

  private func required(_ key: String, in node: JSONNode) throws(JSONError) -> JSONNode {
    guard let value = node[key] else {
      throw JSONError(position: node.position, message: "the key \"\(key)\" is missing")
    }
    return value
  }

  private func requireObject(_ node: JSONNode, _ what: String) throws(JSONError) {
    guard node.fields != nil else {
      throw JSONError(
        position: node.position, message: "\(what) is an object in { }, not \(kind(of: node))")
    }
  }

  private func list(
    _ node: JSONNode, _ key: String, limit: Int
  ) throws(JSONError) -> [JSONNode] {
    guard let elements = node.elements else { throw mistaken(node, key, "an array in [ ]") }
    guard elements.count <= limit else {
      throw JSONError(
        position: node.position,
        message: "\"\(key)\" has \(elements.count) elements; at most \(limit) are accepted")
    }
    return elements
  }

  private func text(_ node: JSONNode, _ key: String) throws(JSONError) -> String {
    guard let text = node.string else { throw mistaken(node, key, "a text in quotes") }
    guard !text.isEmpty else {
      throw JSONError(position: node.position, message: "\"\(key)\" is empty")
    }
    guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
      throw JSONError(
        position: node.position, message: "\"\(key)\" has a control character in it")
    }
    return text
  }

  private func flag(_ node: JSONNode, _ key: String) throws(JSONError) -> Bool {
    guard let flag = node.bool else { throw mistaken(node, key, "true or false") }
    return flag
  }

  private func integer(
    _ node: JSONNode, _ key: String, in range: ClosedRange<Int>
  ) throws(JSONError) -> Int {
    let wanted = "a whole number from \(range.lowerBound) to \(range.upperBound)"
    guard let integer = node.integer, range.contains(integer) else {
      throw mistaken(node, key, wanted)
    }
    return integer
  }

  private func number(
    _ node: JSONNode, _ key: String, in range: ClosedRange<Double>
  ) throws(JSONError) -> Double {
    let bounds = [range.lowerBound, range.upperBound].map {
      NumberText.significant($0, digits: 6)
    }
    guard let number = node.number, range.contains(number) else {
      throw mistaken(node, key, "a number from \(bounds[0]) to \(bounds[1])")
    }
    return number
  }

  private func choice<Value: RawRepresentable<String> & CaseIterable>(
    _ node: JSONNode, _ key: String, _: Value.Type
  ) throws(JSONError) -> Value {
    let words = Value.allCases.map(\.rawValue)
    guard let text = node.string else {
      throw mistaken(node, key, "one of " + words.joined(separator: ", "))
    }
    guard let value = Value(rawValue: text) else {
      throw JSONError(
        position: node.position,
        message: "unknown \(key) \(JSONWriter.quoted(text)); known are "
          + words.joined(separator: ", ") + "." + Suggestion.question(text, in: words))
    }
    return value
  }

  private func mistaken(_ node: JSONNode, _ key: String, _ wanted: String) -> JSONError {
    JSONError(position: node.position, message: "\"\(key)\" is \(wanted), not \(kind(of: node))")
  }

  /// A value as messages show it.
  private func kind(of node: JSONNode) -> String {
    switch node.value {
    case .null: "null"
    case .bool(let bool): "\(bool)"
    case .number(let number): NumberText.significant(number, digits: 12)
    case .string(let string): JSONWriter.quoted(TextWidth.truncated(string, to: 40))
    case .array: "an array"
    case .object: "an object"
    }
  }
}
