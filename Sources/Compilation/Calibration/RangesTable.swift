// The ranges table: ranges as text, made to be read and edited (Documentation/ranges-table.md).
//
//   # apus ranges 1
//   # NAME LOW HIGH [channels LOW:HIGH …]
//   method: kl
//   samples: 200
//   images 0 1 channels 0:1 0:1 0:0.99
//   "a name" -0.27846 12.5

extension Ranges {
  /// The first line of every table of this version.
  package static let header = "# apus ranges 1"
  /// How the first line of any version begins.
  private static let headerStart = "# apus ranges "

  /// Says whether a file that begins with these bytes is a ranges table, of whatever version.
  package static func isTable(_ bytes: some Sequence<UInt8>) -> Bool {
    Array(bytes.prefix(headerStart.utf8.count)) == Array(headerStart.utf8)
  }

  // MARK: Writing

  /// The table. Numbers are the shortest that read back as the same float32.
  public var text: String {
    var text = "\(Ranges.header)\n"
    text += "# One value per line: NAME LOW HIGH, then its channels if they are known.\n"
    text += "# A value marked infinite has no range and stays float.\n"
    if !isOnData { text += "# NOT CALIBRATED ON DATA\n" }
    if !method.isEmpty { text += "method: \(RangesSyntax.quoted(method))\n" }
    if sampleCount > 0 { text += "samples: \(sampleCount)\n" }
    if !isOnData { text += "data: random\n" }
    for name in listedNames {
      let quoted = RangesSyntax.quoted(name)
      if infinite.contains(name) {
        text += "\(quoted) infinite\n"
      } else if let range = values[name] {
        text += "\(quoted) \(RangesSyntax.number(range.low)) \(RangesSyntax.number(range.high))"
        if let channels = range.channels {
          text += " channels"
          for channel in channels {
            text += " \(RangesSyntax.number(channel.low)):\(RangesSyntax.number(channel.high))"
          }
        }
        text += "\n"
      }
    }
    return text
  }

  /// All names, those of `order` first.
  package var listedNames: [String] {
    let all = Set(values.keys).union(infinite)
    var seen: Set<String> = []
    let ordered = order.filter { all.contains($0) && seen.insert($0).inserted }
    return ordered + all.subtracting(seen).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  // MARK: Reading

  /// Reads a table.
  ///
  /// - Parameter path: what messages call the file.
  /// - Throws: `CompileError` with code `invalidData`, whose place is the file and the line.
  public init(parsing text: String, path: String = "table") throws(CompileError) {
    self.init(values: [:])
    // Characters would take "\r\n" for one; scalars do not.
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
      .map { line in String(String.UnicodeScalarView(line.last == "\r" ? line.dropLast() : line)) }
    try Ranges.checkHeader(lines.first ?? "", path)
    var settings: Set<String> = []
    for (index, line) in lines.enumerated().dropFirst() {
      var reader = RangesLine(line, place: "\(path), line \(index + 1)")
      guard let name = try reader.name() else { continue }
      if reader.isSetting {
        guard settings.insert(name).inserted else {
          throw reader.error("\(name): is given twice; keep one of the lines")
        }
        try setting(name, &reader)
      } else {
        try value(name, &reader)
      }
      try reader.end()
    }
  }

  private static func checkHeader(_ line: String, _ path: String) throws(CompileError) {
    if line == header { return }
    let place = "\(path), line 1"
    guard line.hasPrefix(headerStart) else {
      throw CompileError(
        .invalidData,
        "a ranges table begins with '\(header)', but this line is "
          + "'\(RangesSyntax.shown(line))'", place: place)
    }
    throw CompileError(
      .invalidData,
      "the table has version '\(RangesSyntax.shown(line.dropFirst(headerStart.count)))'; this apus "
        + "reads version 1: make the table again with apus calibrate", place: place)
  }

  private mutating func setting(
    _ name: String, _ reader: inout RangesLine
  ) throws(CompileError) {
    guard values.isEmpty, infinite.isEmpty else {
      throw reader.error("\(name): stands behind a value; settings come before the first value")
    }
    guard let text = try reader.word() else { throw reader.error("\(name): has no value") }
    switch name {
    case "method":
      method = text
    case "samples":
      guard let count = Int(text), count >= 0 else {
        throw reader.error("samples: '\(text)' is not a number of samples")
      }
      sampleCount = count
    case "data":
      guard text == "random" || text == "real" else {
        throw reader.error("data: '\(text)' is neither random nor real")
      }
      isOnData = text == "real"
    default:
      throw reader.error(
        "\(name): is no setting; settings are method, samples and data."
          + RangesSyntax.question(name, in: ["method", "samples", "data"]))
    }
  }

  private mutating func value(_ name: String, _ reader: inout RangesLine) throws(CompileError) {
    if let first = places[name] {
      throw reader.error("\"\(name)\" is listed twice, first in \(first); keep one of the lines")
    }
    places[name] = reader.place
    order.append(name)
    let first = try reader.word()
    if first == "infinite" {
      infinite.insert(name)
      return
    }
    let second = try reader.word()
    guard let first, let second else {
      throw reader.error(
        "\"\(name)\" needs two numbers, its lowest and its highest: NAME LOW HIGH")
    }
    let (low, high) = try reader.range(first, second, of: "\"\(name)\"")
    var range = ValueRange(low: low, high: high)
    if let word = try reader.word() {
      guard word == "channels" else {
        throw reader.error(
          "\"\(name)\": '\(word)' is not expected here; a line is NAME LOW HIGH, or NAME LOW HIGH "
            + "channels LOW:HIGH …")
      }
      range.channels = try channels(name, &reader)
    }
    values[name] = range
  }

  private func channels(
    _ name: String, _ reader: inout RangesLine
  ) throws(CompileError) -> [ValueRange.Channel] {
    var channels: [ValueRange.Channel] = []
    while let word = try reader.word() {
      let parts = word.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      let place = "channel \(channels.count) of \"\(name)\""
      guard parts.count == 2 else {
        throw reader.error("\(place): '\(word)' is not LOW:HIGH")
      }
      let (low, high) = try reader.range(parts[0], parts[1], of: place)
      channels.append(ValueRange.Channel(low: low, high: high))
    }
    guard !channels.isEmpty else {
      throw reader.error("\"\(name)\": no channel follows the word channels")
    }
    return channels
  }
}
