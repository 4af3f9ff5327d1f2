// What turns a model's outputs into objects, as text and as a value.
//
// On the command line: `KIT[:KEY=VALUE,…]`, `classes=FILE` naming a file with one label per line.
// In the model file, so that it carries its labels (UTF-8, lines end with \n):
//
//   yolov8:score=0.3,iou=0.5        the kit and its options, without `classes`
//   labels 2                        the number of label lines that follow
//   person
//   traffic light                   \\, \n and \r inside a label are written with a backslash
internal import Texts

/// Declares how outputs become objects; part of the model.
public struct Postprocessing: Sendable, Hashable {
  /// What a kit reads from the outputs.
  public enum Kit: String, Sendable, Hashable, CaseIterable {
    case classification, yolov5, yolov8, yolox, ssd
  }

  /// How an SSD model writes its boxes.
  public enum BoxForm: String, Sendable, Hashable, CaseIterable {
    /// x1, y1, x2, y2
    case corners
    /// centre x, centre y, width, height
    case center
    /// offsets to priors, to be decoded with variances
    case priors
  }

  public var kit: Kit
  /// The names of the classes, by index; empty: unnamed.
  public var labels: [String] = []
  /// The file to read the labels from, where the text names one; not stored.
  public var classesPath: String?

  /// Objects score more than this.
  public var score: Double?
  /// Boxes that overlap a better one by more than this are dropped.
  public var iou: Double?
  /// The most objects per picture.
  public var maximum: Int?
  /// Whether boxes of different classes suppress each other.
  public var agnostic: Bool?
  /// Whether one box may stand for several classes.
  public var multiLabel: Bool?
  /// The pixel steps of the grids, finest first.
  public var strides: [Int]?
  /// Whether a YOLOX model already applies its grid.
  public var decoded: Bool?
  /// The class that means "nothing" in SSD scores; -1 for none.
  public var background: Int?
  public var boxForm: BoxForm?
  /// Whether SSD boxes and priors are fractions of the input's sides rather than pixels.
  public var normalised: Bool?
  /// The variances of prior offsets: centre, size.
  public var variances: [Double]?
  /// The sides of square priors, in pixels, per stride.
  public var minSizes: [[Double]]?
  /// Whether classification scores still need a softmax.
  public var softmax: Bool?
  /// The classes of a classification before the first real one.
  public var offset: Int?
  /// The name of the output with the predictions, where several would fit.
  public var output: String?
  /// The name of the output with the boxes.
  public var boxes: String?
  /// The name of the output with the scores.
  public var scores: String?
  /// The name of the output with the priors.
  public var priors: String?

  public init(_ kit: Kit) { self.kit = kit }

  /// Reads `KIT[:KEY=VALUE,…]`.
  ///
  /// - Throws: `SpecificationError` for unknown kits and keys (with the nearest) and bad values.
  public init(parsing text: some StringProtocol) throws(SpecificationError) {
    let colon = text.firstIndex(of: ":") ?? text.endIndex
    let name = String(text[..<colon])
    guard let kit = Kit(rawValue: name) else {
      let known = Kit.allCases.map(\.rawValue)
      let hint =
        Suggestion.nearest(name, in: known).map { "did you mean '\($0)'?" }
        ?? "there are \(known.joined(separator: ", "))"
      throw SpecificationError(.unknownKit, "--postprocess: there is no kit '\(name)'; \(hint)")
    }
    self.init(kit)
    guard colon < text.endIndex else { return }
    let keys = PostprocessingKey.all.filter { $0.kits.contains(kit) }
    for (key, value) in try keyValuePairs(
      text[text.index(after: colon)...], of: "--postprocess \(name)")
    {
      guard let entry = keys.first(where: { $0.name == key }) else {
        throw unknownKey(key, of: "--postprocess \(name)", keys: keys.map(\.name))
      }
      try entry.read(&self, value)
    }
    try checkConsistency()
  }

  private func checkConsistency() throws(SpecificationError) {
    if let minSizes, kit == .ssd {
      guard let strides, strides.count == minSizes.count else {
        throw SpecificationError(
          .contradiction,
          "--postprocess ssd: min-sizes has \(minSizes.count) groups, so strides needs as many "
            + "values")
      }
      guard boxForm == nil || boxForm == .priors else {
        throw SpecificationError(
          .contradiction, "--postprocess ssd: min-sizes makes priors, so form must be priors")
      }
    }
  }
}

extension Postprocessing: CustomStringConvertible {
  /// The text form `KIT[:KEY=VALUE,…]` without labels.
  public var description: String {
    let pairs = PostprocessingKey.all.filter { $0.kits.contains(kit) }.compactMap { entry in
      entry.write(self).map { "\(entry.name)=\($0)" }
    }
    return pairs.isEmpty ? kit.rawValue : kit.rawValue + ":" + pairs.joined(separator: ",")
  }
}

extension Postprocessing {
  /// The most labels that a specification may carry.
  public static let maximumLabels = 1 << 20

  /// Reads the labels of a `classes` file: UTF-8, one per line, trailing empty lines dropped.
  ///
  /// - Throws: `SpecificationError` for bytes that are no text and files without labels.
  public static func labels(
    parsing bytes: [UInt8], file: String
  ) throws(SpecificationError) -> [String] {
    guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
      throw SpecificationError(
        .invalidValue, "classes=\(file) is not UTF-8 text; it holds one label per line")
    }
    var lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
      .map(String.init)
    if let first = lines.first, first.hasPrefix("\u{FEFF}") { lines[0] = String(first.dropFirst()) }
    while lines.last?.isEmpty == true { lines.removeLast() }
    guard !lines.isEmpty, lines.count <= maximumLabels else {
      throw SpecificationError(
        .invalidValue,
        "classes=\(file) has \(lines.count) labels; it holds one label per line, from 1 to "
          + "\(maximumLabels)")
    }
    return lines
  }

  /// The form that the model file stores; carries the labels.
  public var serialised: String {
    var text = description + "\n" + "labels \(labels.count)\n"
    for label in labels {
      for scalar in label.unicodeScalars {
        switch scalar {
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        default: text.unicodeScalars.append(scalar)
        }
      }
      text += "\n"
    }
    return text
  }

  /// Reads what `serialised` wrote.
  ///
  /// - Throws: `SpecificationError` where a line is missing, superfluous or not understood.
  public init(serialised text: String) throws(SpecificationError) {
    var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= 3, lines.last?.isEmpty == true else {
      throw SpecificationError(.invalidValue, "postprocessing: the stored text is cut off")
    }
    lines.removeLast()
    try self.init(parsing: String(lines[0]))
    let count = String(lines[1])
    guard count.hasPrefix("labels "), let labelCount = Int(count.dropFirst(7)),
      labelCount == lines.count - 2
    else {
      throw SpecificationError(
        .invalidValue,
        "postprocessing: the stored text says '\(count)' and has \(lines.count - 2) labels")
    }
    labels = try lines.dropFirst(2).map { line throws(SpecificationError) in
      try Postprocessing.unescaped(line)
    }
  }

  private static func unescaped(
    _ line: Substring.UnicodeScalarView
  ) throws(SpecificationError) -> String {
    var label = String.UnicodeScalarView()
    var scalars = line.makeIterator()
    while let scalar = scalars.next() {
      guard scalar == "\\" else {
        label.append(scalar)
        continue
      }
      switch scalars.next() {
      case "\\": label.append("\\")
      case "n": label.append("\n")
      case "r": label.append("\r")
      default:
        throw SpecificationError(
          .invalidValue, "postprocessing: label '\(String(line))' has an unknown escape")
      }
    }
    return String(label)
  }
}
