// What happens between a picture and a model's input, as text and as a value.
//
//   picture ─ resize ─ crop or pad ─ channel order ─ y = (x · raw_scale/255 − mean) / std
//   · input_scale
//
// The text form is `KEY=VALUE,…` with `/` between the parts of a vector; the model file stores the
// canonical text: keys in the order of the table below, only those that differ from the default.
internal import Texts

/// Declares how a picture becomes a model's input; part of the model.
public struct Preprocessing: Sendable, Hashable {
  /// A width and a height in pixels.
  public struct Size: Sendable, Hashable, CustomStringConvertible {
    public var width: Int
    public var height: Int

    public init(width: Int, height: Int) {
      self.width = width
      self.height = height
    }

    /// As in specifications: `640x480`, the width first.
    public var description: String { "\(width)x\(height)" }
  }

  /// How the picture reaches its size.
  public enum Resize: Sendable, Hashable {
    /// To the size exactly; the aspect ratio is lost.
    case stretch
    /// To fit into the size; the rest is padding.
    case letterbox
    /// The shorter side to this many pixels; the rest is cut off.
    case short(Int)
  }

  /// Where the picture stands among its padding, or what a crop keeps.
  public enum Anchor: String, Sendable, Hashable, CaseIterable { case center, topleft }

  /// How pixels are computed.
  public enum Interpolation: String, Sendable, Hashable, CaseIterable { case bilinear, area }

  /// The channels that the model wants, in order.
  public enum ChannelOrder: String, Sendable, Hashable, CaseIterable { case rgb, bgr, gray }

  /// What resizing makes (stretch, letterbox) or what remains (short); nil: the input's own size.
  public var size: Size?
  public var resize: Resize = .stretch
  /// What is cut out of the resized picture; nil: nothing is cut (short: the input's size).
  public var crop: Size?
  public var anchor: Anchor = .center
  public var interpolation: Interpolation = .bilinear
  /// The padding, 0...255, one value or one per channel of the model.
  public var pad: [Double] = [114]
  /// One value or one per channel of the model.
  public var mean: [Double] = [0]
  /// One value or one per channel of the model; none is 0.
  public var std: [Double] = [1]
  public var rawScale: Double = 255
  public var inputScale: Double = 1
  /// What the model wants; nil: rgb for three channels, gray for one.
  public var channelOrder: ChannelOrder?
  /// What a source delivers that does not say so itself; decoded pictures know their own format.
  public var pixelFormat: PixelFormat?

  public init() {}

  /// Reads `KEY=VALUE,…`.
  ///
  /// - Throws: `SpecificationError` for unknown keys (with the nearest), values and contradictions.
  public init(parsing text: some StringProtocol) throws(SpecificationError) {
    self.init()
    for (key, value) in try keyValuePairs(text, of: "--preprocess") {
      guard let entry = Preprocessing.keys.first(where: { $0.name == key }) else {
        throw unknownKey(key, of: "--preprocess", keys: Preprocessing.keys.map(\.name))
      }
      try entry.read(&self, value)
    }
    try checkConsistency()
  }

  /// Reads the option `[NAME:]KEY=VALUE,…`; the name ends at the last `:` before the first `=`.
  public static func option(
    _ text: String
  ) throws(SpecificationError) -> (input: String?, specification: Preprocessing) {
    let equals = text.firstIndex(of: "=") ?? text.endIndex
    guard let colon = text[..<equals].lastIndex(of: ":") else {
      return (nil, try Preprocessing(parsing: text))
    }
    let name = String(text[..<colon])
    guard !name.isEmpty else {
      throw SpecificationError(
        .invalidValue, "--preprocess: the input's name before ':' is empty in '\(text)'")
    }
    return (name, try Preprocessing(parsing: text[text.index(after: colon)...]))
  }
}

extension Preprocessing: CustomStringConvertible {
  /// The canonical text: the keys that differ from their defaults; `resize=stretch` if none does.
  public var description: String {
    let text = Preprocessing.keys.compactMap { entry in
      entry.write(self).map { "\(entry.name)=\($0)" }
    }
    return text.isEmpty ? "resize=stretch" : text.joined(separator: ",")
  }
}

extension Preprocessing {
  /// One key of the text form.
  private struct Key: Sendable {
    let name: String
    let read: @Sendable (inout Preprocessing, String) throws(SpecificationError) -> Void
    /// The value's text, or nil for the default.
    let write: @Sendable (Preprocessing) -> String?
  }

  /// The largest side of a picture that a specification may ask for.
  public static let maximumSide = 16384

  private static let keys: [Key] = [
    Key(name: "size") { (s, v) throws(SpecificationError) in
      s.size = try readSize(v, key: "size")
    } write: {
      $0.size?.description
    },
    Key(name: "resize") { (s, v) throws(SpecificationError) in
      s.resize = try readResize(v)
    } write: {
      switch $0.resize {
      case .stretch: nil
      case .letterbox: "letterbox"
      case .short(let side): "short:\(side)"
      }
    },
    Key(name: "crop") { (s, v) throws(SpecificationError) in
      s.crop = try readSize(v, key: "crop")
    } write: {
      $0.crop?.description
    },
    Key(name: "anchor") { (s, v) throws(SpecificationError) in
      s.anchor = try readChoice(v, key: "anchor")
    } write: {
      $0.anchor == .center ? nil : $0.anchor.rawValue
    },
    Key(name: "interpolation") { (s, v) throws(SpecificationError) in
      s.interpolation = try readChoice(v, key: "interpolation")
    } write: {
      $0.interpolation == .bilinear ? nil : $0.interpolation.rawValue
    },
    Key(name: "pad") { (s, v) throws(SpecificationError) in
      s.pad = try readVector(v, key: "pad")
      guard s.pad.allSatisfy({ (0...255).contains($0) }) else {
        throw SpecificationError(.invalidValue, "--preprocess: pad=\(v) is not within 0...255")
      }
    } write: {
      $0.pad == [114] ? nil : vectorText($0.pad)
    },
    Key(name: "mean") { (s, v) throws(SpecificationError) in
      s.mean = try readVector(v, key: "mean")
    } write: {
      $0.mean == [0] ? nil : vectorText($0.mean)
    },
    Key(name: "std") { (s, v) throws(SpecificationError) in
      s.std = try readVector(v, key: "std")
      guard s.std.allSatisfy({ abs($0) >= 1e-12 }) else {
        throw SpecificationError(.invalidValue, "--preprocess: std=\(v) would divide by zero")
      }
    } write: {
      $0.std == [1] ? nil : vectorText($0.std)
    },
    Key(name: "raw-scale") { (s, v) throws(SpecificationError) in
      s.rawScale = try finiteNumber(v, key: "raw-scale", of: "--preprocess")
    } write: {
      $0.rawScale == 255 ? nil : plainNumber($0.rawScale)
    },
    Key(name: "input-scale") { (s, v) throws(SpecificationError) in
      s.inputScale = try finiteNumber(v, key: "input-scale", of: "--preprocess")
    } write: {
      $0.inputScale == 1 ? nil : plainNumber($0.inputScale)
    },
    Key(name: "channel-order") { (s, v) throws(SpecificationError) in
      s.channelOrder = try readChoice(v, key: "channel-order")
    } write: {
      $0.channelOrder?.rawValue
    },
    Key(name: "pixel-format") { (s, v) throws(SpecificationError) in
      guard let format = PixelFormat(name: v) else {
        throw wrongChoice(v, key: "pixel-format", PixelFormat.allCases.map(\.description))
      }
      s.pixelFormat = format
    } write: {
      $0.pixelFormat?.description
    },
  ]

  private static func readSize(_ text: String, key: String) throws(SpecificationError) -> Size {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let width = parts[0], let height = parts[1],
      (1...maximumSide).contains(width), (1...maximumSide).contains(height)
    else {
      throw SpecificationError(
        .invalidValue,
        "--preprocess: \(key)=\(text) is not WIDTHxHEIGHT with sides from 1 to \(maximumSide)")
    }
    return Size(width: width, height: height)
  }

  private static func readResize(_ text: String) throws(SpecificationError) -> Resize {
    switch text {
    case "stretch": return .stretch
    case "letterbox": return .letterbox
    case _ where text.hasPrefix("short:"):
      return .short(
        try wholeNumber(
          text.dropFirst(6), key: "resize=short", of: "--preprocess", minimum: 1,
          maximum: maximumSide))
    default: throw wrongChoice(text, key: "resize", ["stretch", "letterbox", "short:N"])
    }
  }

  private static func readChoice<Choice: RawRepresentable & CaseIterable>(
    _ text: String, key: String
  ) throws(SpecificationError) -> Choice where Choice.RawValue == String {
    guard let choice = Choice(rawValue: text) else {
      throw wrongChoice(text, key: key, Choice.allCases.map(\.rawValue))
    }
    return choice
  }

  private static func wrongChoice(
    _ text: String, key: String, _ choices: [String]
  ) -> SpecificationError {
    let hint = Suggestion.nearest(text, in: choices).map { "; did you mean '\($0)'?" } ?? ""
    return SpecificationError(
      .invalidValue,
      "--preprocess: \(key)=\(text) is not one of \(choices.joined(separator: ", "))\(hint)")
  }

  private static func readVector(_ text: String, key: String) throws(SpecificationError) -> [Double]
  {
    var values: [Double] = []
    for part in text.split(separator: "/", omittingEmptySubsequences: false).prefix(5) {
      values.append(try finiteNumber(part, key: key, of: "--preprocess"))
    }
    guard values.count == 1 || values.count == 3 else {
      throw SpecificationError(
        .invalidValue, "--preprocess: \(key)=\(text) needs one value, or three separated by '/'")
    }
    return values
  }

  private static func vectorText(_ values: [Double]) -> String {
    values.map(plainNumber).joined(separator: "/")
  }

  /// Checks what can be checked without the model's input.
  private func checkConsistency() throws(SpecificationError) {
    guard let crop else { return }
    switch resize {
    case .letterbox:
      throw SpecificationError(
        .contradiction,
        "--preprocess: resize=letterbox pads and crop=\(crop) cuts; give one of the two")
    case .short(let side):
      guard crop.width <= side, crop.height <= side else {
        throw SpecificationError(
          .contradiction,
          "--preprocess: crop=\(crop) is larger than the picture that resize=short:\(side) makes")
      }
      if let size, size != crop {
        throw SpecificationError(
          .contradiction,
          "--preprocess: with resize=short:\(side) size is what remains, but size=\(size) and "
            + "crop=\(crop) differ")
      }
    case .stretch:
      guard let size else {
        throw SpecificationError(
          .contradiction,
          "--preprocess: crop=\(crop) needs the size to cut from: add size=WxH or resize=short:N")
      }
      guard crop.width <= size.width, crop.height <= size.height else {
        throw SpecificationError(
          .contradiction, "--preprocess: crop=\(crop) is larger than size=\(size)")
      }
    }
  }
}
