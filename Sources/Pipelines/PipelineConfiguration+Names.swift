// Names of streams and the files that bear them. Names stand in file names, so they are checked
// before anything is written; two streams never share a file.
import Texts

/// The names of the streams of a configuration.
struct StreamNames {
  private let sources: [PipelineConfiguration.Source]
  private let places: [JSONNode]

  /// The longest name in bytes: with a frame's number and ending it still is a file's name.
  static let maximumByteCount = 200

  /// - Parameter places: the node of each source.
  init(_ sources: [PipelineConfiguration.Source], at places: [JSONNode]) {
    self.sources = sources
    self.places = places
  }

  /// Returns the sources with a name each: what was given must be unique and usable, what was not
  /// is made of the address.
  func named() throws(JSONError) -> [PipelineConfiguration.Source] {
    var result = sources
    var taken: [String: TextPosition] = [:]
    for (source, place) in zip(sources, places) {
      guard let node = place["name"] else { continue }
      if let reason = StreamNames.fault(source.name) {
        throw JSONError(
          position: node.position,
          message: "the name \(JSONWriter.quoted(source.name)) \(reason); it is part of file names")
      }
      if let other = taken.updateValue(node.position, forKey: source.name) {
        throw JSONError(
          position: node.position,
          message: "the name \(JSONWriter.quoted(source.name)) is already that of the source at "
            + "\(other); names are unique")
      }
    }
    for (index, source) in sources.enumerated() where places[index]["name"] == nil {
      let base = StreamNames.derived(from: source.url)
      var name = base
      var number = 2
      while taken[name] != nil {
        name = "\(base)-\(number)"
        number += 1
      }
      taken[name] = places[index].position
      result[index].name = name
    }
    return result
  }

  /// Why a name cannot be part of a file's name; nil where it can.
  static func fault(_ name: String) -> String? {
    if name.contains("/") { return "has a \"/\" in it" }
    if name.hasPrefix(".") { return "begins with a full stop" }
    if name.utf8.count > maximumByteCount {
      return "has \(name.utf8.count) bytes; at most \(maximumByteCount) are accepted"
    }
    return nil
  }

  /// A name made of an address: the file's without its ending, or the host's.
  static func derived(from url: String) -> String {
    var text = url[...]
    if let scheme = url.firstRange(of: "://") {
      text = url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
      // What stands before the last "@" may be a password.
      if let at = text.lastIndex(of: "@") { text = text[text.index(after: at)...] }
      // A port; inside of brackets, colons belong to the address.
      let bracket = text.lastIndex(of: "]") ?? text.startIndex
      if let colon = text.lastIndex(of: ":"), colon >= bracket { text = text[..<colon] }
    } else {
      while text.count > 1, text.hasSuffix("/") { text = text.dropLast() }
      if let slash = text.lastIndex(of: "/") { text = text[text.index(after: slash)...] }
      if let dot = text.lastIndex(of: "."), dot > text.startIndex { text = text[..<dot] }
    }
    let letters = text.unicodeScalars.map { scalar -> Character in
      let isUsable = scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
      return isUsable || scalar == "-" || scalar == "_" || scalar == "." ? Character(scalar) : "-"
    }
    var name = String(letters.prefix(40))
    while name.hasPrefix(".") || name.hasPrefix("-") { name.removeFirst() }
    while name.hasSuffix("-") { name.removeLast() }
    return name.isEmpty ? "stream" : name
  }
}

/// The files that the sinks of a configuration write.
struct OutputCheck {
  private let sources: [PipelineConfiguration.Source]
  private let sinks: [PipelineConfiguration.Sink]
  private let places: [JSONNode]

  /// - Parameter places: the node of each sink.
  init(
    _ sources: [PipelineConfiguration.Source], _ sinks: [PipelineConfiguration.Sink],
    at places: [JSONNode]
  ) {
    self.sources = sources
    self.sinks = sinks
    self.places = places
  }

  /// - Throws: for a path that cannot be meant, and for a file that two streams or sinks would
  ///   write.
  func check() throws(JSONError) {
    var writers: [String: (sink: Int, stream: String)] = [:]
    for (index, sink) in sinks.enumerated() {
      let position = places[index]["path"]?.position ?? places[index].position
      try checkPath(sink, position)
      for source in sources {
        let path = OutputCheck.normalised(sink.path(for: source.name))
        let key = sink.kind == .images ? "\(path)/{frames of \(source.name)}" : path
        guard let other = writers.updateValue((index, source.name), forKey: key) else { continue }
        throw JSONError(
          position: position,
          message: other.sink == index
            ? "the streams \(JSONWriter.quoted(other.stream)) and "
              + "\(JSONWriter.quoted(source.name)) would both write \(path); put "
              + "\(PipelineConfiguration.Sink.placeholder) into the path"
            : "\(path) is already written by the sink at \(places[other.sink].position)")
      }
    }
  }

  private func checkPath(
    _ sink: PipelineConfiguration.Sink, _ position: TextPosition
  ) throws(JSONError) {
    let placeholder = PipelineConfiguration.Sink.placeholder
    for part in sink.path.split(separator: "{", omittingEmptySubsequences: false).dropFirst() {
      guard let end = part.firstIndex(of: "}") else { continue }
      let word = "{\(part[..<end])}"
      guard word != placeholder else { continue }
      throw JSONError(
        position: position,
        message: "\(word) stands for nothing; the name of the stream is "
          + placeholder)
    }
    if sink.kind != .images, sink.path.hasSuffix("/") {
      throw JSONError(
        position: position,
        message: "a sink of type \(sink.kind.rawValue) writes a file, but "
          + "\(JSONWriter.quoted(sink.path)) names a folder")
    }
    if sink.kind == .mp4, !sink.path.lowercased().hasSuffix(".mp4") {
      throw JSONError(
        position: position, message: "a sink of type mp4 writes a file whose name ends in .mp4")
    }
  }

  /// A path without "." and doubled "/".
  private static func normalised(_ path: String) -> String {
    (path.hasPrefix("/") ? "/" : "")
      + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
  }
}
